"""Subject: a model that is looked at, as it was at one step; nothing trains it meanwhile."""

from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path

import torch
from torch import Tensor

from tiny_llama.checkpoint import load_model, load_snapshot
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.data import TokenizedCorpus
from tiny_llama.errors import TextError
from tiny_llama.model import TinyLlama
from tiny_llama.setup import Setup, snapshot_steps
from tiny_llama.tokenizers import Tokenizer

MOST_IN_A_PATTERN, MOST_LOGITS = 4_000_000, 2_000_000
"""Numbers of one layer's attention, and of all logits; some copies of each are made."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model in evaluation mode with all that it takes to understand it."""

    model: TinyLlama
    tokenizer: Tokenizer
    setup: Setup
    step: int
    """After how many steps of training; 0: untrained."""
    folder: Path
    """Its run folder, where snapshots of earlier steps may be."""
    note: str = ""
    """What of it was damaged, and what was taken instead, in sentences; empty: nothing was."""
    tokens: TokenizedCorpus | None = None
    """The text that it learned from as its tokenizer cuts it, where somebody has that already."""

    @classmethod
    def load(cls, folder: Path) -> "Subject":
        """Take what a run folder holds last.

        Raises:
            UserError: if something is missing, damaged or does not fit together.
        """
        found = load_model(folder)
        return cls(
            model=found.model.eval(),
            tokenizer=found.tokenizer,
            setup=found.setup,
            step=max(0, found.next_step - 1),
            folder=folder,
            note=found.note,
        )

    @property
    def snapshot_steps(self) -> list[int]:
        """The steps at which it can be looked at again, in order."""
        return snapshot_steps(self.folder)

    def at(self, step: int) -> "Subject":
        """Give the same model as a snapshot has it, in half precision.

        Raises:
            CheckpointError: if there is no whole snapshot of that step.
        """
        model = load_snapshot(self.folder, step).eval()
        return replace(self, model=model, step=step)

    @property
    def most_tokens(self) -> int:
        """How much of a text is read: the model's context, or less of a model whose patterns or
        logits of that many tokens would take more memory than a look is worth.
        """
        config = self.model.config
        by_heads = isqrt(MOST_IN_A_PATTERN // config.n_heads)
        return max(2, min(config.context, by_heads, MOST_LOGITS // config.vocab_size))

    def read(self, text: str, *, fewest: int = 1, most: int | None = None) -> Tensor:
        """Turn a text into ids, `t`: no more than the model was trained to read at once.

        Args:
            text: any text; characters that the tokenizer does not know become its unknown token.
            fewest: how many tokens are needed.
            most: how many to keep; None: `most_tokens`.

        Raises:
            TextError: if there are too few tokens.
        """
        ids = self.read_all(text, fewest=fewest)
        return ids[: self.most_tokens if most is None else most]

    def read_all(self, text: str, *, fewest: int = 1) -> Tensor:
        """Turn a text into ids, `t`, also what is more than the model reads at once.

        Raises:
            TextError: if there are too few tokens.
        """
        return _enough(torch.from_numpy(self.tokenizer.encode(text)), fewest)

    def read_prompt(self, text: str) -> Tensor:
        """Turn a text that is to be gone on from into ids, `t`; see `Tokenizer.encode_prompt`.

        Raises:
            TextError: if it has no token.
        """
        return _enough(torch.from_numpy(self.tokenizer.encode_prompt(text)), 1)

    def counts(self, text: str, ids: Tensor) -> Tensor:
        """Mark the tokens that count when the model is judged, `t`: in a task, those of answers."""
        corpus = CORPORA.get(self.setup.corpus)
        if not isinstance(corpus, Task):
            return torch.ones(len(ids), dtype=torch.bool)
        return torch.tensor(corpus.answers(text)[: len(ids)], dtype=torch.bool)  # a token a letter

    def labels(self, ids: Tensor) -> list[str]:
        """Say what each token reads as."""
        return [self.tokenizer.token_text(int(token)) for token in ids]


def _enough(ids: Tensor, fewest: int) -> Tensor:
    """Give ids on, `t`; raises TextError if there are too few."""
    if len(ids) < fewest:
        raise TextError(
            f"The text has {len(ids)} token{'s' * (len(ids) != 1)}; at least {fewest} "
            f"{'is' if fewest == 1 else 'are'} needed: write a longer one."
        )
    return ids
