import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tiny_llama.__main__ import main
from tiny_llama.metrics import read_metrics

ROOT = Path(__file__).parent.parent
SMALL = ["--set", "d_model=16", "--set", "n_layers=1", "--set", "n_heads=2", "--set", "context=16"]
SMALL += ["--set", "sample_tokens=5", "--set", "batch_size=4"]
SONG = "The cat sat on the mat, and the dog ran to the log. " * 40


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "song.txt"
    path.write_text(SONG)
    return str(path)


@pytest.fixture
def run(tmp_path, text, capsys):
    """A small trained run."""
    folder = str(tmp_path / "run")
    assert main(["train", "--text", text, *SMALL, "--steps", "20", "--out", folder]) == 0
    capsys.readouterr()
    return folder


def rows(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refused(arguments, capsys) -> str:
    """Run a command that must fail: one sentence, exit code 2, nothing on standard output."""
    assert main([str(word) for word in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.rstrip().endswith(".")
    assert "Traceback" not in said.err
    return said.err


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
    for temperature in ("1e-40", "0", "100"):
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
