"""The recorded training on the first screen: it is what was logged, and its words say so."""

import numpy as np
import pytest

from explorer.components.live_chart import moving_average
from explorer.components.replay import MOST_POINTS, Recording, replay_data, replay_words
from explorer.engine.server.pretrained import pretrained_run
from explorer.home.glance import recording
from tiny_llama.metrics import read_metrics

RUN = pretrained_run()
ROWS = read_metrics(RUN.folder)


def test_every_point_and_every_text_was_logged():
    data = replay_data(recording())
    logged = {row["step"]: row["loss"] for row in ROWS if "loss" in row}
    assert len(data["steps"]) == len(data["losses"]) == MOST_POINTS
    for step, loss in zip(data["steps"], data["losses"], strict=True):
        assert loss == pytest.approx(logged[step], rel=1e-3)
    assert (data["steps"][0], data["steps"][-1]) == (min(logged), max(logged))
    assert data["samples"] == [[row["step"], row["sample"]] for row in ROWS if "sample" in row]


def test_the_average_is_that_of_the_live_chart():
    data = replay_data(recording())
    averages = moving_average(np.array(RUN.series["loss"].values))
    at = [list(RUN.series["loss"].steps).index(step) for step in data["steps"]]
    assert data["averages"] == pytest.approx(averages[at], rel=1e-3)


def test_a_short_training_is_sent_whole():
    steps, losses = [1, 2, 3], [3.0, 2.0, 1.0]
    short = Recording(title="t", note="n", steps=steps, losses=losses, samples=[(0, "x")])
    data = replay_data(short)
    assert (data["steps"], data["losses"]) == (steps, losses)


def test_its_words_say_that_it_is_recorded_how_the_loss_fell_and_what_was_written():
    words = replay_words(recording())
    assert "Recorded" in words
    assert RUN.id in words
    losses = RUN.series["loss"].values
    assert f"from {losses[0]:.2f} to {losses[-1]:.2f}" in words
    assert f"in {len(losses):,} steps" in words
    for _, text in (RUN.samples[0], RUN.samples[-1]):
        assert text[:40] in words
