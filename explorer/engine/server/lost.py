"""A run that this server has lost, as its owner's browser has kept it: checked, before it is made.

On a container that starts anew with an empty disk, a browser may be all that still has a run. Its
word alone must not give it an id that others know from a link, so the id is drawn from a deed that
only whoever was lent the run has; see `explorer.engine.store.id_of_deed`.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.engine import store
from explorer.engine.limits import check_lent, check_setup, check_text
from explorer.engine.server.errors import EngineError
from tiny_llama.setup import OWN_TEXT, Setup

_MOST_LETTERS = 64
"""Of a deed, and of a mark."""


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What a run was, and where it stands."""

    run: str
    deed: str
    """Shows whose the id is."""
    setup: Setup
    text: str | None
    """The student's own, where that is the corpus."""
    mark: str
    """Of the text in tokens on which it was trained."""
    returned: Mapping[str, Any]
    """What has come of it, as `explorer.engine.server.returned` reads it; every row from step 0."""


def read_lost(said: Mapping[str, Any]) -> Lost:
    """Read what a browser has kept of a run.

    Raises:
        EngineError: if it does not show whose the run is, or cannot be read.
        ConfigError: if its setup is none, or over the limits of this app.
        TextError: if its text is too long.
    """
    run, deed = _word(said, "run"), _word(said, "deed")
    if not hmac.compare_digest(store.id_of_deed(deed).encode(), run.encode()):
        raise _refused("it does not show that the run is its own")
    if not isinstance(values := said.get("setup"), dict):
        raise _refused("its setup is none")
    text = said.get("text")
    try:
        setup = Setup.from_dict(values)
        if text is not None:
            check_text(text)
    except (KeyError, TypeError, AttributeError, UnicodeError) as error:
        raise _refused(f"its setup or text is none ({type(error).__name__})") from None
    if (setup.corpus == OWN_TEXT) == (text is None):
        raise _refused("its text is missing, or it has one that it does not learn from")
    check_setup(setup)
    check_lent(setup)
    return Lost(run=run, deed=deed, setup=setup, text=text, mark=_word(said, "mark"), returned=said)


def _word(said: Mapping[str, Any], name: str) -> str:
    word = said.get(name)
    if not isinstance(word, str) or not 0 < len(word) <= _MOST_LETTERS or not word.isascii():
        raise _refused(f"its {name} is missing")
    return word


def _refused(why: str) -> EngineError:
    return EngineError(
        f"What this browser has kept of the run cannot be brought back: {why}; start a new run."
    )
