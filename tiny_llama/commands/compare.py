"""`compare` says what can be concluded of an experiment, at any time."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tiny_llama.commands.command import Command, Options, place
from tiny_llama.commands.printing import print_json
from tiny_llama.comparing.plan import MEASURES, read_plan
from tiny_llama.comparing.results import Comparison, Results, SideResult, read_results
from tiny_llama.comparing.verdicts import Verdict


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", type=place, help="an experiment's folder")


def _run(options: Options) -> None:
    results = read_results(options.dir, read_plan(options.dir))
    if options.json:
        for row in _rows(results):
            print_json(row)
    else:
        print_results(results)


def print_results(results: Results) -> None:
    """Print sides and verdicts for people."""
    plan = results.plan
    if results.n_over < plan.n_runs:
        sys.stdout.write(f"{results.n_over} of {plan.n_runs} runs are over so far.\n")
    measure = MEASURES[plan.measure][0]
    width = max(len(name) for name in plan.sides)
    head = f"{'side':<{width}}  {'parameters':>12}  {'rate':>8}  {'seeds':>5}  {measure:>20}"
    sys.stdout.write(head + "\n")
    for side in results.sides:
        sys.stdout.write(_side_line(side, width) + "\n")
    for comparison in results.comparisons:
        sys.stdout.write(f"{_sentence(comparison, measure)}\n")
    for said in [f"{each.name}: {each.note}" for each in results.sides if each.note]:
        sys.stdout.write(said + "\n")
    for note in plan.notes:
        sys.stdout.write(note + "\n")


def _side_line(side: SideResult, width: int) -> str:
    found = "" if side.mean is None else f"{side.mean:.4f}"
    found += "" if side.sd is None else f" ± {side.sd:.4f}"
    diverged = f"  {side.n_diverged} diverged" if side.n_diverged else ""
    return (
        f"{side.name:<{width}}  {side.n_parameters:>12,}  {side.learning_rate:>8.3g}  "
        f"{len(side.finals):>5}  {found:>20}{diverged}"
    )


def _sentence(comparison: Comparison, measure: str) -> str:
    """Say what is concluded of a pair; what a difference is worth, where there is one."""
    judgement = comparison.judgement
    said = f"{comparison.first} against {comparison.second}: {judgement.sentence(measure)}"
    has_difference = judgement.verdict in (Verdict.BETTER, Verdict.WORSE)
    if has_difference and comparison.worth:
        said += f" {comparison.worth.sentence}"
    return said


def _rows(results: Results) -> Iterator[dict[str, Any]]:
    """Yield a row for each side, then one for each comparison."""
    plan = results.plan
    yield {"n_over": results.n_over, "n_runs": plan.n_runs, "measure": plan.measure}
    for side in results.sides:
        trials = {f"{rate:g}": final for rate, final in side.trials.items()}
        yield asdict(side) | {"trials": trials, "mean": side.mean, "sd": side.sd}
    for each in results.comparisons:
        yield _comparison_row(each, MEASURES[plan.measure][0])


def _comparison_row(each: Comparison, measure: str) -> dict[str, Any]:
    judgement, found = each.judgement, each.judgement.difference
    numbers = {
        "difference": found.mean,
        "sd": found.sd,
        "low": found.low,
        "high": found.high,
    }
    return {
        "first": each.first,
        "second": each.second,
        "verdict": str(judgement.verdict),
        "sentence": _sentence(each, measure),
        "n": found.n,
        "n_diverged": list(found.n_diverged),
        **{name: _finite(value) for name, value in numbers.items()},
        "margin": found.margin,
        "p_different": judgement.p_different,
        "p_equal": judgement.p_equal,
        "n_comparisons": judgement.n_comparisons,
        "worth": None if each.worth is None else asdict(each.worth) | {"share": each.worth.share},
    }


def _finite(value: float) -> float | None:
    """Give a number as JSON can have it: none for what is not known yet."""
    return value if abs(value) < float("inf") else None


COMPARE = Command(
    help="say what can be concluded of an experiment", add_arguments=_add_arguments, run=_run
)
