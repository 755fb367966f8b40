"""What sides, settings and verdicts are called on the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from explorer import content
from explorer.settings import label_in_line, value_in_words
from tiny_llama.comparing.ladder import WHOLE
from tiny_llama.comparing.plan import MEASURES, Plan
from tiny_llama.comparing.results import Comparison
from tiny_llama.comparing.verdicts import Verdict
from tiny_llama.menu import MENU
from tiny_llama.setup import MODEL_FIELDS

_SIDES: Mapping[str, str] = {
    "llama": "LLaMA",
    "whole": "LLaMA",
    "gpt3": "GPT-3 style",
    "start": "GPT-3 style",
}
"""Sides of the experiments in `experiments/`; another one's name is its title."""
_VALUES: Mapping[tuple[str, Any], str] = {
    ("bias", "none"): "no biases",
    ("bias", "all"): "biases",
    ("tied_unembedding", True): "tied unembedding",
    ("tied_unembedding", False): "untied unembedding",
    ("attention", "causal"): "full attention",
    ("attention", "alternating"): "alternating attention",
    ("position", "learned"): "learned positions",
}
SHORT: Mapping[Verdict, str] = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.EQUAL: "equal",
    Verdict.UNCLEAR: "cannot tell",
}
"""Verdicts beside a bar, where there is little room."""


def side_title(name: str) -> str:
    """Say what a side is called."""
    return _SIDES.get(name, name.replace("-", " ").replace("_", ", "))


def title_in(plan: Plan, name: str) -> str:
    """Say what a side of an experiment is called: of a ladder, by what it has or lacks."""
    place, _, setting = name.partition("-")
    if setting not in MODEL_FIELDS:
        return side_title(name)
    if place == "without" and WHOLE in plan.sides:
        return f"without {value_title(setting, plan.sides[WHOLE].setup.setting(setting))}"
    return f"{place} {value_title(setting, plan.sides[name].setup.setting(setting))}"


def value_title(setting: str, value: Any) -> str:
    """Say what a model with such a setting has, as "RoPE" or "no biases"."""
    if (setting, value) in _VALUES:
        return _VALUES[setting, value]
    if setting in MENU:
        return MENU[setting][value].short_title
    return f"{label_in_line(setting)} {value_in_words(setting, value)}"


def measured(plan: Plan) -> str:
    """Say by what sides are judged."""
    return MEASURES[plan.measure][0]


def counted(verdicts: Sequence[Verdict]) -> str:
    """Count verdicts, in Markdown."""
    counts = {verdict: verdicts.count(verdict) for verdict in Verdict}
    said = [f"**{n}** {v}" for v, n in counts.items() if n and v is not Verdict.UNCLEAR]
    if n := counts[Verdict.UNCLEAR]:
        said.append(f"for **{n}** {Verdict.UNCLEAR}")
    return ", ".join(said) or "none is known yet"


def verdict_line(plan: Plan, comparison: Comparison) -> str:
    """Say in a line what can be concluded of two sides, and how large the difference is."""
    first, second = (
        content.escaped(side_title(name)) for name in (comparison.first, comparison.second)
    )
    judgement = comparison.judgement
    words = {
        Verdict.BETTER: f"**{first} is better** than {second}",
        Verdict.WORSE: f"**{first} is worse** than {second}",
        Verdict.EQUAL: f"**{first} and {second} are equal** within {plan.margin or 0:g}",
        Verdict.UNCLEAR: f"**Not enough seeds to tell** {first} from {second}",
    }[judgement.verdict]
    found = judgement.difference
    if found.n < 2:
        return f"{words}: a comparison takes two seeds, and {found.n} are done."
    said = (
        f"{words}: {measured(plan)} differs by {found.mean:+.3f} (95%: {found.low:+.3f} to "
        f"{found.high:+.3f}; {found.n} seeds)."
    )
    if comparison.worth and judgement.verdict in (Verdict.BETTER, Verdict.WORSE):
        share = comparison.worth.share
        said += f" Worth at least **{share:.0%} more steps**." if share >= 0.01 else ""
    return said
