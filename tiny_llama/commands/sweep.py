"""`sweep` runs an experiment in a folder, or goes on with it: the same line does both."""

import argparse
import itertools
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from threading import Event
from typing import NoReturn

import torch
from tqdm import tqdm

from tiny_llama.commands.command import Command, Options, count, place, say
from tiny_llama.commands.compare import print_results
from tiny_llama.commands.printing import print_json
from tiny_llama.commands.sign_of_life import sign_of_life
from tiny_llama.commands.stopping import stop_between_pieces
from tiny_llama.comparing.durations import in_words
from tiny_llama.comparing.outcomes import Outcome, as_plain, read_outcomes
from tiny_llama.comparing.plan import EXPERIMENT, Plan, read_plan, write_plan
from tiny_llama.comparing.plan_file import make_plan, open_plan_file
from tiny_llama.comparing.power import detectable
from tiny_llama.comparing.results import read_results
from tiny_llama.comparing.runners.processes import Processes
from tiny_llama.comparing.running import Runner, Texts, conduct
from tiny_llama.comparing.timing import seconds_a_run, seconds_done, seconds_of_all
from tiny_llama.corpora import TextCorpus, read_text_file
from tiny_llama.corpora.own_text import MOST_BYTES
from tiny_llama.cost import count_parameters
from tiny_llama.errors import CheckpointError, ConfigError
from tiny_llama.files import read_bytes, write_whole
from tiny_llama.setup import TEXT

RAY = "ray"
RAY_TASKS = "tiny_llama.comparing.runners.ray_tasks:RayTasks"
"""Imported only where it is asked for, as Ray is installed only for that."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", type=place, nargs="?", help="a TOML file (README); none: go on with what is there"
    )
    parser.add_argument("--out", type=place, required=True, help="folder for the experiment")
    parser.add_argument(
        "--others",
        type=place,
        nargs="+",
        default=[],
        metavar="DIR",
        help="folders of other experiments; their runs with the very same setup are not done again",
    )
    parser.add_argument(
        "--runner",
        choices=("local", RAY),
        default="local",
        help="where: on this machine (local), or on the Ray cluster at RAY_ADDRESS",
    )
    parser.add_argument(
        "--jobs", type=count, default=1, help="runs at once on this machine, sharing --threads (1)"
    )
    parser.add_argument(
        "--plan", action="store_true", help="only say what would be run, and for how long"
    )


def _run(options: Options) -> None:
    """Run an experiment until it is over, or until Ctrl-C."""
    _check_runner(options)
    plan, texts = _planned(options)
    with sign_of_life("Timing a few steps of each side"):
        torch.set_num_threads(_threads(options))
        seconds = seconds_a_run(plan, texts)
    runner = None if options.plan and options.runner == RAY else _runner(options)
    n_at_once = min(plan.n_runs, runner.n_at_once if runner else 1)
    if not options.json:
        _announce(plan, seconds, n_at_once)
    elif options.plan:
        print_json(_plan_row(plan, seconds, n_at_once))
    if options.plan:
        return
    with stop_between_pieces() as stopped:
        is_over = _conducted(options, plan, texts, runner, seconds, stopped)
    if not is_over:
        say("Stopped; the same line goes on from there.")
        raise KeyboardInterrupt
    if not options.json:
        print_results(read_results(options.out, plan))


def _check_runner(options: Options) -> None:
    """Refuse what the runner does not take, and one that is not installed."""
    if options.runner != RAY:
        return
    if options.jobs > 1:
        raise ConfigError(
            f"--jobs {options.jobs} is for runs on this machine, and a Ray cluster does as many at "
            f"once as it has processors for; leave it out."
        )
    if find_spec("ray") is None:
        raise ConfigError(
            "--runner ray needs Ray, which is not installed here; install it with "
            "pip install -r requirements-ray.txt."
        )


def _runner(options: Options) -> Runner | None:
    """Make what does the runs; None: this process, one by one."""
    if options.runner == RAY:
        ray_tasks: Callable[..., Runner] = resolve_name(RAY_TASKS)
        return ray_tasks(threads=_threads(options))
    if options.jobs == 1:
        return None
    return Processes(options.jobs, threads=_threads(options))


def _threads(options: Options) -> int:
    """Say how many threads each run has."""
    return max(1, int(options.threads) // int(options.jobs))


def _planned(options: Options) -> tuple[Plan, Texts]:
    """Make the plan and, unless it is only asked for, see that it is the one of the folder."""
    if options.file is None:
        return read_plan(options.out), Texts(options.out)
    file = open_plan_file(options.file)
    own = read_text_file(file.text) if file.text else None
    texts = Texts(options.out, own)
    with sign_of_life("Preparing texts and tokenizers"):
        plan = make_plan(file, texts.vocabulary)
    if not options.plan:
        write_plan(options.out, plan)
        if own:
            _keep_text(options.out, own)
    return plan, texts


def _keep_text(folder: Path, own: TextCorpus) -> None:
    """Put the user's own text into the experiment's folder, unless it is there."""
    text = own.text().encode()
    if not (folder / TEXT).is_file():
        write_whole(folder / TEXT, text)
    elif read_bytes(folder / TEXT, max(len(text), MOST_BYTES)) != text:
        raise CheckpointError(
            f"The experiment in {folder.name!r} was begun with another text than {own.name!r}; "
            f"choose another folder."
        )


def _announce(plan: Plan, seconds: dict[str, float], n_at_once: int) -> None:
    """Say what will be run, what it can tell, and how long it takes."""
    title = f"{plan.title}: " if plan.title else ""
    say(f"{title}{plan.n_runs} runs of {len(plan.sides)} sides, {len(plan.seeds)} seeds.")
    for name, side in plan.sides.items():
        n_parameters = count_parameters(side.setup.model)
        say(f"  {name}: {side.note or f'{n_parameters:,} parameters.'}")
    for note in plan.notes:
        say(note)
    if plan.comparisons:
        say(_telling(plan))
    say(f"About {in_words(seconds_of_all(plan, seconds) / n_at_once)} in all.")


def _telling(plan: Plan) -> str:
    n_seeds, n_comparisons = len(plan.seeds), len(plan.comparisons)
    least = detectable(n_seeds, n_comparisons=n_comparisons)
    if n_seeds < 2:
        return "With one seed, nothing can be concluded; take six."
    return (
        f"With {n_seeds} seeds and {n_comparisons} comparison{'s' * (n_comparisons > 1)}, a "
        f"difference of {least:.2g} standard deviations between paired runs is found in 8 of 10 "
        f"cases."
    )


def _plan_row(plan: Plan, seconds: dict[str, float], n_at_once: int) -> dict[str, object]:
    n_comparisons = max(1, len(plan.comparisons))
    return {
        "title": plan.title,
        "runs": plan.n_runs,
        "sides": {name: count_parameters(side.setup.model) for name, side in plan.sides.items()},
        "notes": {name: side.note for name, side in plan.sides.items() if side.note},
        "seeds": list(plan.seeds),
        "detectable_sd": detectable(len(plan.seeds), n_comparisons=n_comparisons)
        if len(plan.seeds) > 1
        else None,
        "seconds": round(seconds_of_all(plan, seconds) / n_at_once, 1),
    }


def _conducted(
    options: Options,
    plan: Plan,
    texts: Texts,
    runner: Runner | None,
    seconds: dict[str, float],
    stopped: Event,
) -> bool:
    """Do the runs, and show how far they are; tell whether all are over."""
    total, n_over = seconds_of_all(plan, seconds), 0
    outcomes = itertools.chain(*read_outcomes(options.out, plan))
    done = {each.run.name: seconds_done(each, seconds) for each in outcomes}
    conducted = conduct(options.out, plan, texts, others=options.others, runner=runner)
    with (
        closing(conducted) as pieces,
        tqdm(
            total=total,
            initial=min(total, sum(done.values())),
            disable=options.json,
            bar_format=_BAR,
            mininterval=0.5,
        ) as bar,
    ):
        for progress in pieces:
            name, steps = progress.run.name, progress.run.setup.training.steps
            a_step = seconds[progress.run.side] / steps
            done[name] = progress.steps_done * a_step
            if progress.outcome:
                done[name] = seconds_done(progress.outcome, seconds)
                n_over += 1
                _tell(options, progress.outcome, n_over, plan.n_runs, bar)
            bar.update(min(total, sum(done.values())) - bar.n)
            if stopped.is_set() and n_over < plan.n_runs:
                return False
    return True


_BAR = "{percentage:3.0f}%|{bar:20}| {elapsed}, {remaining} left{postfix}"


def _tell(
    options: Options, outcome: Outcome, n_over: int, n_runs: int, bar: "tqdm[NoReturn]"
) -> None:
    """Say what a run has come to."""
    if options.json:
        print_json(as_plain(outcome) | {"n_over": n_over, "n_runs": n_runs})
        return
    final = "diverged" if outcome.final is None else f"{outcome.final:.4f}"
    bar.set_postfix_str(f"{n_over}/{n_runs} runs, {outcome.run.name}: {final}")


SWEEP = Command(
    help=f"run an experiment of many runs, or go on with it ({EXPERIMENT})",
    add_arguments=_add_arguments,
    run=_run,
)
