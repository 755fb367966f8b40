"""What one browser may have the server hold and do, whatever it sends."""

from explorer.guard.server import end_turn, page_run, seconds_between_news, seconds_until_turn
from explorer.guard.uploads import drop_upload, take_upload

__all__ = [
    "drop_upload",
    "end_turn",
    "page_run",
    "seconds_between_news",
    "seconds_until_turn",
    "take_upload",
]
