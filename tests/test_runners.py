"""Runs at once: the same numbers as one after another, whatever is killed or stopped meanwhile."""

import json
import os
import signal
import subprocess
import sys

import pytest
from conftest import ROOT, SLOW, until
from small_experiments import an_experiment, written

from tiny_llama.__main__ import main
from tiny_llama.checkpoint import checkpoint_step
from tiny_llama.comparing.outcomes import read_outcomes
from tiny_llama.comparing.runners.processes import Processes
from tiny_llama.comparing.running import conduct
from tiny_llama.errors import TrainingError
from tiny_llama.metrics import add_metrics, read_last_step, read_metrics
from tiny_llama.run_lock import hold_run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Run an experiment one by one without a stop."""
    folder = tmp_path_factory.mktemp("whole")
    list(conduct(folder, *an_experiment(folder)))
    return folder


def test_runs_at_once_give_the_numbers_of_runs_one_after_another(whole, tmp_path):
    plan, texts = an_experiment(tmp_path)
    over = [
        p.run.name
        for p in conduct(tmp_path, plan, texts, runner=Processes(2, threads=1))
        if p.outcome
    ]
    assert sorted(over) == sorted(written(whole))
    assert written(tmp_path) == written(whole)


def test_time_is_reckoned_by_the_processors_that_there_are():
    assert Processes(5000, threads=1).n_at_once == os.cpu_count()
    assert Processes(3, threads=5000).n_at_once == 1
    assert Processes(1, threads=1).n_at_once == 1


def kill(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def long_whole(tmp_path_factory):
    """Run an experiment of longer runs one by one without a stop."""
    folder = tmp_path_factory.mktemp("long-whole")
    list(conduct(folder, *an_experiment(folder, **LONG)))
    return folder


LONG = {"steps": 1500, "learning_rates": ()}


@SLOW
def test_killed_processes_lose_nothing_and_count_nothing_twice(long_whole, tmp_path):
    plan, texts = an_experiment(tmp_path, **LONG)
    runner, n_killed, over = Processes(2, threads=1), 0, []
    for progress in conduct(tmp_path, plan, texts, runner=runner):
        if progress.outcome:
            over.append(progress.run.name)
        elif progress.steps_done > 100 and n_killed < 2:
            kill(runner.pids)
            n_killed += 1
    assert n_killed == 2
    assert sorted(over) == sorted(written(long_whole))
    assert written(tmp_path) == written(long_whole)


@SLOW
def test_a_run_whose_process_is_killed_again_and_again_is_named_and_the_others_are_done(tmp_path):
    plan, texts = an_experiment(tmp_path, **LONG)
    runner, killed, over = Processes(1, threads=1), set(), []

    def conducted():
        for progress in conduct(tmp_path, plan, texts, runner=runner):
            if progress.outcome:
                over.append(progress.run.name)
            elif progress.run.name == "a.seed-0":
                pids = set(runner.pids) - killed
                kill(pids)
                killed.update(pids)

    with pytest.raises(TrainingError, match=r"trained 'a\.seed-0' was killed 4 times"):
        conducted()
    assert len(killed) == 4
    assert over == ["b.seed-0", "a.seed-1", "b.seed-1"]


@pytest.fixture
def start():
    """Start sweeps as a terminal does, each with its processes in a group of their own."""
    going = []

    def start(folder, *more):
        line = [sys.executable, "-m", "tiny_llama", "sweep", "--out", folder, *more]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        going.append(subprocess.Popen(line, cwd=ROOT, process_group=0, **pipes))
        return going[-1]

    yield start
    for each in going:
        with each:
            each.kill()


def until_two_go_on(going, folder, before):
    """Wait until two runs are further than they were."""
    until(
        lambda: (
            going.poll() is not None
            or sum(step > before.get(name, 0) for name, step in steps(folder).items()) == 2
        )
    )
    assert going.poll() is None


def steps(folder):
    return {path.name: read_last_step(path) for path in folder.iterdir() if path.is_dir()}


def interrupt(going):
    """Press Ctrl-C, as a terminal sends it to all of its processes."""
    os.killpg(going.pid, signal.SIGINT)
    going.communicate()
    assert going.returncode == 130


def assert_kept(plan, folder):
    """See that the checkpoints are those of the last steps; give the rows of what was begun."""
    begun = [each for each in read_outcomes(folder, plan)[1] if each.steps_done]
    for each in begun:
        unwritten = checkpoint_step(folder / each.run.name) - 1 - each.steps_done
        assert unwritten in (0, 1)  # 1: the step is done, and the look or sample after it is not
    return {each.run.name: read_metrics(folder / each.run.name) for each in begun}


def assert_not_done_again(folder, rows):
    """See that rows are still there with the times that they took, which are never the same."""
    for name, before in rows.items():
        assert read_metrics(folder / name)[: len(before)] == before


@SLOW
def test_what_was_killed_or_interrupted_goes_on_with_the_same_line(long_whole, tmp_path, start):
    plan, _ = an_experiment(tmp_path, **LONG)
    going = start(tmp_path, "--jobs", "2")
    until_two_go_on(going, tmp_path, {})
    going.kill()
    going.communicate()
    for name in steps(tmp_path):  # its processes notice, and end
        hold_run(tmp_path / name, patience_seconds=60).release()
    assert len(assert_kept(plan, tmp_path)) == 2
    going = start(tmp_path, "--jobs", "2")
    until_two_go_on(going, tmp_path, steps(tmp_path))
    interrupt(going)
    rows = assert_kept(plan, tmp_path)
    assert len(rows) >= 2
    assert main(["sweep", "--out", str(tmp_path), "--jobs", "2", "--json"]) == 0
    assert_not_done_again(tmp_path, rows)
    assert written(tmp_path) == written(long_whole)


def test_a_run_killed_between_its_last_row_and_its_last_weights_is_gone_on_with(whole, tmp_path):
    plan, texts = an_experiment(tmp_path)
    name = "a.rate-0.001"
    pieces = conduct(tmp_path, plan, texts)
    until(lambda: next(pieces).steps_done == 3)
    pieces.close()
    done = read_metrics(whole / name)
    add_metrics(tmp_path / name, done[len(read_metrics(tmp_path / name)) :])
    list(conduct(tmp_path, plan, texts))
    assert written(tmp_path) == written(whole)


def test_how_far_a_run_is_is_read_from_the_end_of_its_rows(tmp_path):
    assert read_last_step(tmp_path) == 0
    add_metrics(tmp_path, [{"step": step, "loss": 1.5} for step in range(3000)])
    assert read_last_step(tmp_path) == 2999
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 3000, "lo')
    assert read_last_step(tmp_path) == 2999


# Ray.


@pytest.fixture
def cluster(monkeypatch):
    """Lend a cluster of two machines that do runs, and one that does not."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    found = pytest.importorskip("ray.cluster_utils", reason="needs requirements-ray.txt")
    cluster = found.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    cluster.shutdown()


@SLOW
def test_on_ray_interrupted_runs_and_those_of_a_lost_machine_go_on(
    long_whole, tmp_path, cluster, start
):
    plan, _ = an_experiment(tmp_path, **LONG)
    going = start(tmp_path, "--runner", "ray")
    until_two_go_on(going, tmp_path, {})
    interrupt(going)
    rows = assert_kept(plan, tmp_path)
    assert len(rows) == 2
    going = start(tmp_path, "--runner", "ray", "--json")
    until_two_go_on(going, tmp_path, steps(tmp_path))
    cluster.remove_node(max(cluster.worker_nodes, key=id), allow_graceful=False)
    told = [json.loads(line)["run"] for line in going.communicate()[0].splitlines()]
    assert going.returncode == 0
    assert sorted(told) == sorted(written(long_whole))
    assert_not_done_again(tmp_path, rows)
    assert written(tmp_path) == written(long_whole)


@SLOW
def test_a_cluster_that_cannot_be_used_is_one_sentence(tmp_path, cluster):
    an_experiment(tmp_path)
    line = [sys.executable, "-m", "tiny_llama", "sweep", "--out", tmp_path, "--runner", "ray"]
    for more, address, words in (
        (["--threads", "3"], cluster.address, "--threads 3 is more than the 1 processors"),
        ([], "127.0.0.1:9", "RAY_ADDRESS='127.0.0.1:9' cannot be used"),
    ):
        found = subprocess.run(
            [*line, *more],
            env=os.environ | {"RAY_ADDRESS": address},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 2
        assert words in found.stderr.splitlines()[-1]
        assert "Traceback" not in found.stderr


def test_without_ray_a_sentence_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    an_experiment(tmp_path)
    assert main(["sweep", "--out", str(tmp_path), "--runner", "ray"]) == 2
    said = capsys.readouterr().err
    assert said.endswith("install it with pip install -r requirements-ray.txt.\n")
    assert said.count("\n") == 1


def test_jobs_are_for_this_machine(tmp_path, capsys):
    line = ["sweep", "--out", str(tmp_path), "--runner", "ray", "--jobs", "3"]
    assert main(line) == 2
    assert "--jobs 3 is for runs on this machine" in capsys.readouterr().err
