"""Letters or pieces of words: how much either teaches a default model in the same time.

    python benchmarks/letters_or_pieces.py [--pieces 320,384,448,512] [--seconds 60] [--seeds 0,1]

Everybody learns from the tales by the default setup, but for the tokenizer, with as many steps as
fit into the time, since the schedule ends with the last one. Whoever has had the least processor
time takes the next step, so a disturbance meets all alike; on one thread that time is a clock's on
an idle core. Looks and samples are not counted. Bits per byte compare between tokenizers, losses
per token do not.
"""

import argparse
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch

from tiny_llama.corpora.tales import Tales, is_name
from tiny_llama.data import TokenizedText
from tiny_llama.generation import generate
from tiny_llama.model import TinyLlama
from tiny_llama.sample_config import SampleConfig
from tiny_llama.setup import Setup
from tiny_llama.tokenizers import train_tokenizer
from tiny_llama.training import HeldOut, Trainer

BEGUN, TALES = Setup(), Tales()
HELD_OUT_LETTERS = 30_000
"""As many as each look reads, whatever a token is."""
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the time, after which everybody is judged."""
SAMPLE_LETTERS = 300
FEWEST_WORDS = 5
"""Of a sentence that says anything."""


@dataclass(kw_only=True)
class Learner:
    """A default model that cuts the tales in its own way."""

    name: str
    corpus: TokenizedText
    seconds: float
    """Of processor time that it is given."""
    seed: int
    spent: float = 0.0
    first_sentence: str = ""
    first_sentence_at: float = 0.0
    judged: dict[float, HeldOut] = field(default_factory=dict)
    """By the share of its time."""

    def __post_init__(self) -> None:
        self.letters_a_token = len(TALES.text()) / len(self.corpus.tokens)
        self.trainer = self._trainer(steps=100)
        next(self.trainer)
        self.steps = max(1, round(self.seconds / self._seconds_a_step()))
        self.trainer = self._trainer(self.steps)
        next(self.trainer)

    @property
    def is_done(self) -> bool:
        """Whether it has done all of its steps."""
        return self.trainer.is_done

    def step(self) -> None:
        """Do the next step, and look at what it has learned where that is due."""
        self.spent += _timed(lambda: next(self.trainer))
        done = self.trainer.next_step - 1
        if not self.first_sentence and done % max(1, self.steps // 100) == 0:
            self._look_for_a_sentence()
        for share in SHARES:
            if share not in self.judged and done >= share * self.steps:
                self.judged[share] = self.trainer.evaluate()

    def _trainer(self, steps: int) -> Trainer:
        config = replace(
            BEGUN.training,
            steps=steps,
            seed=self.seed,
            evaluate_every=0,
            sample_every=0,
            sample_tokens=1,
            n_snapshots=0,
            evaluate_texts=round(HELD_OUT_LETTERS / self.letters_a_token / BEGUN.model.context),
        )
        sized = replace(BEGUN.model, vocab_size=self.corpus.tokenizer.vocab_size)
        return Trainer(TinyLlama(sized, seed=self.seed), self.corpus, config)

    def _seconds_a_step(self, rounds: int = 5, steps: int = 10) -> float:
        """Measure the quickest of some rounds, after one that does not count."""

        def some_steps() -> None:
            for _ in range(steps):
                next(self.trainer)

        some_steps()
        return min(_timed(some_steps) for _ in range(rounds)) / steps

    def _look_for_a_sentence(self) -> None:
        model, tokenizer = self.trainer.model.eval(), self.corpus.tokenizer
        prompt = tokenizer.encode(self.corpus.prompt)
        n_tokens = round(SAMPLE_LETTERS / self.letters_a_token)
        said = generate(model, prompt, SampleConfig(n_tokens=n_tokens, seed=self.seed))
        text = tokenizer.decode([*prompt, *(each.token for each in said)])
        self.first_sentence = readable_sentence(text)
        self.first_sentence_at = self.spent


def readable_sentence(text: str) -> str:
    """Find the first whole sentence of some words, each of which the tales have; else empty.

    An invented name counts where it is made of the tales' syllables.
    """
    for sentence in re.findall(r"[A-Z][A-Za-z, ]+[.!?]", text):
        words = re.findall(r"[A-Za-z]+", sentence)
        if len(words) >= FEWEST_WORDS and all(
            is_name(word) or word.lower() in _known() for word in words
        ):
            return str(sentence)
    return ""


_WORDS: set[str] = set()


def _known() -> set[str]:
    """Give every word of the tales, in small letters."""
    if not _WORDS:
        found = re.findall(r"[A-Za-z]+", TALES.text())
        _WORDS.update(word.lower() for word in found if not is_name(word))
    return _WORDS


def _timed(do: Callable[[], object]) -> float:
    """Measure the processor time of something on this thread."""
    began = time.thread_time()
    do()
    return time.thread_time() - began


def learn(learners: Sequence[Learner]) -> None:
    """Let everybody take all steps, always the one that has had the least time."""
    while left := [learner for learner in learners if not learner.is_done]:
        min(left, key=lambda learner: learner.spent).step()


def table(learners: Sequence[Learner]) -> str:
    """Write what they reached as Markdown."""
    marks = [f"{share * learners[0].seconds:.0f} s" for share in SHARES]
    lines = [
        f"{os.cpu_count()} cores; PyTorch {torch.__version__} with "
        f"{torch.backends.cpu.get_cpu_capability()}",
        "",
        f"| tokens | seed | parameters | letters a token | steps | bits per byte after "
        f"{' | '.join(marks)} | first readable sentence | after |",
        f"| --- | ---: | ---: | ---: | ---: | {'---: | ' * len(marks)}--- | ---: |",
    ]
    for each in learners:
        bits = " | ".join(f"{each.judged[share].bits_per_byte:.3f}" for share in SHARES)
        lines.append(
            f"| {each.name} | {each.seed} | {each.trainer.model.n_parameters():,} | "
            f"{each.letters_a_token:.2f} | {each.steps:,} | {bits} | "
            f"{each.first_sentence or 'none'} | {each.first_sentence_at:.1f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    """Let everybody learn, and print a row each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pieces", default="320,384,448,512", help="vocabularies, with commas")
    parser.add_argument("--seconds", type=float, default=60, help="of processor time for each")
    parser.add_argument("--seeds", default="0", help="several with commas")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    text = TALES.text()
    tokenizers = {"letters": train_tokenizer("characters", text)}
    for size in map(int, chosen.pieces.split(",")):
        tokenizers[f"{size} pieces"] = train_tokenizer("sentencepiece", text, size)
    cut = {name: TokenizedText("tales", text, each) for name, each in tokenizers.items()}
    learners = [
        Learner(name=name, corpus=corpus, seconds=chosen.seconds, seed=seed)
        for seed in map(int, chosen.seeds.split(","))
        for name, corpus in cut.items()
    ]
    learn(learners)
    print(table(learners))


if __name__ == "__main__":
    main()
