"""AnswerCache and models that are kept while there is room, and found again."""

import numpy as np
import pytest

from explorer.engine.server.answer_cache import Answer, AnswerCache, key_of
from explorer.engine.server.engine import Engine
from explorer.engine.server.pretrained import FOLDER
from explorer.engine.worker.model_cache import ModelCache
from tiny_llama.checkpoint import new_trainer
from tiny_llama.setup import Setup

REPEAT = FOLDER / "repeat-llama"


def answer(n_bytes):
    return Answer(step=1, found={"array": np.zeros(n_bytes, np.uint8)})


def key(name):
    return key_of("run", 1, name, {})


def test_an_answer_is_found_again_by_the_same_question_alone():
    answers = AnswerCache(1_000_000)
    kept = answer(10)
    answers.keep(key_of("run", 1, "heads", {"text": "a", "layer": 0}), kept)
    assert answers.find(key_of("run", 1, "heads", {"layer": 0, "text": "a"})) is kept
    for other in (
        key_of("another", 1, "heads", {"text": "a", "layer": 0}),
        key_of("run", 2, "heads", {"text": "a", "layer": 0}),
        key_of("run", 1, "stages", {"text": "a", "layer": 0}),
        key_of("run", 1, "heads", {"text": "b", "layer": 0}),
    ):
        assert answers.find(other) is None


def test_the_answers_asked_for_longest_ago_make_room():
    answers = AnswerCache(10_000)
    for name in "abcd":
        answers.keep(key(name), answer(1_900))
    answers.find(key("a"))
    answers.keep(key("e"), answer(1_900))
    assert answers.find(key("b")) is None
    assert all(answers.find(key(name)) for name in "acde")
    answers.keep(key("huge"), answer(9_000))
    assert answers.find(key("huge")) is None
    assert answers.find(key("e"))


def test_keeping_an_answer_twice_takes_its_room_once():
    answers = AnswerCache(10_000)
    for _ in range(20):
        answers.keep(key("a"), answer(1_900))
    answers.keep(key("b"), answer(1_900))
    assert answers.find(key("a"))


def test_a_model_is_read_once_and_the_snapshots_beside_it():
    subjects = ModelCache(10_000_000)
    last = subjects.find("repeat", REPEAT, 2000)
    assert subjects.find("repeat", REPEAT, 2000) is last
    then = subjects.find("repeat", REPEAT, 284)
    assert then.step == 284
    assert subjects.find("repeat", REPEAT, 284) is then


def test_a_step_that_is_not_kept_gives_the_model_as_it_stands():
    assert ModelCache(10_000_000).find("repeat", REPEAT, 1234).step == 2000


def test_a_model_is_given_the_text_in_tokens_that_runs_have_of_it():
    tokens = object()
    subjects = ModelCache(10_000_000, lambda setup, tokenizer: tokens)
    assert subjects.find("repeat", REPEAT, None).tokens is tokens
    assert ModelCache(10_000_000).find("repeat", REPEAT, None).tokens is None


def test_models_make_room_for_one_another():
    subjects = ModelCache(1)
    first = subjects.find("repeat", REPEAT, 2000)
    subjects.find("repeat", REPEAT, 0)
    assert subjects.find("repeat", REPEAT, 2000) is not first


def test_a_model_that_trains_is_looked_at_in_a_copy_that_stays(tmp_path):
    setup = Setup().with_values(
        {"corpus": "repeat", "n_layers": "1", "d_model": "16", "steps": "9"}
    )
    trainer = new_trainer(setup)
    subjects = ModelCache(10_000_000)
    for _ in range(3):
        next(trainer)
    found = subjects.find("live", tmp_path, None, trainer)
    before = found.model.embedding.weight.clone()
    next(trainer)
    assert found.step == 2
    assert not before.equal(trainer.model.embedding.weight)
    assert before.equal(found.model.embedding.weight)
    assert subjects.find("live", tmp_path, 2, trainer) is found
    assert subjects.find("live", tmp_path, None, trainer).step == 3
    assert trainer.model.training
    assert not found.model.training


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = Engine(tmp_path_factory.mktemp("runs"))
    yield engine
    engine.close()


def test_a_class_that_asks_the_same_is_answered_once(engine):
    first = engine.analyse("tales-llama", "heads", text="Once there was")
    assert engine.analyse("tales-llama", "heads", text="Once there was") is first
    assert engine.analyse("tales-llama", "heads", text="Once there") is not first
    with pytest.raises(ValueError, match="read-only"):
        first["maps"][:] = 0


def test_an_earlier_step_of_a_pretrained_model_is_another_answer(engine):
    now, then = (
        engine.analyse("tales-llama", "reading", step=step, text="Once there was")
        for step in (None, 0)
    )
    assert (now.step, then.step) == (4000, 0)
    assert then["losses"].mean() > 3 > now["losses"].mean()
    assert engine.snapshot_steps(engine.poll("tales-llama"))[0] == 0
