"""The pretrained models are what their recorded lines made, and can be used at once."""

import re
import shlex
from itertools import islice
from pathlib import Path

import pytest

import tiny_llama
from explorer import content
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.roles import CLEAR, ROLES, best_role
from tiny_llama.analyses.subject import Subject
from tiny_llama.checkpoint import (
    MODEL,
    build_model,
    load_model,
    load_snapshot,
    new_trainer,
)
from tiny_llama.command_line import read_words
from tiny_llama.commands.train import setup_of
from tiny_llama.corpora import CORPORA
from tiny_llama.corpora.tales import is_name
from tiny_llama.generation import generate
from tiny_llama.menu import POSITION
from tiny_llama.metrics import read_metrics
from tiny_llama.sample_config import SampleConfig
from tiny_llama.setup import changes, snapshot_steps
from tiny_llama.tensor_files import load_tensors

FOLDER = Path(tiny_llama.__file__).parent / "pretrained"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
README = (FOLDER / "README.md").read_text(encoding="utf-8")
OTHER_POSITIONS = ("learned", "sinusoidal", "alibi", "no-positions")
LINES = {
    Path(shlex.split(line)[-1]).name: shlex.split(line)[3:]
    for line in re.findall(r"^python -m tiny_llama train .*$", README, flags=re.M)
}


def test_every_pretrained_model_has_its_line_and_every_line_its_model():
    assert sorted(LINES) == NAMES
    assert len(NAMES) >= 2


def test_together_they_are_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 20_000_000


@pytest.mark.parametrize("name", NAMES)
def test_a_line_says_what_its_model_was_made_with(name):
    found, said = load_model(FOLDER / name).setup, setup_of(read_words(LINES[name]))
    assert found.training == said.training
    assert found.corpus == said.corpus
    wanted = {**said.as_dict()["model"], "vocab_size": found.model.vocab_size}
    assert found.as_dict()["model"] == wanted


@pytest.mark.parametrize("name", NAMES)
def test_the_recorded_steps_happen_again(name):
    """Compare the digits that other processors share; the same machine repeats all of them."""
    recorded = read_metrics(FOLDER / name)
    again = list(islice(new_trainer(load_model(FOLDER / name).setup), 4))
    for report, row in zip(again[1:], recorded[1:], strict=False):
        assert report.loss == pytest.approx(row["loss"], rel=1e-3)
        assert report.gradient_norm == pytest.approx(row["gradient_norm"], rel=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_the_pretrained_weights_have_the_recorded_held_out_loss(name):
    found, last = load_model(FOLDER / name), read_metrics(FOLDER / name)[-1]
    assert last["step"] == found.setup.training.steps == found.next_step - 1
    run = new_trainer(found.setup)
    tensors, _ = load_tensors(FOLDER / name / MODEL)
    run.model.load_state_dict(build_model(found.setup.model, tensors).state_dict())
    assert run.evaluate().loss == pytest.approx(last["held_out_loss"], rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_snapshots_start_untrained_and_end_trained(name):
    found = load_model(FOLDER / name)
    steps = snapshot_steps(FOLDER / name)
    assert steps == sorted(found.setup.training.snapshot_steps)
    if steps:
        last = load_snapshot(FOLDER / name, steps[-1]).embedding.weight
        assert last.allclose(found.model.embedding.weight, rtol=1e-2, atol=1e-3)


def test_the_model_of_tales_writes_words_that_the_tales_have():
    found = load_model(FOLDER / "tales-llama")
    known = set(re.findall(r"[a-z]+", CORPORA["tales"].text().lower()))
    prompt = found.tokenizer.encode("Once")
    settings = SampleConfig(n_tokens=600, temperature=0.8, seed=1)
    said = [each.token for each in generate(found.model, prompt, settings)]
    words = re.findall(r"[a-z]+", found.tokenizer.decode([*prompt, *said]).lower())[:-1]
    assert sum(word in known for word in words) / len(words) > 0.97


@pytest.mark.parametrize("role", ["previous", "separator", "induction"])
def test_on_the_text_that_pages_begin_with_a_head_plays_each_role(role):
    found = ANALYSES["heads"].run(
        Subject.load(FOLDER / "tales-llama"), text=content.example("tales")
    )
    best = {best_role(scores) for layer in found["roles"] for scores in layer}
    assert role in best
    assert found["roles"][..., list(ROLES).index(role)].max() > CLEAR


def test_a_name_that_no_tale_has_is_copied_by_heads_alone():
    """Let every syllable of it but the first be read from its last copy, and be certain."""
    text, subject = content.example("tales"), Subject.load(FOLDER / "tales-llama")
    (hero,) = {word for word in re.findall(r"[A-Za-z]+", text) if is_name(word)}
    assert hero not in CORPORA["tales"].text()
    losses = ANALYSES["reading"].run(subject, text=text)
    syllables = [hero[:2], hero[2:4], hero[4:]]
    places = [i for i, token in enumerate(losses["tokens"]) if token == f" {hero[:2]}"]
    for place in places[1:]:
        assert [each.strip() for each in losses["tokens"][place : place + 3]] == syllables
        assert max(losses["losses"][place : place + 2]) < 0.05  # of what follows the first


def test_the_model_of_repeats_has_learned_to_repeat():
    assert read_metrics(FOLDER / "repeat-llama")[-1]["accuracy"] > 0.9


def test_the_models_of_each_position_differ_in_nothing_else():
    setups = [load_model(FOLDER / f"tales-{name}").setup for name in ("llama", *OTHER_POSITIONS)]
    assert len({setup.model.position for setup in setups}) == len(POSITION) == len(setups)
    for other in setups[1:]:
        assert set(changes(setups[0], other)) <= {"position", "n_snapshots"}


def test_the_two_models_of_tales_are_matched():
    llama, gpt3 = (load_model(FOLDER / name) for name in ("tales-llama", "tales-gpt3"))
    assert llama.setup.training.steps == gpt3.setup.training.steps
    assert llama.model.n_parameters() == pytest.approx(gpt3.model.n_parameters(), rel=0.02)
