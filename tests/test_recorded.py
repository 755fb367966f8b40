"""What the app ships of recorded experiments: it reads as the logs do, and it happens again."""

import json
from collections import defaultdict
from itertools import islice
from pathlib import Path

import pytest
from record import ABOUT, NAMES, ship, thinned
from small_experiments import an_experiment

from explorer.content import RECORDED
from tiny_llama.checkpoint import new_trainer
from tiny_llama.comparing.matching import TOLERANCE
from tiny_llama.comparing.outcomes import read_outcomes
from tiny_llama.comparing.plan import EXPERIMENT, read_plan
from tiny_llama.comparing.plan_file import make_plan, open_plan_file
from tiny_llama.comparing.results import read_points, read_results
from tiny_llama.comparing.running import Texts, conduct
from tiny_llama.comparing.sizes import law_parameters, law_tokens
from tiny_llama.cost import count_parameters
from tiny_llama.metrics import METRICS, read_metrics
from tiny_llama.setup import SETUP

ROOT = Path(__file__).parent.parent
SHIPPED = sorted(path.name for path in RECORDED.iterdir())
MOST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return Texts(tmp_path_factory.mktemp("texts"))


def outcomes_of(name):
    folder = RECORDED / name
    return [each for kind in read_outcomes(folder, read_plan(folder)) for each in kind]


def looks(name, run):
    return [row for row in read_metrics(RECORDED / name / run.name) if "held_out_loss" in row]


def test_what_is_shipped_is_known_and_small():
    assert set(SHIPPED) <= set(NAMES)
    assert sum(path.stat().st_size for path in RECORDED.rglob("*") if path.is_file()) < MOST_BYTES


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recorded_experiment_is_that_of_its_file(name, texts):
    file = open_plan_file(ROOT / "experiments" / f"{name}.toml")
    assert make_plan(file, texts.vocabulary) == read_plan(RECORDED / name)


@pytest.mark.parametrize("name", SHIPPED)
def test_it_reads_and_says_how_it_was_made(name):
    folder = RECORDED / name
    plan, about = read_plan(folder), json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    over = [each for each in outcomes_of(name) if each.is_over]
    assert {each.run.name for each in over} == {path.name for path in folder.glob("*/")}
    assert (about["n_over"], about["n_runs"]) == (len(over), plan.n_runs)
    assert read_results(folder, plan).n_over == len(over)
    assert about["seconds"] == pytest.approx(sum(each.seconds for each in over), abs=1)
    assert about["processor"]
    assert about["date"] > "2026"
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert files <= {EXPERIMENT, ABOUT, SETUP, METRICS, "diverged.json"}


@pytest.mark.parametrize("name", sorted({"race", "scaling", "smarter", "tasks"} & set(SHIPPED)))
def test_its_first_look_happens_again(name):
    """Compare the digits that other processors share; the same machine repeats all of them."""
    done = (each for each in outcomes_of(name) if each.is_done and not each.run.is_trial)
    run = min((each.run for each in done), key=lambda run: (looks(name, run)[1]["step"], run.name))
    untrained, first, *_ = looks(name, run)
    reports = list(islice(new_trainer(run.setup), first["step"] + 1))
    assert reports[0].held_out.loss == pytest.approx(untrained["held_out_loss"], rel=1e-4)
    assert reports[-1].step == first["step"]
    assert reports[-1].held_out.loss == pytest.approx(first["held_out_loss"], rel=0.03)


@pytest.mark.parametrize(
    "name", sorted({"race", "ladder", "leave-one-out", "ladder-backwards"} & set(SHIPPED))
)
def test_sides_are_of_one_size(name):
    plan = read_plan(RECORDED / name)
    sizes = [count_parameters(side.setup.model) for side in plan.sides.values()]
    assert max(sizes) <= (1 + 2 * TOLERANCE) * min(sizes)
    llama = {"race": "llama", "leave-one-out": "whole"}.get(name, list(plan.sides)[-1])
    whole = count_parameters(plan.sides[llama].setup.model)
    assert all(abs(size - whole) <= TOLERANCE * whole for size in sizes)


@pytest.mark.skipif("smarter" not in SHIPPED, reason="it is not recorded")
def test_small_and_long_computes_as_much_as_big_and_short():
    sides = read_plan(RECORDED / "smarter").sides.values()
    flops = [6 * law_parameters(side.setup) * law_tokens(side.setup) for side in sides]
    assert max(flops) <= 1.02 * min(flops)


@pytest.mark.skipif("scaling" not in SHIPPED, reason="it is not recorded")
def test_a_law_can_be_fitted_to_what_is_shipped():
    folder = RECORDED / "scaling"
    assert len(read_points(folder, read_plan(folder))) >= 15


def test_the_same_runs_in_two_experiments_are_the_same():
    found = defaultdict(set)
    for name in SHIPPED:
        for each in outcomes_of(name):
            if each.is_over:
                found[each.run.setup].add(each.score)
    assert all(len(scores) == 1 for scores in found.values())


def test_what_is_made_of_logs_says_the_same_as_they_do(tmp_path):
    logs, shipped = tmp_path / "logs", tmp_path / "shipped"
    plan, texts = an_experiment(logs)
    list(conduct(logs, plan, texts))
    (logs / ABOUT).write_text('{"processor": "mine"}')
    for _ in range(2):  # what lies there is replaced
        ship(logs, shipped)
        assert read_plan(shipped) == plan
        found, there = (read_results(each, plan) for each in (shipped, logs))
        assert (found.sides, found.comparisons) == (there.sides, there.comparisons)
        (trials, runs), (rates, seeds) = (read_outcomes(each, plan) for each in (logs, shipped))
        assert [each.curve for each in runs] == [each.curve for each in seeds]
        assert [each.final for each in trials] == [each.final for each in rates]
        for one, other in zip([*trials, *runs], [*rates, *seeds], strict=True):
            assert other.seconds == pytest.approx(one.seconds, rel=1e-4)
            assert (other.steps_done, other.score) == (one.steps_done, one.score)


def test_a_row_that_is_kept_has_the_seconds_of_those_before_it():
    rows = [{"step": step, "loss": 1.0, "seconds": 0.5} for step in range(7)]
    rows[0]["held_out_loss"] = rows[3]["held_out_loss"] = rows[6]["held_out_loss"] = 2.0
    rows[5]["sample"] = "Once"
    times = {0: 0.5, 3: 1.5, 6: 1.5}
    clean = [rows[step] | {"seconds": times[step]} for step in (0, 3, 6)]
    assert thinned(rows, samples=False) == clean
    sampled = [rows[5] | {"seconds": 1.0}, rows[6] | {"seconds": 0.5}]
    assert thinned(rows) == [*clean[:2], *sampled]
    ends = thinned(rows, every_look=False, samples=False)
    assert ends == [clean[0], rows[6] | {"seconds": 3.0}]
