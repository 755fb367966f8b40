"""Your own law: tiny models of several sizes and lengths, the law fitted to them, the parabola."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from explorer import content, showing
from explorer.figures.amounts import in_flops, in_words
from explorer.figures.picture import Picture
from explorer.figures.scaling import Budget, Line, Run, by_group, isoflop_curves
from explorer.scaling import pool, sweeping
from explorer.scaling.runs import (
    FEW_RESAMPLES,
    LEVEL,
    N_RESAMPLES,
    NAME,
    LawRun,
    by_budget,
    fitted,
    is_complete,
    is_open,
    open_runs,
    plan,
    points,
    sealed_runs,
    the_sweep,
)
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.comparing.isoflop import IsoFlop, Valley, budgets, fit_parabolas
from tiny_llama.comparing.law import Law, LawFit, Points, points_of
from tiny_llama.comparing.optimum import PUBLISHED
from tiny_llama.comparing.points_file import Point
from tiny_llama.cost import FLOPS_A_TRAINED_TOKEN, multiplying_parameters
from tiny_llama.errors import UserError

SHOWN = {
    "isoflop": "Curves of equal compute",
    "best": "The best size by compute",
    "residuals": "What the law leaves over",
    "readings": "The same text again",
}
MUCH = 1.5
"""How many times what seeds differ by is more than chance; runs and constants are few."""
NUMBERS: Mapping[str, str] = {
    "e": "E, the floor",
    "a": "A, of size",
    "b": "B, of data",
    "alpha": "α, of size",
    "beta": "β, of data",
    "size_exponent": "best size grows as C to the power",
}


def show(stage: Stage) -> None:
    """Show the runs with their law, and what it says."""
    try:
        usual = next(iter(plan().sides.values())).setup
        with stage.controls:
            shown = choose_named("Show", SHOWN, key="shown")
            added = pool.choose(usual)
            sweeping.choose()
        runs = open_runs()
        every = [*points(runs), *added]
    except UserError as error:
        showing.stop(str(error))
    try:
        fit = fitted(every, n_resamples=FEW_RESAMPLES if added else N_RESAMPLES)
    except UserError as error:
        if the_sweep() is None:
            showing.stop(str(error))
        _show_so_far(runs, str(error) if is_complete() else "")
        sweeping.say_which(stage)
        return
    parabolas = _parabolas(fit.points)
    showing.in_one_line(numbers(fit, parabolas))
    showing.draw(_PICTURES[shown](runs, added, fit, parabolas), key="own_law")
    with stage.below:
        _say_sealed()
        st.markdown(constants_table(fit))
        st.markdown(about_parabolas(fit, parabolas))
        st.markdown(about_the_rest(runs, fit))
        st.markdown(how_trained(runs))
        pool.offer(every)
    sweeping.say_which(stage)
    stage.explain(code="tiny_llama.comparing.law:fit_law")


def _show_so_far(runs: Sequence[LawRun], why: str) -> None:
    """Draw runs that are too few for a law, as yet or, as the sentence says why, at the end."""
    so_far = f"A law takes more runs of more sizes; of {len(runs)} the loss is known so far."
    st.markdown(content.escaped(why) or so_far)
    if not runs:
        return
    groups = by_budget(runs)
    said = "; ".join(f"{name}: {len(group)} runs" for name, group in groups.items())
    picture = by_group(
        groups,
        x="Parameters (N)",
        y="Held-out loss (nats a token)",
        alt=f"Held-out loss against parameters, by compute. {said}.",
    )
    showing.draw(picture, key="own_law")


def numbers(fit: LawFit, parabolas: IsoFlop | None) -> dict[str, str]:
    """Say what the fit found, in short."""
    low, high = fit.interval("size_exponent", level=LEVEL)
    found = {
        "Runs": f"{len(fit.points)}",
        "best size grows as compute to the": f"{fit.law.size_exponent:.2f}",
        f"{LEVEL:.0%} interval": f"{low:.2f} to {high:.2f}",
    }
    if parabolas is not None:
        found["by parabolas"] = f"{parabolas.size_exponent:.2f}"
    return found | {"left over (sd)": f"{fit.residuals.std():.3f} nats"}


def _parabolas(found: Points) -> IsoFlop | None:
    try:
        return fit_parabolas(found)
    except UserError:
        return None


def _say_sealed() -> None:
    """Say that some runs are not shown, and why."""
    if not is_open():
        st.caption(
            f":material/lock: The {len(sealed_runs())} runs of the largest model are sealed and in "
            f"no number here, until you have foretold one in “Predict before you look”."
        )


# Pictures.


def _isoflop(
    runs: Sequence[LawRun], added: Sequence[Point], fit: LawFit, parabolas: IsoFlop | None
) -> Picture:
    words = {(r.point.parameters, r.point.tokens, r.point.loss): r.words for r in runs}
    valleys = {_rounded(v.flops): v for v in parabolas.valleys} if parabolas else {}
    found = []
    for each in budgets(_as_points(points(runs))):
        rows = zip(
            each.parameters.tolist(), each.tokens.tolist(), each.losses.tolist(), strict=True
        )
        shown = [Run(x=n, y=loss, words=words[n, d, loss]) for n, d, loss in rows]
        found.append(_budget(shown, each, fit.law, valleys.get(_rounded(each.mean_flops))))
    return isoflop_curves(
        found,
        added=[
            Run(x=p.parameters, y=p.loss, words=f"{p.tokens:,.0f} tokens: loss {p.loss:.4f}")
            for p in added
        ],
    )


def _rounded(flops: float) -> float:
    """Give a budget by which two means of the same runs are known for the same."""
    return float(f"{flops:.3g}")


def _budget(runs: Sequence[Run], at_budget: Points, law: Law, valley: Valley | None) -> Budget:
    """Draw the law, and the parabola where there is one, over the sizes of a budget."""
    flops = at_budget.mean_flops
    low, high = at_budget.parameters.min() / 1.15, at_budget.parameters.max() * 1.15
    sizes = np.geomspace(low, high, 60)
    best = law.best_size(flops)
    product = flops / FLOPS_A_TRAINED_TOKEN  # of parameters and tokens
    at_law = law.loss(sizes, product / sizes)
    budget = Budget(
        title=in_flops(float(f"{flops:.1g}")),
        runs=runs,
        law=Line(title="the law", x=sizes.tolist(), y=at_law.tolist()),
        best=(best, float(law.loss(best, product / best))) if low <= best <= high else None,
    )
    if valley is None:
        return budget
    heights = np.polyval(valley.curve, np.log(sizes))
    is_inside = low <= valley.best_size <= high
    return replace(
        budget,
        parabola=Line(title="parabola", x=sizes.tolist(), y=heights.tolist()),
        lowest=(valley.best_size, valley.lowest_loss) if is_inside else None,
    )


def _best(
    runs: Sequence[LawRun], added: Sequence[Point], fit: LawFit, parabolas: IsoFlop | None
) -> Picture:
    flops = [each.mean_flops for each in budgets(_as_points(points(runs)))]
    groups = {"the law": [_best_run(c, fit.law.best_size(c)) for c in flops]}
    if parabolas is not None:
        groups["parabolas"] = [_best_run(v.flops, v.best_size) for v in parabolas.valleys]
    if (noiseless := without_noise(fit)) is not None:
        groups["parabolas through the law itself, without noise"] = [
            _best_run(v.flops, v.best_size) for v in noiseless.valleys
        ]
    ends = [min(flops) / 2, max(flops) * 2]
    line = Line(title="the law's line", x=ends, y=[fit.law.best_size(c) for c in ends])
    said = "; ".join(
        f"{name}: {', '.join(in_words(run.y) for run in group)}" for name, group in groups.items()
    )
    return by_group(
        groups,
        x="Compute of training, 6 N D (FLOP)",
        y="Best size (N)",
        alt=f"The best size at each budget of compute, from small to large. {said}.",
        line=line,
        is_log=True,
    )


def _best_run(flops: float, size: float) -> Run:
    return Run(x=flops, y=size, words=f"{in_flops(flops)}: {in_words(size)} parameters")


def without_noise(fit: LawFit) -> IsoFlop | None:
    """Fit parabolas to what the law itself says of the same runs: any difference is their own."""
    known = fit.points
    said = fit.law.loss(known.parameters, known.tokens)
    return _parabolas(Points(parameters=known.parameters, tokens=known.tokens, losses=said))


def _residuals(
    runs: Sequence[LawRun], added: Sequence[Point], fit: LawFit, parabolas: IsoFlop | None
) -> Picture:
    groups = _by_size(runs, fit.law, lambda run: run.point.tokens)
    if added:
        groups["added"] = [
            Run(x=p.tokens, y=_left_over(fit.law, p), words=f"loss {p.loss:.4f}") for p in added
        ]
    return by_group(
        groups,
        x="Training tokens (D)",
        y="Loss less what the law says, nats",
        alt=f"What the law leaves over of {len(runs)} runs, against training tokens. "
        f"{_sizes_of_rest(groups)}.",
        level=0.0,
    )


def _readings(
    runs: Sequence[LawRun], added: Sequence[Point], fit: LawFit, parabolas: IsoFlop | None
) -> Picture:
    groups = _by_size(runs, fit.law, lambda run: run.readings)
    most = max(run.readings for run in runs)
    return by_group(
        groups,
        x="How often the text was read (epochs)",
        y="Loss less what the law says, nats",
        alt=f"What the law leaves over of {len(runs)} runs, against how often each read the text, "
        f"{most:.2g} times at most. {_sizes_of_rest(groups)}.",
        level=0.0,
    )


def _by_size(
    runs: Sequence[LawRun], law: Law, place: Callable[[LawRun], float]
) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        name = f"{in_words(run.point.parameters)} parameters"
        rest = _left_over(law, run.point)
        groups.setdefault(name, []).append(
            Run(x=place(run), y=rest, words=f"{run.words}<br>left over {rest:+.4f}")
        )
    return groups


def _left_over(law: Law, point: Point) -> float:
    return point.loss - float(law.loss(point.parameters, point.tokens))


def _sizes_of_rest(groups: Mapping[str, Sequence[Run]]) -> str:
    return "; ".join(
        f"{name} {np.mean([run.y for run in group]):+.3f} on average"
        for name, group in groups.items()
    )


_PICTURES: Mapping[
    str,
    Callable[[Sequence[LawRun], Sequence[Point], LawFit, IsoFlop | None], Picture],
] = {"isoflop": _isoflop, "best": _best, "residuals": _residuals, "readings": _readings}


def _as_points(some: Sequence[Point]) -> Points:
    return points_of((each.parameters, each.tokens, each.loss) for each in some)


# Words.


def constants_table(fit: LawFit) -> str:
    """Give the law's numbers with their intervals, beside those of real models, in Markdown."""
    real = PUBLISHED["refit"].law
    assert real is not None
    table = [["", "Tiny models", f"{LEVEL:.0%} interval", "Real models (refit 2024)"]]
    for name, title in NUMBERS.items():
        low, high = fit.interval(name, level=LEVEL)
        table.append(
            [
                title,
                f"{getattr(fit.law, name):.3g}",
                f"{low:.3g} to {high:.3g}",
                f"{getattr(real, name):.4g}",
            ]
        )
    return showing.markdown_table(table, "lrrr")


def about_parabolas(fit: LawFit, parabolas: IsoFlop | None) -> str:
    """Say how far parabolas are off, with noise and without, in Markdown."""
    noiseless = without_noise(fit)
    if parabolas is None or noiseless is None:
        return "These runs have no two budgets of compute with a lowest place, so no parabolas."
    off = noiseless.size_exponent - fit.law.size_exponent
    return (
        f"**The parabola is biased even without noise.** Here it says "
        f"{parabolas.size_exponent:.3f}, the law {fit.law.size_exponent:.3f}. Parabolas through "
        f"what the law itself says of the same runs, so without any noise, say "
        f"{noiseless.size_exponent:.3f}: off by {_signed(off)}, by their shape alone."
    )


def _in_words(rates: Sequence[float]) -> str:
    """Say the learning rates of runs, from the smallest model to the largest."""
    if len(set(rates)) == 1:
        return f"{rates[0]:g} for every size"
    return f"from {rates[0]:g} for the smallest model to {rates[-1]:g} for the largest"


def _signed(difference: float) -> str:
    return f"{difference:+.3f}".replace("-", "−")


def about_the_rest(runs: Sequence[LawRun], fit: LawFit) -> str:
    """Say whether the law leaves more over than chance from seed to seed, in Markdown."""
    alike: dict[tuple[float, float], list[float]] = {}
    for run in runs:
        alike.setdefault((run.point.parameters, run.point.tokens), []).append(run.point.loss)
    spreads = [np.var(losses, ddof=1) for losses in alike.values() if len(losses) > 1]
    if not spreads:
        return "Each size and length has one seed, so what is left over may be chance."
    seeds, rest = float(np.sqrt(np.mean(spreads))), float(fit.residuals.std())
    says = (
        "more than chance: **at this size the law itself misses something**. Read the intervals "
        "above as too narrow"
        if rest > MUCH * seeds
        else "no more than chance"
    )
    return (
        f"**What is left over.** Seeds of one size and length differ by {seeds:.3f} nats (standard "
        f"deviation); the law leaves {rest:.3f}, {says}."
    )


def how_trained(runs: Sequence[LawRun]) -> str:
    """Say what was done for each size, as found to matter, in Markdown."""
    setups = [run.setup for run in runs]
    rates = [setup.training.learning_rate for setup in setups]
    warm_up = [s.training.warmup_steps / s.training.steps for s in setups]
    small = setups[0].model
    share = small.vocab_size * small.d_model / multiplying_parameters(small)
    most = max(run.readings for run in runs)
    return (
        f"**Counted and chosen for each size**, as Porian et al. 2024 found to matter. Learning "
        f"rate: {_in_words(rates)}; `experiments/{NAME}.toml` says how it was chosen. "
        f"Warm-up: {np.mean(warm_up):.0%} of each run's steps. N counts the unembedding, which is "
        f"{share:.0%} of the smallest model. The text was read {most:.2g} times at most."
    )
