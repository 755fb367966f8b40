"""The ladder: what each change from GPT-3 style to LLaMA brought, in two orders, and taken out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer import content, link, showing
from explorer.compare import opening
from explorer.compare.naming import SHORT, counted, measured, side_title, value_title
from explorer.figures.rungs import Change, End, Kind, Value, alone, by_order, waterfall
from explorer.recorded import open_recorded, say_recorded
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.comparing.power import ALPHA
from tiny_llama.comparing.results import Comparison, Results
from tiny_llama.comparing.verdicts import Verdict

ORDERS: Mapping[str, str] = {
    "ladder": "From GPT-3 to LLaMA",
    "ladder-backwards": "In the opposite order",
    "leave-one-out": "One thing taken out",
}
"""Recorded experiments, by what the page calls them."""
BOTH = "both"
"""The word of the link for all of them together."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One setting that was changed, and what that did."""

    setting: str
    title: str
    """What the model has with it, or without it, in words."""
    comparison: Comparison
    before: float
    """What the model without the change came to."""


def show(stage: Stage) -> None:
    """Show the recorded ladders."""
    with stage.controls:
        chosen = choose_named(
            "Order", {**ORDERS, BOTH: "Each order beside the others"}, key="rungs"
        )
        kind = "ladder" if chosen == BOTH else chosen
        st.button(
            "Run one here",
            icon=":material/play_arrow:",
            key="run_ladder",
            on_click=lambda: link.put(view="here", kind=kind, experiment=""),
        )
    found = open_recorded(*(ORDERS if chosen == BOTH else [chosen]))
    if chosen == BOTH:
        draw_orders(stage, {ORDERS[each.name]: each.results for each in found})
    else:
        draw(stage, found[0].results)
    say_recorded(stage, *found)


def draw(stage: Stage, results: Results) -> None:
    """Draw one ladder, or what taking out one thing at a time did, as far as it has come.

    Args:
        stage: where it stands.
        results: of an experiment whose comparisons each change one setting of the model.
    """
    steps = rungs_of(results)
    if not steps:
        st.info("No rung has two seeds on both sides yet.", icon=":material/info:")
        return
    st.markdown(in_a_line(results))
    changes = [_change(rung) for rung in steps]
    if is_ladder(results):
        start, end = steps[0].comparison.second, steps[-1].comparison.first
        ends = [End(title=side_title(n), value=results.side(n).mean or 0.0) for n in (start, end)]
        ends[1] = End(title="LLaMA", value=ends[1].value)
        picture = waterfall(ends[0], changes, ends[1], x=_axis(results))
    else:
        picture = alone(changes, x=f"{_axis(results)}: without it, less the whole model")
    showing.draw(picture, key="rungs_picture")
    with stage.controls:
        _offer(results, steps)
    with stage.below:
        st.header("Rung by rung", anchor=False)
        st.markdown(rungs_table(results, steps))
        st.markdown(holm_in_words(len(steps)))
        for name in results.plan.sides:
            if note := results.side(name).note:
                st.caption(f"{content.escaped(side_title(name))}: {content.escaped(note)}")


def draw_orders(stage: Stage, experiments: Mapping[str, Results]) -> None:
    """Draw what each setting brought in each of several experiments.

    Args:
        stage: where it stands.
        experiments: by what the page calls them.
    """
    values = {name: gains(results) for name, results in experiments.items()}
    common = [s for s in next(iter(values.values())) if all(s in each for each in values.values())]
    if not common:
        st.info("The experiments have no rung in common yet.", icon=":material/info:")
        return
    st.markdown(order_in_words(values, common))
    picture = by_order(
        {name: [found[setting] for setting in common] for name, found in values.items()},
        x=f"{_axis(next(iter(experiments.values())))} that LLaMA's choice saves",
    )
    showing.draw(picture, key="rungs_orders")
    with stage.below:
        st.header("The same component in each order", anchor=False)
        st.markdown(orders_table(values, common))


def is_ladder(results: Results) -> bool:
    """Tell whether each side is compared with the one below, and not all with the same one."""
    return len({comparison.second for comparison in results.comparisons}) > 1


def rungs_of(results: Results) -> list[Rung]:
    """List the changes of which something is known, in their order."""
    return [
        _rung(results, comparison)
        for comparison in results.comparisons
        if comparison.judgement.difference.n > 1
    ]


def _rung(results: Results, comparison: Comparison) -> Rung:
    """Find out which setting a comparison changes: its name ends in it."""
    setting = comparison.first.partition("-")[2]
    sides = results.plan.sides
    if is_ladder(results):
        title = value_title(setting, sides[comparison.first].setup.setting(setting))
        before = results.side(comparison.second).mean or 0.0
    else:
        taken = value_title(setting, sides[comparison.second].setup.setting(setting))
        put = value_title(setting, sides[comparison.first].setup.setting(setting))
        title, before = f"{put} for {taken}", 0.0
    return Rung(setting=setting, title=title, comparison=comparison, before=before)


def _change(rung: Rung) -> Change:
    judgement = rung.comparison.judgement
    return Change(
        title=rung.title,
        before=rung.before,
        by=judgement.difference.mean,
        low=judgement.difference.low,
        high=judgement.difference.high,
        verdict=str(judgement.verdict),
        short=SHORT[judgement.verdict],
        kind=_KINDS.get(judgement.verdict, "moved"),
    )


_KINDS: Mapping[Verdict, Kind] = {Verdict.EQUAL: "equal", Verdict.UNCLEAR: "unclear"}


def gains(results: Results) -> dict[str, Value]:
    """Say how much LLaMA's choice of each setting saves, by the setting; below zero: it costs."""
    sign = -1.0 if is_ladder(results) else 1.0
    found = {}
    for rung in rungs_of(results):
        difference = rung.comparison.judgement.difference
        low, high = sorted((sign * difference.low, sign * difference.high))
        found[rung.setting] = Value(
            title=_llamas(results, rung),
            value=sign * difference.mean,
            low=low,
            high=high,
            verdict=SHORT[llamas_verdict(results, rung)],
        )
    return found


def llamas_verdict(results: Results, rung: Rung) -> Verdict:
    """Say what LLaMA's choice was found to be: better, where the model without it is worse."""
    verdict = rung.comparison.judgement.verdict
    turned = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    return verdict if is_ladder(results) else turned.get(verdict, verdict)


def _llamas(results: Results, rung: Rung) -> str:
    """Name what LLaMA has in a place."""
    name = rung.comparison.first if is_ladder(results) else rung.comparison.second
    return value_title(rung.setting, results.plan.sides[name].setup.setting(rung.setting))


def _axis(results: Results) -> str:
    words = measured(results.plan)
    return f"{words[0].upper()}{words[1:]} (nats a token)"


def in_a_line(results: Results) -> str:
    """Count the verdicts of an experiment, in Markdown."""
    verdicts = [rung.comparison.judgement.verdict for rung in rungs_of(results)]
    what = "rungs" if is_ladder(results) else "changes"
    return f"Of {len(verdicts)} {what}: {counted(verdicts)}."


def holm_in_words(n: int) -> str:
    """Say what it means that several verdicts are given together, in Markdown."""
    return (
        f"**{n} verdicts at once.** Whoever asks {n} questions finds something by chance more "
        f"easily than who asks one. So the smallest p-value is multiplied by {n}, the next by "
        f"{n - 1}, and so on (Holm 1979). Then even one false alarm among all {n} has a chance of "
        f"{ALPHA:.0%} at most."
    )


def rungs_table(results: Results, steps: Sequence[Rung]) -> str:
    """Give a row for each rung, in Markdown."""
    heads = ["What was changed", "By", "95% interval", "Verdict", "p, by Holm", "Worth"]
    return showing.markdown_table([heads, *map(_row, steps)], "lrrlrl")


def _row(rung: Rung) -> list[str]:
    judgement = rung.comparison.judgement
    found, worth = judgement.difference, rung.comparison.worth
    has_worth = worth is not None and judgement.verdict in (Verdict.BETTER, Verdict.WORSE)
    p = judgement.p_equal if judgement.verdict is Verdict.EQUAL else judgement.p_different
    return [
        content.escaped(rung.title),
        f"{found.mean:+.4f}",
        f"{found.low:+.4f} to {found.high:+.4f}",
        str(judgement.verdict),
        f"{p:.3f}" if p >= 0.001 else "below 0.001",
        f"{worth.share:.0%} more steps" if worth and has_worth else "–",
    ]


def order_in_words(values: Mapping[str, Mapping[str, Value]], common: Sequence[str]) -> str:
    """Name the setting whose value depends most on the order, with its values, in Markdown."""

    def spread(setting: str) -> float:
        found = [each[setting].value for each in values.values()]
        return max(found) - min(found)

    most = max(common, key=spread)
    found = [each[most] for each in values.values()]
    said = ", ".join(f"{value.value:+.3f}" for value in found)
    is_apart = max(value.low for value in found) > min(value.high for value in found)
    return (
        f"**{content.escaped(found[0].title)}** differs most by its place: it saves {said}. The "
        f"intervals {'do not overlap' if is_apart else 'overlap, so this may be chance'}."
    )


def orders_table(values: Mapping[str, Mapping[str, Value]], common: Sequence[str]) -> str:
    """Give what each setting saved in each experiment, in Markdown."""
    first = next(iter(values.values()))
    rows = [
        [content.escaped(first[setting].title), *(_cell(each[setting]) for each in values.values())]
        for setting in common
    ]
    return showing.markdown_table([["LLaMA's choice", *values], *rows], "l" + "r" * len(values))


def _cell(value: Value) -> str:
    return f"{value.value:+.4f} ({value.low:+.4f} to {value.high:+.4f}), {value.verdict}"


def _offer(results: Results, steps: Sequence[Rung]) -> None:
    with st.popover("Open a rung", icon=":material/open_in_new:", width="stretch"):
        for rung in steps:
            setup = opening.side_setup(results, rung.comparison.first)
            opening.offer_training(setup, f"Train: {rung.title}")
