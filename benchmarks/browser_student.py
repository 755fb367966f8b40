"""A student whose run trains in their own browser, as the server sees it.

The tab asks for what the run begins with, and hands over what it has learned ten seconds later and
then once a minute, as `session.js` does. Nothing is trained here: the numbers are made up, and as
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
FIRST_RETURN, RETURN_EVERY = 10, 60
STEPS_A_SECOND = 20


class BrowserTrainer:
    """The component on a tab's page, from the press on Train on."""

    def __init__(self, tab: Tab) -> None:
        self._tab, self.n_kept, self.n_handed = tab, 0, 0
        self._task = asyncio.create_task(self._train())

    def stop(self) -> None:
        """Train no more."""
        self._task.cancel()

    async def _train(self) -> None:
        lent = await self._begin()
        training, next_step = TrainConfig(**lent["training"]), 0
        wait, seconds = FIRST_RETURN, 0.0
        while True:
            began = time.perf_counter()
            await asyncio.sleep(wait)
            seconds += time.perf_counter() - began
            first, next_step = next_step, int(seconds * STEPS_A_SECOND) + 1
            rows = [_row(step, training) for step in range(first, next_step)]
            await self._tab.trigger(HAND_OVER, "returned", _returned(lent, rows, next_step))
            self.n_handed += 1
            wait = RETURN_EVERY

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
