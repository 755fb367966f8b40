"""What one browser may have the server hold and do, whatever it sends."""

from explorer.guard.server import page_run
from explorer.guard.uploads import drop_upload, take_upload

__all__ = ["drop_upload", "page_run", "take_upload"]
