"""What one browser may have the server hold and do, whatever it sends."""

from explorer.guard.server import page_run, seconds_between_news
from explorer.guard.uploads import drop_upload, take_upload

__all__ = ["drop_upload", "page_run", "seconds_between_news", "take_upload"]
