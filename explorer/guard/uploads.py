"""Uploads: each session's newest alone is held, and of all of them as much as there is room for.

Streamlit holds every file that a session has ever sent, used or not, until the session ends.
"""

from typing import cast

from starlette.exceptions import HTTPException
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from explorer.guard.texts import Texts

UPLOAD = "upload"


class FewFiles(MemoryUploadedFileManager):
    """A manager of uploaded files that holds few of them; made of Streamlit's by `hold_few`."""

    texts: Texts
    most_bytes: int

    def add_file(self, session_id: str, file: UploadedFileRec) -> None:
        """Hold a file in place of what the session sent before.

        Raises:
            HTTPException: if it is too long, or there is no room; the uploader shows it then.
        """
        if len(file.data) > self.most_bytes:
            raise HTTPException(413, f"A text may have {self.most_bytes:,} bytes; upload a part.")
        if not self.texts.hold(session_id, UPLOAD, len(file.data)):
            raise HTTPException(503, "The server holds too many texts now; try again in a minute.")
        self.remove_session_files(session_id)
        super().add_file(session_id, file)

    def remove_file(self, session_id: str, file_id: str) -> None:
        """Let go of a file, of which nothing is held any more."""
        self.texts.hold(session_id, UPLOAD, 0)
        self.give_away(session_id, file_id)

    def give_away(self, session_id: str, file_id: str) -> None:
        """Let go of a file that the session now holds by itself; it counts as before."""
        super().remove_file(session_id, file_id)


def hold_few(manager: MemoryUploadedFileManager, texts: Texts, *, most_bytes: int) -> None:
    """Have Streamlit's own manager hold few files from now on.

    All parts of the server know this object, so it is changed rather than replaced.

    Args:
        manager: Streamlit's.
        texts: what all sessions have the server hold.
        most_bytes: of one file.
    """
    manager.__class__ = FewFiles
    few = cast("FewFiles", manager)
    few.texts, few.most_bytes = texts, most_bytes


def take_upload(file: UploadedFile) -> bytes:
    """Take a file out of Streamlit's manager; called by a page, for its own session."""
    context = get_script_run_ctx()
    assert context is not None
    manager, data = context.uploaded_file_mgr, file.getvalue()
    if isinstance(manager, FewFiles):
        manager.give_away(context.session_id, file.file_id)
    elif isinstance(manager, MemoryUploadedFileManager):
        manager.remove_file(context.session_id, file.file_id)
    return data


def drop_upload() -> None:
    """Note that the session does not hold what it took any more; called by a page."""
    context = get_script_run_ctx()
    if context and isinstance(manager := context.uploaded_file_mgr, FewFiles):
        manager.texts.hold(context.session_id, UPLOAD, 0)
