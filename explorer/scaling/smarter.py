"""Smarter, not bigger: one budget, spent on size or on reading, on clean or noisy text."""

from collections.abc import Iterator, Mapping, Sequence

import streamlit as st

from explorer import content, link, showing
from explorer.compare.curves import Along, curves_of
from explorer.compare.naming import SHORT, verdict_line
from explorer.figures.amounts import in_flops, in_words
from explorer.figures.compared import race
from explorer.figures.picture import Picture
from explorer.figures.scaling import Group, Run, by_noise
from explorer.home import headline
from explorer.recorded import open_recorded, say_recorded
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.comparing.pairs import mean_interval
from tiny_llama.comparing.results import Comparison, Results
from tiny_llama.comparing.sizes import law_parameters, law_tokens
from tiny_llama.comparing.verdicts import Verdict
from tiny_llama.cost import six_n_d
from tiny_llama.setup import Setup

NAME = "smarter"
"""Of the recorded experiment."""
SMALL, BIG = "small-long", "big-short"
"""Its sides on clean text; others are called after one of them and their noise."""
_BUDGET = Along(
    title="Compute",
    axis="Compute of training, 6 N D (FLOP)",
    of_a_step=lambda setup: six_n_d(setup.model, setup.tokens_a_step),
)
"""As the budget is counted."""
PICTURES = {"noise": "By wrong tokens in the text", "curves": "While they train"}


def show(stage: Stage) -> None:
    """Show what each way to spend the budget came to."""
    (found,) = open_recorded(NAME)
    results = found.results
    with stage.controls:
        picture = choose_named("Picture", PICTURES, key="smarter")
        side = _choose_noise(results)
    st.markdown(verdict_line(results.plan, comparison_of(results, side)))
    showing.draw(
        _noise(results) if picture == "noise" else _curves(results, side), key="smarter_runs"
    )
    with stage.below:
        for sentence in conclusions(results):
            st.markdown(f"- {sentence}")
        st.markdown(sides_table(results))
        st.header("LLaMA's own", anchor=False)
        st.markdown(f"**{headline.headline()}.** {headline.in_words()}")
        st.caption(_AT_FULL_SIZE)
    say_recorded(stage, found)
    stage.explain(code="tiny_llama.comparing.pairs:paired_difference")


_AT_FULL_SIZE = (
    "There, compute is not the same on both sides: LLaMA-13B took a quarter of GPT-3’s by 6ND. The "
    "text was another one as well, so size, reading and text cannot be told apart; here they can."
)


def _choose_noise(results: Results) -> str:
    """Let the student corrupt the big one's text; return that side."""
    sides = {noise_of(setup): name for name, setup in setups(results, BIG).items()}
    chosen = link.widget(
        st.select_slider,
        "noise",
        "Wrong tokens in the big one's text",
        usual=min(sides),
        options=sorted(sides),
        format_func=lambda noise: f"{noise:.0%}",
    )
    return sides[chosen]


def comparison_of(results: Results, side: str) -> Comparison:
    """Give the comparison of a side with the small one that reads clean text for long."""
    return next(each for each in results.comparisons if each.first == side)


def noise_of(setup: Setup) -> float:
    """Give the share of tokens that are wrong in what a side reads."""
    return setup.training.text_noise


def setups(results: Results, kind: str) -> dict[str, Setup]:
    """Give the sides of one kind, clean and noisy."""
    return {
        name: side.setup
        for name, side in results.plan.sides.items()
        if name == kind or name.startswith(f"{kind}-noise")
    }


def _title(name: str) -> str:
    kind, _, percent = name.partition("-noise-")
    return kind.replace("-", ", ") + (f", {percent}% wrong" if percent else "")


# Pictures.


def _noise(results: Results) -> Picture:
    groups = []
    for kind in (SMALL, BIG):
        runs, means = [], []
        for name, setup in setups(results, kind).items():
            finals = results.side(name).finals
            runs += [
                Run(x=noise_of(setup), y=loss, words=f"{_title(name)}: {loss:.4f}")
                for loss in finals
            ]
            if finals:
                means.append((noise_of(setup), *mean_interval(finals)))
        if means:
            groups.append(Group(title=_title(kind), runs=runs, means=sorted(means)))
    return by_noise(groups)


def _curves(results: Results, side: str) -> Picture:
    """Draw the small one and the chosen big one along the compute that they have spent."""
    sides = [curves_of(results, name, _BUDGET) for name in (SMALL, side)]
    seen = [values.max() for each in sides for _, values in each.seeds]
    return race(
        sides,
        x=_BUDGET.axis,
        y="Held-out loss on clean text (nats a token)",
        begins=0.0,
        top=float(max(seen, default=1.0)),
    )


# Words.


_CLEAN: Mapping[Verdict, str] = {
    Verdict.WORSE: "**It holds here.** For the same compute, the small model that read more is "
    "better than the big one that read less.",
    Verdict.BETTER: "**It does not hold here.** For the same compute, the big model is better, "
    "although it read less.",
    Verdict.EQUAL: "**Here it makes no difference that matters.** For the same compute, small and "
    "long is as good as big and short.",
    Verdict.UNCLEAR: "**Too few seeds to tell here** whether small and long beats big and short.",
}


def conclusions(results: Results) -> list[str]:
    """Say in words what can be concluded, and where the headline does not hold, in Markdown."""
    said = [_CLEAN[comparison_of(results, BIG).judgement.verdict]]
    worse = [
        f"{noise_of(setup):.0%} wrong ({_short(comparison_of(results, name))})"
        for name, setup in setups(results, SMALL).items()
        if name != SMALL
    ]
    said.append(f"The small one on noisy text, beside itself on clean text: {', '.join(worse)}.")
    return [*said, *_small_against_clean(results)]


def _small_against_clean(results: Results) -> Iterator[str]:
    """Say whether the small one on noisy text is still ahead of the big one on clean text."""
    clean = results.side(BIG).mean
    for name, setup in setups(results, SMALL).items():
        mean = results.side(name).mean
        if name != SMALL and mean is not None and clean is not None:
            where = "ahead of" if mean < clean else "**behind**"
            yield (
                f"With {noise_of(setup):.0%} wrong, the small one comes to {mean:.3f}, {where} the "
                f"big one on clean text, {clean:.3f}."
            )


def _short(comparison: Comparison) -> str:
    found = comparison.judgement
    return f"{SHORT[found.verdict]}, {found.difference.mean:+.3f}".replace("-", "−")


def sides_table(results: Results) -> str:
    """List what each side was, what it took and what it came to, in Markdown."""
    table = [["", "Parameters", "Tokens", "6 N D", "Wrong", "Held-out loss", "Beside the first"]]
    for name, side in results.plan.sides.items():
        setup, finals = side.setup, results.side(name).finals
        table.append(
            [
                content.escaped(_title(name)),
                in_words(law_parameters(setup)),
                in_words(law_tokens(setup)),
                in_flops(float(f"{six_n_d(setup.model, law_tokens(setup)):.2g}")),
                f"{noise_of(setup):.0%}",
                _mean(finals),
                "–" if name == SMALL else _short(comparison_of(results, name)),
            ]
        )
    return showing.markdown_table(table, "lrrrrrr")


def _mean(finals: Sequence[float]) -> str:
    if not finals:
        return "–"
    mean, low, high = mean_interval(finals)
    return f"{mean:.3f} ± {(high - low) / 2:.3f}" if len(finals) > 1 else f"{mean:.3f}"
