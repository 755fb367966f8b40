"""The Python language reference, which every CPython carries: real English prose, offline."""

import importlib

from tiny_llama.corpora.base import TextCorpus
from tiny_llama.errors import TextError


class PythonManual(TextCorpus):
    """The topics that Python's own `help()` shows."""

    name = "python-manual"
    title = "The Python manual"
    description = (
        "The language reference that comes with every Python: real English, dry and precise."
    )
    source = "Python Software Foundation, PSF licence; read from the Python that runs this."

    def text(self, seed: int = 0) -> str:
        """Return all topics in the order of their names; the seed does not matter.

        Raises:
            TextError: if this Python was installed without its manual.
        """
        try:
            topics = importlib.import_module("pydoc_data.topics").topics
        except ImportError:
            raise TextError(
                "This Python comes without its manual (pydoc_data.topics); choose another corpus."
            ) from None
        return "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"
