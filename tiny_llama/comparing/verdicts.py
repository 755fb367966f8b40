"""Verdicts in four words, over all comparisons of an experiment together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tiny_llama.comparing.pairs import Difference
from tiny_llama.comparing.power import ALPHA, detectable


class Verdict(StrEnum):
    """What can be concluded of a comparison."""

    BETTER = "better"
    WORSE = "worse"
    EQUAL = "equal within the margin"
    UNCLEAR = "not enough seeds to tell"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A difference, and what can be concluded of it beside all the others."""

    difference: Difference
    verdict: Verdict
    p_different: float
    p_equal: float
    """Both adjusted for the number of comparisons, by Holm."""
    n_comparisons: int

    def sentence(self, measure: str = "loss") -> str:
        """Say in one sentence what was found, with its interval and how sure it is."""
        found = self.difference
        if found.n < 2:
            return f"{self.verdict}: a comparison takes two seeds, and {found.n} are done."
        return f"{self.verdict}: {_measured(found, measure)}{self._why()}."

    def _why(self) -> str:
        found = self.difference
        if self.verdict is Verdict.UNCLEAR:
            if not found.sd:
                return ""
            least = found.sd * detectable(found.n, n_comparisons=self.n_comparisons)
            return (
                f"; with {found.n} seeds that differ so much, a difference of {least:.2g} is found "
                f"in 8 of 10 cases"
            )
        among = _among(self.n_comparisons)
        if self.verdict is Verdict.EQUAL:
            return f", less than the margin of {found.margin:g}, p {_p(self.p_equal)}{among}"
        return f", p {_p(self.p_different)}{among}"


def judge(differences: Mapping[str, Difference], *, alpha: float = ALPHA) -> dict[str, Judgement]:
    """Judge comparisons together, so that the more there are, the more each has to show.

    With Holm's method (1979), the chance to call any of them better or worse where there is no
    difference is at most alpha, and so is the chance to call any equal whose difference is as large
    as its margin. What is shown to be smaller than the margin is equal, even where it is not zero:
    the margin says what matters.
    """
    different = holm([each.p_different for each in differences.values()])
    equal = holm([each.p_equal for each in differences.values()])
    return {
        name: Judgement(
            difference=difference,
            verdict=_verdict(difference, p_different, p_equal, alpha),
            p_different=p_different,
            p_equal=p_equal,
            n_comparisons=len(differences),
        )
        for (name, difference), p_different, p_equal in zip(
            differences.items(), different, equal, strict=True
        )
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number: Holm 1979, step by step from the smallest."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for n_before, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - n_before) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def _verdict(found: Difference, p_different: float, p_equal: float, alpha: float) -> Verdict:
    if p_equal < alpha:
        return Verdict.EQUAL
    if p_different < alpha:
        return Verdict.BETTER if found.is_first_better else Verdict.WORSE
    return Verdict.UNCLEAR


def _measured(found: Difference, measure: str) -> str:
    """Say how large the difference is, and in how many seeds which side diverged."""
    first, second = found.n_diverged
    diverged = (
        f"; {first} of its runs and {second} of the other's diverged, and count as they began"
    )
    return (
        f"its {measure} differs by {found.mean:+.3g} (95%: {found.low:+.3g} to "
        f"{found.high:+.3g}; {found.n} seeds{diverged if first or second else ''})"
    )


def _p(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def _among(n_comparisons: int) -> str:
    return f" by Holm over {n_comparisons} comparisons" if n_comparisons > 1 else ""
