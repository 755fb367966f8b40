"""A run trained by a real browser is the server's own: the same dice, steps, looks, and rules."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from trainer_page import train, trainer_page

from explorer.components.browser_trainer.build import HERE as FOLDER
from tiny_llama.checkpoint import new_trainer
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import own_text
from tiny_llama.data import tokenize
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.train_config import TrainConfig

pytestmark = pytest.mark.slow
TEXT = "the cat sat on the mat, and the dog ran to the log; who saw them? " * 200
MODEL = ModelConfig(context=24, n_layers=2, d_model=32, n_heads=4, n_kv_heads=2)
TRAINING = TrainConfig(
    steps=60,
    warmup_steps=10,
    evaluate_every=20,
    evaluate_texts=11,
    sample_tokens=60,
    seed=7,
    data_seed=3,
)
SETUP = Setup(model=MODEL, training=TRAINING, corpus=OWN_TEXT)


@pytest.fixture(scope="module", params=["browser", "firefox"])
def page(request):
    return trainer_page(request.getfixturevalue(request.param))


def trainer_of(setup):
    return new_trainer(setup, tokenize(own_text(TEXT), "characters"))


@pytest.mark.parametrize("seed", [0, 1, 7, 2**32 - 1])
@pytest.mark.parametrize("end", [1, 2, 1000, 1_234_567, 2**31 + 5, 2**32])
def test_its_dice_are_numpy_s(page, seed, end):
    script = """([seed, end]) => [0, 1, 9, 1000, 9999999].map(step => {
      const random = new Random([seed, step])
      return Array.from({ length: 9 }, () => random.below(end))
    })"""
    steps = [0, 1, 9, 1000, 9_999_999]
    wanted = [np.random.default_rng([seed, step]).integers(0, end, 9).tolist() for step in steps]
    assert page.evaluate(script, [seed, end]) == wanted


def test_its_shares_and_longer_seeds_are_numpy_s(page):
    script = """numbers => {
      const random = new Random(numbers)
      return Array.from({ length: 5 }, () => random.share())
    }"""
    for numbers in ([3], [2**40 + 3, 5], [1, 2, 3, 4, 5, 6]):
        wanted = np.random.default_rng(numbers).random(5).tolist()
        assert page.evaluate(script, numbers) == wanted


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("warmup_steps", [0, 10, 100])
def test_learning_rates_are_the_library_s(page, schedule, warmup_steps):
    config = replace(TRAINING, schedule=schedule, warmup_steps=warmup_steps)
    script = "([config, steps]) => steps.map(step => learningRateAt(config, step))"
    steps = list(range(1, config.steps + 3))
    found = page.evaluate(script, [asdict(config), steps])
    assert found == pytest.approx([config.learning_rate_at(step) for step in steps], rel=1e-14)


@pytest.mark.parametrize(
    ("where", "noise"), [("worker", 0.0), ("two workers", 0.0), ("page", 0.0), ("worker", 0.3)]
)
def test_the_same_seed_gives_the_same_curve(page, where, noise):
    setup = SETUP.with_settings({"text_noise": noise})
    trainer = trainer_of(setup)
    found = train(page, trainer, setup, where=where)
    wanted = list(trainer)
    assert [row["step"] for row in found["reports"]] == list(range(TRAINING.steps + 1))
    for row, report in zip(found["reports"], wanted, strict=True):
        assert row["n_tokens"] == report.n_tokens
        if report.loss is not None:
            assert row["loss"] == pytest.approx(report.loss, rel=1e-3)
            assert row["gradient_norm"] == pytest.approx(report.gradient_norm, rel=2e-2)
            assert row["learning_rate"] == pytest.approx(report.learning_rate)
        assert ("held_out_loss" in row) == (report.held_out is not None)
        if report.held_out:
            assert row["held_out_loss"] == pytest.approx(report.held_out.loss, rel=1e-3)
            assert row["bits_per_byte"] == pytest.approx(report.held_out.bits_per_byte, rel=1e-3)
        assert ("sample" in row) == (report.sample is not None)
    assert found["states"][-1] == "finished"


def test_the_first_steps_agree_to_the_last_digits(page):
    trainer = trainer_of(SETUP)
    found = train(page, trainer, SETUP)["reports"]
    for row in found[1:6]:
        next_one = next(report for report in trainer if report.step == row["step"])
        assert row["loss"] == pytest.approx(next_one.loss, abs=2e-6)


@pytest.mark.parametrize("n_texts", [1, 2, 8, 11])
def test_whoever_trains_the_numbers_are_the_very_same(page, n_texts):
    setup = SETUP.with_settings({"batch_size": n_texts})
    found = [
        train(page, trainer_of(setup), setup, where=where)
        for where in ("worker", "two workers", "page")
    ]
    assert any(found[1]["wereShared"])
    assert all(each["weights"] == found[0]["weights"] for each in found)
    assert all(losses(each) == losses(found[0]) for each in found)


def test_a_second_worker_that_falls_silent_is_done_without(page):
    how = {"orders": ["step", "step", "resume"], "losesSecondAt": 1}
    found = train(page, trainer_of(SETUP), SETUP, where="two workers", **how)
    alone = train(page, trainer_of(SETUP), SETUP)
    assert found["wereShared"][0]
    assert not found["wereShared"][-1]
    assert losses(found) == losses(alone)
    assert found["weights"] == alone["weights"]


def test_a_second_worker_that_does_not_pay_is_done_without(page):
    def judged_slow(route):
        script = (FOLDER / "partner.js").read_text()
        assert "this.waited > this.worked" in script
        script = script.replace("this.waited > this.worked", "true")
        route.fulfill(body=script, content_type="text/javascript")

    page.route("**/partner.js", judged_slow)
    found = train(page, trainer_of(SETUP), SETUP, where="two workers")
    page.unroute("**/partner.js")
    assert found["wereShared"][0]
    assert not found["wereShared"][-1]
    assert losses(found) == losses(train(page, trainer_of(SETUP), SETUP))


def test_two_workers_obey_as_one_does(page):
    orders = ["step", "resume", "pause", "step", "resume"]
    found = train(page, trainer_of(SETUP), SETUP, where="two workers", orders=orders)
    assert [row["step"] for row in found["reports"]] == list(range(TRAINING.steps + 1))
    assert losses(found) == losses(train(page, trainer_of(SETUP), SETUP))


def losses(found):
    return [row.get("loss") for row in found["reports"]]
