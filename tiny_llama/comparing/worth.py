"""What a difference is worth: how many more steps the other side takes for as low a loss."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What the better of two sides saves."""

    is_first_better: bool
    step: int
    """By this step, the better side was where the other ended."""
    n_steps: int
    """Steps that the other took."""

    @property
    def share(self) -> float:
        """How many more steps the other took, as a share of the better side's."""
        return self.n_steps / self.step - 1

    @property
    def sentence(self) -> str:
        """The same in a sentence.

        It is a lower bound: by that step the better side's learning rate had not yet fallen, which
        is what lowers a loss most, while the other's had.
        """
        who, other = ("it", "the other") if self.is_first_better else ("the other", "it")
        if self.step == self.n_steps:
            return f"Worth less than one look at the held-out text: {who} got there at the end."
        return (
            f"Worth at least {self.share:.0%} more steps: {who} was at step {self.step:,} where "
            f"{other} ended after {self.n_steps:,}."
        )


def worth_in_steps(
    steps: Sequence[int], first: np.ndarray, second: np.ndarray, *, lower_is_better: bool = True
) -> Worth | None:
    """Find out by which step the better side was for good where the other one ended.

    Args:
        steps: at which both sides were looked at, in order.
        first: what the looks found, `s n`, a row a seed.
        second: likewise; of each, the mean over the seeds counts.
        lower_is_better: whether the smaller number is the better one, as with a loss.

    Returns:
        The step, linear between two looks; None where both ended alike, or nothing was seen twice.
    """
    sign = 1.0 if lower_is_better else -1.0
    one, other = sign * np.mean(first, axis=0), sign * np.mean(second, axis=0)
    if len(steps) < 2 or one[-1] == other[-1]:
        return None
    is_first_better = bool(one[-1] < other[-1])
    better, goal = (one, other[-1]) if is_first_better else (other, one[-1])
    step = _last_crossing(np.asarray(steps, dtype=float), better, goal)
    return Worth(is_first_better=is_first_better, step=max(1, round(step)), n_steps=steps[-1])


def _last_crossing(steps: np.ndarray, curve: np.ndarray, goal: float) -> float:
    """Find where a curve that ends below the goal goes below it for the last time."""
    above = np.flatnonzero(curve > goal)
    if not len(above):
        return float(steps[0])
    before = int(above[-1])
    share = (curve[before] - goal) / (curve[before] - curve[before + 1])
    return float(steps[before] + share * (steps[before + 1] - steps[before]))
