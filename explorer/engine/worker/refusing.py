"""The one way in which a worker refuses: whatever goes wrong becomes a sentence for a page."""

import sys
from collections.abc import Callable
from typing import TypeVar

from explorer.engine.messages import Refused
from tiny_llama.errors import UserError

T = TypeVar("T")


def tried(work: Callable[[], T]) -> T | Refused:
    """Do something; a fault, ours too, is a refusal and must not take the other runs along."""
    try:
        return work()
    except Exception as error:
        return Refused(sentence=sentence(error))


def sentence(error: Exception) -> str:
    """Say what a page may show of an error; what a user cannot mend goes to the log as well."""
    if isinstance(error, UserError):
        return str(error)
    sys.stderr.write(f"worker: {error!r}\n")
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return "There was not enough memory for this; take a smaller model, context or batch size."
    return f"The worker could not do this ({type(error).__name__}); try other settings."
