"""TrainConfig: everything that decides how a model is trained."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import cos, pi

from tiny_llama.errors import ConfigError
from tiny_llama.fields import field_problems
from tiny_llama.menu import TRAINING_CHOICES


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides how a model is trained, in plain values.

    Raises:
        ConfigError: lists every problem at once, each with its value and the rule.
    """

    steps: int = 1000
    batch_size: int = 8
    """Texts a step, each of the model's context in tokens."""
    seed: int = 0
    """Draws the starting weights and dropout."""
    data_seed: int | None = None
    """Draws the texts of each step; None: the seed does that, too. Two runs with one of it read
    the very same batches, whatever their models and their seeds are."""
    optimizer: str = "adamw"
    learning_rate: float = 6e-3
    warmup_steps: int = 50
    schedule: str = "cosine"
    weight_decay: float = 0.1
    """On matrices only; vectors (norms, biases) are left alone."""
    beta1: float = 0.9
    """How long AdamW remembers gradients; SGD's and Muon's momentum too."""
    beta2: float = 0.95
    """How long AdamW remembers squared gradients."""
    gradient_clip: float = 1.0
    """Longest gradient that is taken as it is, by its norm over all parameters; 0: no limit."""
    label_smoothing: float = 0.0
    text_noise: float = 0.0
    """Share of the training text's tokens that are replaced by others of the text, once for all and
    drawn by the seed of the data; held-out text stays clean."""
    evaluate_every: int = 50
    """Steps between looks at the held-out text; 0: only before and after. Likewise below."""
    evaluate_texts: int = 32
    """Held-out texts of the model's context in each look."""
    sample_every: int = 100
    sample_tokens: int = 100
    n_snapshots: int = 8
    """Copies of the weights to keep along the way, the first and last included; see below."""

    @property
    def seed_of_data(self) -> int:
        """What draws the texts of each step."""
        return self.seed if self.data_seed is None else self.data_seed

    @property
    def final_learning_rate(self) -> float:
        """Where the schedule ends: a tenth of the peak, except for the constant one."""
        return self.learning_rate * (1.0 if self.schedule == "constant" else 0.1)

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of step `step`, counted from 1: warm-up, then decay."""
        if step < self.warmup_steps:
            return self.learning_rate * step / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        progress = min(1.0, progress)
        height = {
            "cosine": (1 + cos(pi * progress)) / 2,
            "linear": 1 - progress,
            "constant": 1.0,
        }[self.schedule]
        low = self.final_learning_rate
        return low + height * (self.learning_rate - low)

    def evaluates_at(self, step: int) -> bool:
        """Tell whether the held-out loss is due after this step."""
        return _is_due(step, self.evaluate_every, self.steps)

    def samples_at(self, step: int) -> bool:
        """Tell whether a sample text is due after this step."""
        return _is_due(step, self.sample_every, self.steps)

    def snapshots_at(self, step: int) -> bool:
        """Tell whether a snapshot of the weights is due after this step."""
        return step in self.snapshot_steps

    @cached_property
    def snapshot_steps(self) -> frozenset[int]:
        """The steps after which snapshots are due; they grow with the cube of their number.

        A model changes fastest at first, so that is where most of them lie.
        """
        last = max(1, self.n_snapshots - 1)
        return frozenset(round(self.steps * (i / last) ** 3) for i in range(self.n_snapshots))

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ConfigError("This run cannot start: " + "; ".join(problems) + ".")

    def _problems(self) -> Iterator[str]:
        yield from field_problems(self, bounds=BOUNDS, choices=TRAINING_CHOICES)


BOUNDS = {
    "steps": (1, 10_000_000),
    "batch_size": (1, 100_000),
    "seed": (0, 2**32 - 1),
    "data_seed": (0, 2**32 - 1),
    "learning_rate": (0, 1000),
    "warmup_steps": (0, 10_000_000),
    "weight_decay": (0, 100),
    "beta1": (0, 0.99999),
    "beta2": (0, 0.99999),
    "gradient_clip": (0, 1e9),
    "label_smoothing": (0, 0.99),
    "text_noise": (0, 1),
    "evaluate_every": (0, 10_000_000),
    "evaluate_texts": (1, 10_000),
    "sample_every": (0, 10_000_000),
    "sample_tokens": (1, 10_000),
    "n_snapshots": (0, 10_000),
}


def _is_due(step: int, every: int, last: int) -> bool:
    return step in (0, last) or (every > 0 and step % every == 0)
