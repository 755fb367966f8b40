"""What a model can learn from: texts and tasks, in one table; readable without PyTorch."""

from tiny_llama.corpora.base import Corpus, Example, Task, TextCorpus
from tiny_llama.corpora.own_text import own_text, read_text_file
from tiny_llama.corpora.python_manual import PythonManual
from tiny_llama.corpora.tales import Tales
from tiny_llama.corpora.tasks import TASKS
from tiny_llama.corpora.tiny_shakespeare import TinyShakespeare

CORPORA: dict[str, Corpus] = {
    corpus.name: corpus for corpus in (Tales(), PythonManual(), TinyShakespeare(), *TASKS)
}

__all__ = ["CORPORA", "Corpus", "Example", "Task", "TextCorpus", "own_text", "read_text_file"]
