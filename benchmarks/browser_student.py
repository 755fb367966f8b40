"""A student whose run trains in their own browser, as the server sees it.

The tab asks for what the run begins with, and hands over what it has learned ten seconds later and
then once a minute, as `session.js` does: it asks for a turn first, gives when it has one, and hears
that it is taken, as `hand_over.js` has it. Nothing is trained here: the numbers are made up, and as
many as those of a browser that does twenty steps a second, so they cost the server the same.
"""

import asyncio
import base64
import json
import time
from typing import Any

import numpy as np
from streamlit_client import Tab

from tiny_llama.train_config import TrainConfig

TRAINER, HAND_OVER = "explorer.browser_trainer", "explorer.hand_over"
FIRST_RETURN, RETURN_EVERY, LEAST_PAUSE = 10, 60, 10
ANSWER_WITHIN = 15
"""Seconds without an answer after which a tab asks again."""
STEPS_A_SECOND = 20


class BrowserTrainer:
    """The component on a tab's page, from the press on Train on.

    Args:
        tab: whose it is.
        first_return: seconds from then until it first hands over.
    """

    def __init__(self, tab: Tab, first_return: float = FIRST_RETURN) -> None:
        self._tab, self._first_return = tab, first_return
        self.run = ""
        """Which run it trains; empty: it has not begun."""
        self.n_given, self.n_taken, self.refusals = 0, 0, list[str]()
        self.took: list[float] = []
        """Seconds from the first question to the answer that it is taken, of each time."""
        self._task = asyncio.create_task(self._train())

    def stop(self) -> None:
        """Train no more."""
        self._task.cancel()

    async def _train(self) -> None:
        lent, wait = await self._begin(), self._first_return
        self.run, self._began = lent["run"], time.perf_counter()
        while True:
            await asyncio.sleep(wait)
            asked_at = time.perf_counter()
            await self._hand_over(lent)
            self.took.append(time.perf_counter() - asked_at)
            wait = max(RETURN_EVERY, LEAST_PAUSE * self.took[-1])

    def _step(self) -> int:
        """Say at which step the run is by now."""
        return int((time.perf_counter() - self._began) * STEPS_A_SECOND)

    async def _hand_over(self, lent: dict[str, Any]) -> None:
        """Ask for a turn, give when there is one, and ask again where no answer comes."""
        training, answer = TrainConfig(**lent["training"]), dict[str, Any](wait=0.0)
        while "wait" in answer:
            asked = {"run": lent["run"], "step": self._step(), "stops": False}
            answer = await self._say("asks", asked)
            if answer.get("wait") == 0:
                next_step = self._step() + 1
                rows = [_row(step, training) for step in range(answer["nextRow"], next_step)]
                self.n_given += 1
                said = _returned(lent, rows, next_step)
                answer = await self._say("returned", said)
            await asyncio.sleep(max(0.0, answer.get("wait", 0.0)))
        self.refusals += filter(None, [answer["refusal"]])
        self.n_taken += not answer["refusal"]

    async def _say(self, event: str, value: object) -> dict[str, Any]:
        """Say something, and wait for the answer; where none comes, it is to be asked again."""
        before = self._heard()["answers"]
        await self._tab.trigger(HAND_OVER, event, value)
        end = time.perf_counter() + ANSWER_WITHIN
        while (heard := self._heard())["answers"] == before:
            if time.perf_counter() > end:
                return {"wait": -1.0}
            await asyncio.sleep(0.1)
        return dict(heard["answer"])

    def _heard(self) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(self._tab.components[HAND_OVER][0].json)
        return heard

    async def _begin(self) -> dict[str, Any]:
        """Ask until the material is there, as what is asked for may be lost."""
        for number in range(30):
            page = self._page()
            if page and "material" in page:
                return unpacked(page["material"].tobytes()) | {"run": page["run"]}
            if page:
                await self._tab.trigger(TRAINER, "wanted", number + 1)
            await asyncio.sleep(1)
        raise TimeoutError("the browser's run never began")

    def _page(self) -> dict[str, Any]:
        found = self._tab.components.get(TRAINER)
        return unpacked(found[0].bytes) if found else {}


def unpacked(content: bytes) -> dict[str, Any]:
    """Read what `pack` of `material.py` writes."""
    begin = 8 + int.from_bytes(content[:8], "little")
    values: dict[str, Any] = json.loads(content[8:begin])
    arrays = {
        name: np.frombuffer(content, kind, count, begin + start)
        for name, kind, start, count in values.pop("arrays")
    }
    return values | arrays


def _row(step: int, training: TrainConfig) -> dict[str, Any]:
    row: dict[str, Any] = {"step": step}
    if step:
        row |= {"loss": 1.234567, "gradient_norm": 0.7654321, "seconds": 1 / STEPS_A_SECOND}
    if training.evaluates_at(step):
        row |= {"held_out_loss": 1.345678, "bits_per_byte": 0.4567891}
    if training.samples_at(step):
        row["sample"] = [7] * training.sample_tokens
    return row


def _returned(lent: dict[str, Any], rows: list[dict[str, Any]], next_step: int) -> dict[str, Any]:
    weights = lent["weights"].astype("<f4")
    arrays = {"weights": weights, "means": weights * 0, "squares": weights**2}
    numbers = {name: base64.b64encode(each.tobytes()).decode() for name, each in arrays.items()}
    said = {
        "run": lent["run"],
        "loan": lent["loan"],
        "next_step": next_step,
        "stops": False,
        "shows": False,
    }
    return {**said, "stops": False, "shows": False, "rows": rows, **numbers}
