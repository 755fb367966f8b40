import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import until
from damaging import flip

from tiny_llama.__main__ import main
from tiny_llama.commands import sign_of_life
from tiny_llama.metrics import read_metrics
from tiny_llama.recording import Recorder

ROOT = Path(__file__).parent.parent
SMALL = ["--set", "d_model=16", "--set", "n_layers=1", "--set", "n_heads=2", "--set", "context=16"]
SMALL += ["--set", "sample_tokens=5", "--set", "batch_size=4", "--set", "tokenizer=characters"]
SONG = "The cat sat on the mat, and the dog ran to the log. " * 40
TOO_LARGE = ["train", "--steps", "5", "--out", "x", "--set"]
EXPERTS = ["--set", "feed_forward=moe_swiglu", "--set", "n_experts=512"]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "song.txt"
    path.write_text(SONG)
    return str(path)


@pytest.fixture
def run(tmp_path, text, capsys):
    """Train a small run."""
    folder = str(tmp_path / "run")
    assert main(["train", "--text", text, *SMALL, "--steps", "20", "--out", folder]) == 0
    capsys.readouterr()
    return folder


def rows(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refused(arguments, capsys) -> str:
    """Run a command that must fail: one sentence, exit code 2, nothing on standard output.

    On a busy machine, signs of life may come before it.
    """
    assert main([str(word) for word in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (sentence,) = [line for line in said.err.splitlines() if not line.endswith(" s so far.")]
    assert sentence.endswith(".")
    return sentence


def test_training_prints_one_json_object_a_step(tmp_path, text, capsys):
    folder = str(tmp_path / "run")
    line = ["train", "--text", text, *SMALL, "--steps", "5", "--out", folder, "--json"]
    assert main([*line, "--seed", "3"]) == 0
    printed = rows(capsys)
    assert [row["step"] for row in printed] == list(range(6))
    assert printed == read_metrics(Path(folder))


def test_training_shows_a_bar_and_samples(tmp_path, text, capsys):
    folder = str(tmp_path / "run")
    main(["train", "--text", text, *SMALL, "--steps", "5", "--out", folder])
    said = capsys.readouterr()
    assert "5/5" in said.err
    assert "--- after step 5" in said.out


def test_the_same_seed_trains_the_same_model(tmp_path, text, capsys):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        line = ["train", "--text", text, *SMALL, "--steps", "4", "--out", str(tmp_path / name)]
        main([*line, "--seed", str(seed)])
    models = [
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two", "three")
    ]
    assert models[0] == models[1] != models[2]


def test_a_sample_goes_on_from_the_prompt(run, capsys):
    assert main(["sample", run, "--prompt", "The cat", "--tokens", "8"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("The cat")
    assert len(said.rstrip("\n")) == 15
    assert main(["sample", run, "--prompt", "The cat", "--tokens", "8", "--json"]) == 0
    written = rows(capsys)
    assert "".join(row["text"] for row in written) == said.rstrip("\n")[7:]
    assert all(0 < row["probability"] <= 1 for row in written)


def test_a_model_is_measured_on_a_text(run, text, capsys):
    assert main(["eval", run, "--text", text, "--json"]) == 0
    (found,) = rows(capsys)
    assert found["n_tokens"] == len(SONG)
    assert found["bits_per_byte"] == pytest.approx(
        found["loss"] / 0.6931 * (1 - 1 / len(SONG)), rel=1e-2
    )
    assert main(["eval", run, "--text", text]) == 0
    assert "bits per byte" in capsys.readouterr().out


def test_costs_of_llama_7b_are_the_published_ones(capsys):
    assert main(["cost", "llama-1-7b", "--json"]) == 0
    (found,) = rows(capsys)
    assert found["parameters"] == 6_738_415_616
    main(["cost", "llama-1-7b", "--set", "n_kv_heads=8"])
    assert "5,933,109,248" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["presets", "corpora", "menu"])
def test_lists_name_what_can_be_chosen(what, capsys):
    assert main(["list", what]) == 0
    said = capsys.readouterr().out
    assert {"presets": "llama-1-65b", "corpora": "tales", "menu": "swiglu"}[what] in said
    assert main(["list", what, "--json"]) == 0
    assert len(rows(capsys)) == said.count("\n")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "required"),
        (["dance"], "dance"),
        (["train", "--steps", "5"], "--out"),
        (["train", "--out", "x"], "--steps"),
        (["train", "--steps", "0", "--out", "x"], "at least 1"),
        (["train", "--steps", "many", "--out", "x"], "many"),
        (["train", "--steps", "5", "--out", "x", "--corpus", "bible"], "corpus='bible'"),
        (["train", "--steps", "5", "--out", "x", "--preset", "gpt5"], "preset='gpt5'"),
        (["train", "--steps", "5", "--out", "x", "--set", "norm"], "field=value"),
        (["train", "--steps", "5", "--out", "x", "--set", "nrom=rmsnorm"], "'nrom'"),
        (["train", "--steps", "5", "--out", "x", "--set", "norm=batch"], "norm='batch'"),
        (["train", "--steps", "5", "--out", "x", "--set", "d_model=sixty"], "d_model='sixty'"),
        (["train", "--steps", "5", "--out", "x", "--set", "d_model=65"], "n_heads=4"),
        (["train", "--steps", "5", "--out", "x", "--set", f"norm_eps={'9' * 400}"], "norm_eps"),
        (["train", "--steps", "5", "--out", "x", "--seed", "-1"], "seed=-1"),
        (["train", "--out", "nowhere", "--resume"], "holds no run"),
        (["train", "--out", "nowhere", "--resume", "--seed", "1"], "leave --seed out"),
        (["train", "--steps", "5", "--out", "x", "--text", "a", "--corpus", "tales"], "choose one"),
        (["train", "--steps", "5", "--out", "x", "--text", "nowhere.txt"], "nowhere.txt"),
        (["sample", "nowhere", "--prompt", "a"], "holds no run"),
        (["eval", "nowhere", "--text", "a"], "holds no run"),
        (["cost", "llama-9"], "llama-9"),
        (["cost", "llama-1-7b", "--set", "n_heads=3"], "n_heads=3"),
        (["export", "nowhere", "x", "--format", "hf"], "holds no run"),
        (["export", "a", "b", "--format", "onnx"], "onnx"),
        (["list", "secrets"], "secrets"),
        (["list", "menu", "--threads", "99999999999"], "at most 1024"),
        (["train", "--steps", "5", "--out", "x", "--preset", "llama-1-65b"], "counting only"),
        (["train", "--steps", "5", "--out", "x" * 300], "cannot be"),
        (["sample", "x" * 300, "--prompt", "a"], "cannot be"),
        (
            ["train", "--steps", "5", "--out", "x", "--set", "batch_size=100000"],
            "12,800,000 tokens a step",
        ),
        (["train", "--steps", "5", "--out", ""], "'' is no name of a folder"),
        (["train", "--steps", "5", "--out", "a\0b"], "is no name of a folder"),
        (["train", "--steps", "5", "--out", "x", "--text", "a\0b"], "is no name of a folder"),
        (["sample", "", "--prompt", "a"], "'' is no name of a folder"),
        (["eval", "a\0b", "--text", "a"], "is no name of a folder"),
        (["export", "a", "", "--format", "hf"], "'' is no name of a folder"),
        ([*TOO_LARGE, "n_layers=10000"], "70,003 tensors, and must be at most 20,000"),
        ([*TOO_LARGE, "n_layers=1000", *EXPERTS], "n_layers=1,000 and n_experts=512"),
        ([*TOO_LARGE, "d_model=1000000"], "parameters, and must have at most 1,000,000,000"),
        ([*TOO_LARGE, "context=10000000", "--set", "batch_size=1"], "context=10,000,000 must be"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(arguments, word, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert word in refused(arguments, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "accepted"),
    [
        (b"", False),
        (b"a", False),
        (b"x" * 10_000_000, False),
        (bytes(range(256)) * 20, False),
        ("😀🦙 ".encode() * 400, True),
        ("שלום עולם ".encode() * 200, True),
        (b"<script>alert(1)</script>\n" * 60, True),
        (b"a\0b\0c " * 300, None),
    ],
    ids=["empty", "one", "10 MB", "binary", "emoji", "right-to-left", "script", "NUL"],
)
def test_hostile_text_is_trained_on_or_refused_with_a_sentence(tmp_path, capsys, content, accepted):
    path = tmp_path / "hostile.txt"
    path.write_bytes(content)
    line = ["train", "--text", path, *SMALL, "--steps", "2", "--out", tmp_path / "run"]
    if accepted is False:
        refused(line, capsys)
    else:
        code = main([str(word) for word in line])
        assert code == 0 if accepted else code in (0, 2)
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("prompt", ["", "\0", "🦙 שלום", "<script>", "x" * 5000])
def test_hostile_prompts_are_answered(run, capsys, prompt):
    code = main(["sample", run, "--prompt", prompt, "--tokens", "3"])
    said = capsys.readouterr()
    assert code == (0 if prompt else 2)
    assert "Traceback" not in said.err


def test_any_temperature_can_be_asked_for(run, capsys):
    for temperature in ("1e-320", "1e-40", "0", "100"):
        assert main(["sample", run, "--prompt", "The", "--temperature", temperature]) == 0


@pytest.mark.parametrize("evaluate_every", [0, 1])
def test_weights_that_overflow_end_a_run_with_a_sentence(tmp_path, capsys, evaluate_every):
    wild = ["norm=none", "n_layers=8", "learning_rate=1000", "warmup_steps=0", "gradient_clip=0"]
    line = ["train", "--corpus", "copy", "--steps", "3", "--out", str(tmp_path / "run")]
    line += [word for value in [*wild, "sample_every=1"] for word in ("--set", value)]
    assert main([*line, "--set", f"evaluate_every={evaluate_every}", "--json"]) == 2
    said = capsys.readouterr()
    assert "learning rate" in said.err
    assert "NaN" not in said.out


def test_a_terminal_that_lacks_characters_gets_others(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("шалом 🦙 " * 200, encoding="utf-8")
    line = [sys.executable, "-m", "tiny_llama", "train", "--text", path, *SMALL, "--steps", "1"]
    line += ["--out", tmp_path / "run"]
    plain = os.environ | {"PYTHONIOENCODING": "cp1252"}
    subprocess.run(line, check=True, cwd=ROOT, capture_output=True, env=plain)


def test_a_used_folder_is_not_overwritten(run, text, capsys):
    line = ["train", "--text", text, *SMALL, "--steps", "5", "--out", run]
    assert "already holds a run" in refused(line, capsys)


def test_a_run_exported_for_hugging_face_says_what_stands_in_the_way(tmp_path, text, run, capsys):
    assert main(["export", run, str(tmp_path / "hf"), "--format", "hf"]) == 0
    assert (tmp_path / "hf" / "config.json").exists()
    odd = str(tmp_path / "odd")
    main(["train", "--text", text, *SMALL, "--steps", "2", "--out", odd, "--set", "position=alibi"])
    capsys.readouterr()
    assert "alibi" in refused(["export", odd, tmp_path / "hf2", "--format", "hf"], capsys)


@pytest.mark.slow
def test_a_run_interrupted_by_hand_is_resumed_bit_for_bit(tmp_path, text):
    line = [sys.executable, "-m", "tiny_llama", "train"]
    fresh = [*line, "--text", text, *SMALL, "--steps", "1500", "--out"]
    subprocess.run([*fresh, tmp_path / "whole"], check=True, cwd=ROOT, capture_output=True)
    stopped = subprocess.Popen([*fresh, tmp_path / "cut"], cwd=ROOT, stderr=subprocess.PIPE)
    while len(read_metrics(tmp_path / "cut")) < 2:
        time.sleep(0.05)
    stopped.send_signal(signal.SIGINT)
    said = stopped.communicate()[1].decode()
    assert stopped.returncode == 130, said
    assert "--resume goes on from there" in said
    resume = [*line, "--out", tmp_path / "cut", "--resume"]
    subprocess.run(resume, check=True, cwd=ROOT, capture_output=True)

    def results(name):
        found = read_metrics(tmp_path / name)
        return [{k: v for k, v in row.items() if k != "seconds"} for row in found]

    assert results("cut") == results("whole")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("cut", "whole")]
    assert weights[0] == weights[1]


def test_what_is_only_written_down_may_be_of_any_size(capsys):
    huge = ["--set", "n_layers=10000", *EXPERTS]
    assert main(["script", *huge]) == 0
    assert "10_000" in capsys.readouterr().out.replace("10000", "10_000")
    assert main(["cost", "tiny-llama", *huge, "--json"]) == 0
    assert rows(capsys)[0]["parameters"] > 10**11


def test_a_pipe_that_nobody_writes_to_is_no_text(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    line = ["train", "--text", tmp_path / "pipe", "--steps", "5", "--out", tmp_path / "run"]
    assert "no file with a text" in refused(line, capsys)


def test_a_text_can_come_from_standard_input(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SONG.encode())))
    folder = tmp_path / "run"
    assert main(["train", "--text", "-", *SMALL, "--steps", "3", "--out", str(folder)]) == 0
    assert (folder / "text.txt").read_text() == SONG
    assert main(["train", "--resume", "--steps", "5", "--out", str(folder)]) == 0


def test_a_long_look_before_the_first_step_shows_that_it_goes_on(
    tmp_path, text, monkeypatch, capsys
):
    monkeypatch.setattr(sign_of_life, "FIRST_SECONDS", 0.0)
    line = ["train", "--text", text, *SMALL, "--steps", "1", "--out", str(tmp_path / "run")]
    assert main([*line, "--set", "evaluate_texts=10000", "--json"]) == 0
    said = capsys.readouterr()
    assert "Preparing text and tokenizer, for 0 s so far." in said.err
    assert "Looking at 10,000 held-out texts before the first step, for 0 s so far." in said.err
    assert [json.loads(row)["step"] for row in said.out.splitlines()] == [0, 1]


def test_a_run_that_was_cut_off_before_its_first_checkpoint_starts_anew(
    tmp_path, text, monkeypatch, capsys
):
    def cut_off(*_args, **_more):
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    line = ["train", "--text", text, *SMALL, "--steps", "5", "--out", str(folder)]
    with monkeypatch.context() as patch:
        patch.setattr("tiny_llama.recording.save_checkpoint", cut_off)
        assert main(line) == 130
    assert capsys.readouterr().err == "Stopped.\n"
    assert (folder / "setup.json").exists()
    said = refused(["train", "--resume", "--out", folder], capsys)
    assert "stopped before its first checkpoint; start it anew" in said
    assert main(line) == 0
    assert [row["step"] for row in read_metrics(folder)] == list(range(6))


def test_what_is_damaged_is_said_beside_the_result(run, text, capsys):
    model = Path(run) / "model.safetensors"
    flip(model, -1)
    for line in (["eval", run, "--text", text, "--json"], ["sample", run, "--prompt", "The"]):
        assert main(line) == 0
        said = capsys.readouterr().err
        assert said.startswith("The last checkpoint was damaged (model.safetensors)")
    (Path(run) / "model.before.safetensors").unlink()
    assert "model.safetensors is damaged" in refused(["eval", run, "--text", text], capsys)


def test_a_damaged_log_is_said_when_a_run_goes_on(run, capsys):
    log = Path(run) / "metrics.jsonl"
    for n_before, steps, word in (
        (0, [21, 22], "In metrics.jsonl, line 1 is damaged and left out."),
        (9, [23], "In metrics.jsonl, the rows of 1 of 22 steps so far are damaged or missing"),
    ):
        rows = log.read_bytes().splitlines(keepends=True)
        flip(log, len(b"".join(rows[:n_before])) + 3)
        line = ["train", "--resume", "--steps", str(steps[-1]), "--out", run, "--json"]
        assert main(line) == 0
        said = capsys.readouterr()
        assert word in said.err
        assert [json.loads(row)["step"] for row in said.out.splitlines()] == steps


def test_an_export_that_fails_leaves_nothing_in_the_way_of_the_next(
    run, tmp_path, monkeypatch, capsys
):
    def no_room(*_args):
        raise OSError(28, "No space left on device")

    line = ["export", run, tmp_path / "hf", "--format", "hf"]
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("tiny_llama.hugging_face.write_tokenizer_json", no_room)
        assert "No space left" in refused(line, capsys)
    assert sorted(tmp_path.iterdir()) == before
    assert main([str(word) for word in line]) == 0
    assert {path.name for path in (tmp_path / "hf").iterdir()} >= {"config.json", "tokenizer.json"}


def test_a_folder_that_is_lost_while_a_run_goes_ends_it_with_a_sentence(
    tmp_path, text, monkeypatch, capsys
):
    folder, keep = tmp_path / "run", Recorder.keep

    def lose(recorder, report):
        if report.step == 3:
            shutil.rmtree(folder)
            recorder.row_seconds = 0
        return keep(recorder, report)

    monkeypatch.setattr(Recorder, "keep", lose)
    line = ["train", "--text", text, *SMALL, "--steps", "50", "--out", folder, "--json"]
    assert main([str(word) for word in line]) == 2
    assert "The folder 'run' cannot be written (No such file or directory)" in (
        capsys.readouterr().err
    )
    assert not folder.exists()


DROP_RIGHTS = """
import ctypes, pathlib, sys
for capability in (1, 2):  # to pass over the rights of files; the next program will not have them
    assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0
import os
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
LOSE_RIGHTS = """
import sys
from pathlib import Path
from tiny_llama.__main__ import main
from tiny_llama.recording import Recorder
folder, keep = Path(sys.argv[-1]), Recorder.keep
def lose(recorder, report):
    if report.step == 3:
        folder.chmod(0o500)
        (folder / "metrics.jsonl").chmod(0o400)
        recorder.row_seconds = 0
    return keep(recorder, report)
Recorder.keep = lose
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_folder_that_loses_its_rights_while_a_run_goes_ends_it_with_a_sentence(tmp_path, text):
    folder = tmp_path / "run"
    train = ["train", "--text", text, *SMALL, "--steps", "50", "--json", "--out", folder]
    as_root = ["-c", DROP_RIGHTS] if os.geteuid() == 0 else []
    line = [sys.executable, *as_root, "-c", LOSE_RIGHTS, *train]
    found = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    folder.chmod(0o700)
    (folder / "metrics.jsonl").chmod(0o600)
    assert found.returncode == 2, found.stderr
    assert "cannot be written (Permission denied)" in found.stderr
    assert "Traceback" not in found.stderr
    assert main(["train", "--resume", "--out", str(folder)]) == 0
    assert [row["step"] for row in read_metrics(folder)] == list(range(51))


def reads_pytorch(pid, _folder):
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()


def has_begun(_pid, folder):
    return (folder / "model.safetensors").exists()


def has_rows(_pid, folder):
    return len(read_metrics(folder)) > 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("moment", "n_signals"), [(reads_pytorch, 1), (has_begun, 1), (has_rows, 1), (has_rows, 2)]
)
def test_ctrl_c_ends_a_command_at_any_moment_with_a_sentence(tmp_path, text, moment, n_signals):
    folder = tmp_path / "run"
    line = [sys.executable, "-m", "tiny_llama", "train", "--text", text, *SMALL]
    line += ["--steps", "100000", "--set", "evaluate_texts=2000", "--out", folder]
    running = subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    until(lambda: running.poll() is not None or moment(running.pid, folder))
    for _ in range(n_signals):
        running.send_signal(signal.SIGINT)
    said = running.communicate()[1].decode()
    assert running.returncode == 130, said
    assert "Traceback" not in said
    assert said.endswith("Stopped.\n")
    if moment is not reads_pytorch:
        assert "--resume goes on from" in said
    if has_begun(0, folder):
        done = len(read_metrics(folder))
        assert main(["train", "--resume", "--steps", str(done + 5), "--out", str(folder)]) == 0
        assert [row["step"] for row in read_metrics(folder)] == list(range(done + 6))
