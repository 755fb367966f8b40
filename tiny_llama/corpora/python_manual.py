"""The Python language reference, which every CPython carries: real English prose, offline."""

import importlib
import re

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
        return each_paragraph_once("\n\n".join(topics[name] for name in sorted(topics)))


def each_paragraph_once(text: str) -> str:
    """Drop every paragraph that has stood before.

    Whole sections stand under several names; the held-out part would be what was trained on.
    """
    paragraphs = (paragraph.strip("\n") for paragraph in re.split(r"\n\s*\n", text))
    return "\n\n".join(paragraph for paragraph in dict.fromkeys(paragraphs) if paragraph) + "\n"
