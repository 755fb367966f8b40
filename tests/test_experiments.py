"""Experiments: many runs in a folder, stopped and gone on with, their results told at any time."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import until
from small_experiments import HEAD, PAIR, SETTINGS, SONG, an_experiment, written

from tiny_llama.__main__ import main
from tiny_llama.command_line import read_words
from tiny_llama.commands.sweep import _planned
from tiny_llama.comparing import running
from tiny_llama.comparing.ladder import ladder, leave_one_out, rungs
from tiny_llama.comparing.matching import TOLERANCE
from tiny_llama.comparing.outcomes import best_rates, read_outcomes
from tiny_llama.comparing.plan import Plan, Side, read_plan, write_plan
from tiny_llama.comparing.results import read_points, read_results
from tiny_llama.comparing.running import conduct
from tiny_llama.comparing.sizes import law_parameters, law_tokens
from tiny_llama.comparing.tasks import LACKING, TASKS, task_table
from tiny_llama.cost import count_parameters, six_n_d
from tiny_llama.errors import CheckpointError, ConfigError, UserError
from tiny_llama.metrics import read_metrics
from tiny_llama.setup import setup_of_preset

ROOT = Path(__file__).parent.parent


@pytest.fixture
def write(tmp_path):
    """Write an experiment's file, and the text that it learns from."""

    def write(content=PAIR):
        (tmp_path / "song.txt").write_text(SONG)
        path = tmp_path / "experiment.toml"
        path.write_text(content)
        return str(path)

    return write


def rows(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def sweep(path, folder, *more):
    return main(["sweep", path, "--out", str(folder), *more])


# From file to results.


def test_an_experiment_is_run_and_compared_from_the_terminal(write, tmp_path, capsys):
    folder = tmp_path / "out"
    assert sweep(write(), folder) == 0
    said = capsys.readouterr()
    assert "Two norms: 4 runs of 2 sides, 2 seeds." in said.err
    assert "standard deviations between paired runs is found in 8 of 10 cases" in said.err
    assert "layer against rms: " in said.out
    assert main(["compare", str(folder)]) == 0
    assert capsys.readouterr().out == said.out
    names = {path.name for path in folder.iterdir() if path.is_dir()}
    assert names == {"rms.seed-0", "rms.seed-1", "layer.seed-0", "layer.seed-1"}


def test_results_are_those_of_the_runs_metrics(write, tmp_path, capsys):
    folder = tmp_path / "out"
    assert sweep(write(), folder, "--json") == 0
    told = {row["run"]: row["final"] for row in rows(capsys)}
    last = {name: read_metrics(folder / name)[-1]["held_out_loss"] for name in told}
    assert told == last
    main(["compare", str(folder), "--json"])
    head, rms, layer, comparison = rows(capsys)
    assert head == {"n_over": 4, "n_runs": 4, "measure": "held_out_loss"}
    assert rms["finals"] == [last["rms.seed-0"], last["rms.seed-1"]]
    assert comparison["difference"] == pytest.approx(layer["mean"] - rms["mean"])
    assert (comparison["first"], comparison["second"], comparison["n"]) == ("layer", "rms", 2)


def test_both_sides_of_a_seed_differ_in_what_is_compared_alone(write, tmp_path):
    path = write()
    plan = planned(path, tmp_path)
    runs = {run.name: run.setup for run in plan.seed_runs({})}
    for seed in (0, 1):
        one, other = runs[f"rms.seed-{seed}"], runs[f"layer.seed-{seed}"]
        assert one.training == other.training
        assert (one.training.seed, one.training.data_seed) == (seed, seed)
        same = replace(other.model, norm="rmsnorm", d_hidden=one.model.d_hidden)
        assert same == one.model
        sizes = [count_parameters(setup.model) for setup in (one, other)]
        assert abs(sizes[0] - sizes[1]) <= TOLERANCE * sizes[0]


def test_only_a_plan_runs_nothing_and_says_how_long_it_takes(write, tmp_path, capsys):
    folder = tmp_path / "out"
    assert sweep(write(), folder, "--plan", "--json") == 0
    (row,) = rows(capsys)
    assert row["runs"] == 4
    assert row["seconds"] > 0
    assert row["detectable_sd"] > 3
    assert not folder.exists()


def test_the_same_line_goes_on_and_does_nothing_twice(write, tmp_path, capsys):
    path, folder = write(), tmp_path / "out"
    sweep(path, folder, "--json")
    before, first = written(folder), rows(capsys)
    assert sweep(path, folder, "--json") == 0
    assert rows(capsys) == first
    assert main(["sweep", "--out", str(folder), "--json"]) == 0
    assert rows(capsys) == first
    assert written(folder) == before


# Stopping.


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Run that experiment without a stop."""
    folder = tmp_path_factory.mktemp("whole")
    list(conduct(folder, *an_experiment(folder)))
    return folder


@pytest.mark.parametrize("n_pieces", [5, 23])
def test_an_experiment_stopped_again_and_again_equals_one_that_was_not(whole, tmp_path, n_pieces):
    plan, texts = an_experiment(tmp_path)
    n_over, n_stops = 0, 0
    while n_over < plan.n_runs:
        pieces = conduct(tmp_path, plan, texts)
        n_over = 0
        n_done = 0
        for progress in pieces:
            n_over += progress.outcome is not None
            n_done += progress.outcome is None
            if n_done >= n_pieces:
                break
        pieces.close()
        n_stops += 1
    assert n_stops > 3
    assert written(tmp_path) == written(whole)


def test_an_experiment_killed_in_the_middle_of_a_step_equals_one_that_was_not(
    whole, tmp_path, monkeypatch
):
    plan, texts = an_experiment(tmp_path)
    n_calls = 0

    class Killed(BaseException):
        pass

    def killed(*arguments, **more):
        nonlocal n_calls
        n_calls += 1
        if n_calls % 4 == 0:
            raise Killed
        return train(*arguments, **more)

    train = running.Trainer._train
    monkeypatch.setattr(running.Trainer, "_train", killed)
    for _ in range(200):
        with suppress(Killed):
            assert len([p for p in conduct(tmp_path, plan, texts) if p.outcome]) == plan.n_runs
            break
        monkeypatch.setattr(running.Recorder, "write_if_due", running.Recorder.checkpoint)
    assert n_calls > 20
    assert written(tmp_path) == written(whole)


@pytest.mark.slow
def test_a_killed_process_loses_nothing_and_counts_nothing_twice(write, tmp_path, capsys):
    path = write(PAIR.replace("steps = 6", "steps = 300"))
    line = [sys.executable, "-m", "tiny_llama", "sweep", path, "--out"]
    subprocess.run([*line, tmp_path / "whole"], check=True, cwd=ROOT, capture_output=True)
    for sign, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        going = subprocess.Popen([*line, tmp_path / "cut"], cwd=ROOT, stderr=subprocess.DEVNULL)
        n_before = len(list(tmp_path.glob("cut/*/metrics.jsonl")))
        until(lambda n=n_before: len(list(tmp_path.glob("cut/*/metrics.jsonl"))) > n)
        os.kill(going.pid, sign)
        assert going.wait() == code
    again = subprocess.run(
        [*line, tmp_path / "cut", "--json"], cwd=ROOT, capture_output=True, check=True
    )
    assert len(again.stdout.splitlines()) == 4
    assert written(tmp_path / "cut") == written(tmp_path / "whole")


def test_results_are_told_for_what_is_done(whole, tmp_path, capsys):
    plan, _ = an_experiment(tmp_path)
    for name in ("a.rate-0.001", "a.rate-0.01", "b.rate-0.001"):
        shutil.copytree(whole / name, tmp_path / name)
    results = read_results(tmp_path, plan)
    assert results.n_over == 3
    assert [len(side.trials) for side in results.sides] == [2, 1]
    assert main(["compare", str(tmp_path)]) == 0
    assert "3 of 8 runs are over so far." in capsys.readouterr().out
    assert main(["compare", str(tmp_path), "--json"]) == 0
    assert [row["verdict"] for row in rows(capsys) if "verdict" in row] == [
        "not enough seeds to tell"
    ]


def test_two_processes_do_not_run_one_experiment(tmp_path):
    plan, texts = an_experiment(tmp_path)
    first = conduct(tmp_path, plan, texts)
    next(first)
    with pytest.raises(CheckpointError, match="being trained by another process"):
        next(conduct(tmp_path, plan, texts))
    first.close()
    next(conduct(tmp_path, plan, texts)).run.name.startswith("a.rate")


# Runs that two experiments share.


def test_a_run_of_another_experiment_with_the_very_same_setup_is_not_done_again(
    whole, tmp_path, monkeypatch
):
    plan, texts = an_experiment(tmp_path, seeds=(0, 1, 3))
    trained = []
    train = running._trained
    monkeypatch.setattr(
        running,
        "_trained",
        lambda at, run, *more: trained.append(run.name) or train(at, run, *more),
    )
    outcomes = [p.outcome for p in conduct(tmp_path, plan, texts, others=[whole]) if p.outcome]
    assert len(outcomes) == plan.n_runs
    assert all(outcome.is_over for outcome in outcomes)
    shared = {name for name in written(whole) if "seed-" in name}
    assert shared == {"a.seed-0", "a.seed-1", "b.seed-0", "b.seed-1"}
    assert set(trained) == {run.name for run in plan.trials} | {"a.seed-3", "b.seed-3"}
    found, there = written(tmp_path), written(whole)
    assert all(found[name] == there[name] for name in shared)


def test_a_run_that_is_not_over_elsewhere_is_done_here(whole, tmp_path):
    other, folder = tmp_path / "other", tmp_path / "folder"
    pieces = conduct(other, *an_experiment(other))
    next(pieces)
    pieces.close()
    list(conduct(folder, *an_experiment(folder), others=[other]))
    assert written(folder) == written(whole)


# Learning rates.


def test_each_side_runs_at_its_own_best_rate_chosen_by_another_seed(whole):
    plan = read_plan(whole)
    trials, _ = read_outcomes(whole, plan)
    assert {trial.run.seed for trial in trials} == {2}
    rates = best_rates(plan, trials)
    for side in plan.sides:
        ends = {t.run.setup.training.learning_rate: t.final for t in trials if t.run.side == side}
        assert ends[rates[side]] == min(ends.values())
        for run in plan.seed_runs(rates):
            if run.side == side:
                assert run.setup.training.learning_rate == rates[side]
    assert "is the highest tried: try others beyond" in read_results(whole, plan).sides[0].note


def test_what_diverges_at_one_rate_is_said_to_train_at_another(tmp_path, capsys):
    plan, texts = an_experiment(tmp_path, seeds=(0,), learning_rates=(1e-3, 1e-2, 900.0))
    wild = {
        name: replace(
            side,
            setup=side.setup.with_settings(
                {"norm": "none", "optimizer": "sgd", "gradient_clip": 0.0, "warmup_steps": 0}
            ),
        )
        for name, side in plan.sides.items()
    }
    plan = replace(plan, sides=wild)
    folder = tmp_path / "wild"
    write_plan(folder, plan)
    list(conduct(folder, plan, texts))
    results = read_results(folder, plan)
    note = results.sides[0].note
    assert note == "It diverged at the learning rate 900 and trains at 0.01."
    before = written(folder)
    assert len(list(conduct(folder, plan, texts))) == plan.n_runs  # nothing is tried again
    assert written(folder) == before
    assert main(["compare", str(folder)]) == 0
    assert note in capsys.readouterr().out


def test_seeds_that_diverge_are_counted(tmp_path):
    plan, texts = an_experiment(tmp_path, learning_rates=())
    wild = plan.sides["b"].setup.with_settings(
        {"learning_rate": 900.0, "optimizer": "sgd", "norm": "none", "gradient_clip": 0.0}
    )
    plan = replace(plan, sides={**plan.sides, "b": Side(setup=wild)})
    folder = tmp_path / "wild"
    write_plan(folder, plan)
    list(conduct(folder, plan, texts))
    results = read_results(folder, plan)
    assert results.sides[1].n_diverged == 2
    assert results.n_over == 4
    found = results.comparisons[0].judgement
    assert found.difference.n_diverged == (2, 0)
    began = [read_metrics(folder / f"b.seed-{seed}")[0]["held_out_loss"] for seed in (0, 1)]
    usual = results.sides[0].finals
    assert found.difference.mean == pytest.approx((sum(began) - sum(usual)) / 2)


# Kinds of experiments.

GPT3, LLAMA = setup_of_preset("tiny-gpt3"), setup_of_preset("tiny-llama")
RUNGS = ["norm", "position", "attention", "feed_forward", "bias", "tied_unembedding"]


def test_a_ladder_climbs_a_setting_a_rung_in_any_order():
    assert rungs(GPT3, LLAMA) == RUNGS
    for order in (RUNGS, RUNGS[::-1]):
        sides, pairs = ladder(GPT3, LLAMA, order)
        assert (sides["start"], sides[list(sides)[-1]]) == (GPT3, LLAMA)
        for (above, below), name in zip(pairs, order, strict=True):
            assert rungs(sides[below], sides[above]) == [name]
            assert above.endswith(f"-{name}")


def test_one_thing_at_a_time_is_left_out():
    sides, pairs = leave_one_out(GPT3, LLAMA)
    assert sides["whole"] == LLAMA
    assert pairs == tuple((f"without-{name}", "whole") for name in RUNGS)
    for name in RUNGS:
        assert rungs(sides[f"without-{name}"], LLAMA) == [name]
        assert sides[f"without-{name}"].setting(name) == GPT3.setting(name)


def test_tasks_meet_models_that_lack_something():
    sides, pairs = task_table(LLAMA)
    assert len(sides) == len(TASKS) * (1 + len(LACKING))
    for first, second in pairs:
        assert sides[first].corpus == sides[second].corpus
        assert sides[second] == replace(LLAMA, corpus=sides[second].corpus)
        assert sides[first].model != sides[second].model


LADDER = HEAD + SETTINGS + "[ladder]\norder = ['position', 'norm', 'bias', 'feed_forward', {}]\n"
SCALING = (
    HEAD.replace("seeds = 2\n", "")
    + SETTINGS
    + "[scaling]\nsizes = [{d_model = 8}, {d_model = 16}, {d_model = 32}]\n"
)
A_TASK = "seeds = 1\n" + SETTINGS.replace("context = 16", "context = 32") + "[tasks]\n"


@pytest.mark.parametrize(
    ("content", "n_sides", "n_comparisons"),
    [
        (LADDER.format("'tied_unembedding', 'attention'"), 7, 6),
        (HEAD + SETTINGS + "[ladder]\nleave_one_out = true\n", 7, 6),
        (SCALING + "steps = [20, 40]\n", 6, 0),
        (A_TASK, 49, 42),
        (A_TASK + "tasks = ['copy']\nlacking = ['no-norm', 'one-head']\n", 3, 2),
    ],
)
def test_every_kind_of_file_is_planned(write, tmp_path, capsys, content, n_sides, n_comparisons):
    plan = planned(write(content), tmp_path)
    assert len(plan.sides) == n_sides
    assert len(plan.comparisons) == n_comparisons


def planned(path, tmp_path):
    """Make a plan of a file without timing its runs."""
    return _planned(read_words(["sweep", path, "--out", str(tmp_path / "planned")]))[0]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "experiments").glob("*.toml")), ids=lambda p: p.stem
)
def test_every_experiment_that_comes_along_can_be_planned(path, tmp_path):
    plan = planned(str(path), tmp_path)
    assert plan.title
    assert plan.comparisons or path.stem.startswith("scaling")


def test_a_ladder_is_matched_rung_by_rung(write, tmp_path):
    plan = planned(write(HEAD + SETTINGS + "[ladder]\n"), tmp_path)
    sizes = [count_parameters(side.setup.model) for side in plan.sides.values()]
    assert max(sizes) - min(sizes) <= 2 * TOLERANCE * sizes[0]
    *others, last = plan.sides.values()
    assert last.setup.model.d_hidden is None
    assert all(side.note for side in others)


def test_sizes_share_their_budgets_warm_up_in_proportion_and_slow_down_with_width(write, tmp_path):
    plan = planned(write(SCALING + "budgets = [2e8, 8e8]\n"), tmp_path)
    for name, side in plan.sides.items():
        setup, budget = side.setup, 2e8 if name.endswith("1") else 8e8
        flops = 6 * law_parameters(setup) * law_tokens(setup)
        assert flops == six_n_d(setup.model, law_tokens(setup))
        assert flops == pytest.approx(budget, rel=0.03)
        assert setup.training.warmup_steps == -(-setup.training.steps // 20)
        narrower = 16 / setup.model.d_model
        assert setup.training.learning_rate == pytest.approx(0.006 * narrower)


def test_a_law_is_fitted_to_runs_that_were_really_trained(write, tmp_path, capsys):
    path = write(SCALING + "steps = [20, 40, 80]\n")
    assert sweep(path, tmp_path / "out", "--json") == 0
    capsys.readouterr()
    assert len(read_points(tmp_path / "out", read_plan(tmp_path / "out"))) == 9
    line = ["fit", str(tmp_path / "out"), "--resamples", "10"]
    line += ["--predict", "20000", "100000"]
    assert main([*line, "--json"]) == 0
    (row,) = rows(capsys)
    assert row["n_runs"] == 9
    assert 0 <= row["predicted"]["low"] <= row["predicted"]["high"]
    assert len(row["residuals"]) == 9
    assert main(line) == 0
    assert "best size grows as compute to" in capsys.readouterr().out


# Mistakes.


def refused(arguments, capsys):
    assert main([str(word) for word in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.rstrip().endswith(".")
    return said.err


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("not toml", "is not TOML"),
        (HEAD + SETTINGS, "this one has none"),
        (PAIR + "[ladder]\n", "this one has sides and ladder"),
        ("colour = 1\n" + PAIR, "has no 'colour'"),
        (PAIR + "nrom = 'x'\n", "'nrom' is no setting"),
        (PAIR + "d_model = [1]\n", "sides.layer.d_model must be one word or number"),
        (PAIR.replace("seeds = 2", "seeds = 0"), "seeds are 0 and must be 1 to 100"),
        (PAIR.replace("seeds = 2", "seeds = 'two'"), "must be a number of seeds"),
        (PAIR.replace("seeds = 2", "seeds = [-1]"), "seed=-1"),
        ("learning_rates = [-1]\n" + PAIR, "learning_rate=-1"),
        ("learning_rates = 0.1\n" + PAIR, "says a number wrongly"),
        ("matched = 'no'\n" + PAIR, "matched='no' is none of the sides; choose rms, layer"),
        (SCALING + "steps = ['a']\n", "'a' is none"),
        (SCALING + "budgets = [-1]\n", "-1 is none"),
        (
            SCALING.replace("[{d_model = 8}, {d_model = 16}, {d_model = 32}]", "[]"),
            "steps or budgets",
        ),
        (HEAD + SETTINGS + "[ladder]\norder = [['norm']]\n", "must be one word or number"),
        (HEAD + SETTINGS + "[ladder]\nstart = ['x']\n", "must be one word or number"),
        ("margin = -1\n" + PAIR, "margin=-1 must be above 0"),
        ("margin = 'x'\n" + PAIR, "says a number wrongly"),
        ("learning_rates = ['x']\n" + PAIR, "says a number wrongly"),
        ("measure = 'beauty'\n" + PAIR, "measure='beauty' is not on the list"),
        (PAIR + "tokenizer = 'bytes'\n", "cut text into other tokens"),
        (PAIR.replace("sides.rms", "sides.RMS"), "small letters, digits"),
        (PAIR + "preset = 'gpt5'\n", "preset='gpt5'"),
        (PAIR + "preset = 'llama-1-65b'\n", "for counting only"),
        (PAIR.replace("song.txt", "nowhere.txt"), "nowhere.txt"),
        ("measure = 'accuracy'\n" + PAIR, "no answers to be accurate in"),
        ("seeds = 100\n" + A_TASK.replace("seeds = 1\n", ""), "runs must be at most 2,000"),
        (HEAD + SETTINGS + "[ladder]\norder = ['norm']\n", "must name each setting that differs"),
        (HEAD + SETTINGS + "[ladder]\nstart = 'tiny-llama'\n", "has no rungs"),
        (SCALING, "takes either steps or budgets"),
        (SCALING + "budgets = [1e4]\n", "choose another budget"),
        (A_TASK + "tasks = ['tales']\n", "tasks has 'tales'"),
        (A_TASK + "lacking = 'all'\n", "must be a list"),
        (PAIR + "n_layers = 400\n", "compare them unmatched"),
    ],
)
def test_a_mistake_in_a_file_is_answered_with_one_sentence(write, tmp_path, capsys, content, word):
    assert word in refused(["sweep", write(content), "--out", tmp_path / "out"], capsys)
    assert not (tmp_path / "out" / "experiment.json").exists()


def test_mistakes_in_folders_are_answered_with_one_sentence(write, tmp_path, capsys, whole):
    for command in ("compare", "fit"):
        assert "holds no experiment" in refused([command, tmp_path], capsys)
    assert "holds no experiment" in refused(["sweep", "--out", tmp_path], capsys)
    path = write()
    planned(path, tmp_path)
    other = write(PAIR.replace("seeds = 2", "seeds = 3"))
    assert "whose seeds differ" in refused(["sweep", other, "--out", tmp_path / "planned"], capsys)
    write()
    (tmp_path / "song.txt").write_text(SONG + "The cat. ")
    said = refused(["sweep", path, "--out", tmp_path / "planned"], capsys)
    assert "begun with another text" in said
    assert "too few to fit" in refused(["fit", tmp_path / "planned"], capsys)
    with (tmp_path / "planned" / "experiment.json").open("a") as file:
        file.write("x")
    assert "not JSON" in refused(["compare", tmp_path / "planned"], capsys)


def test_a_folder_with_another_run_in_it_is_not_counted(whole, tmp_path):
    plan, texts = an_experiment(tmp_path)
    shutil.copytree(whole / "b.rate-0.001", tmp_path / "a.rate-0.001")
    with pytest.raises(UserError, match="other settings than the experiment wants"):
        list(conduct(tmp_path, plan, texts))


def test_a_run_that_cannot_go_on_is_named(tmp_path):
    plan, texts = an_experiment(tmp_path)
    pieces = conduct(tmp_path, plan, texts)
    for _ in range(4):
        next(pieces)
    pieces.close()
    for path in (tmp_path / "a.rate-0.001").glob("model*.safetensors"):
        path.write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"'a.rate-0.001' cannot go on; delete its folder"):
        list(conduct(tmp_path, plan, texts))


def test_a_plan_is_the_same_when_it_is_read_again(whole):
    plan = read_plan(whole)
    assert Plan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan
    with pytest.raises(ConfigError, match="lacks something"):
        Plan.from_dict({"title": "x"})
