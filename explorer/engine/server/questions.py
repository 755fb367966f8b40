"""What pages ask of models: passed on to a worker, unless the same was asked before."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from explorer.engine.messages import Analyse, Generate, Written
from explorer.engine.run import Run
from explorer.engine.server.answer_cache import Answer, AnswerCache, key_of
from explorer.engine.server.pool import Pool
from explorer.engine.server.suspects import Suspects
from tiny_llama.sample_config import SampleConfig

NO_MODEL: Mapping[str, Any] = {"run": "", "folder": "", "step": 0}
"""Where the model is of an analysis that needs none."""


class Questions:
    """Answers what pages ask of models.

    Args:
        pool: who knows the models.
        most_bytes: of answers that are kept.
    """

    def __init__(self, pool: Pool, most_bytes: int) -> None:
        self._pool = pool
        self._answers = AnswerCache(most_bytes)
        self._suspects = Suspects()

    def generate(self, run: Run, prompt: str, settings: SampleConfig, *, student: str) -> Written:
        """Let the model of a run, as it stands, write on from a prompt.

        Raises:
            EngineError: if the prompt cannot be used.
        """
        wanted = asdict(settings)
        request = Generate(**place_of(run), student=student, prompt=prompt, settings=wanted)
        key = key_of(run.id, 0, "generate", {"prompt": prompt, **wanted})
        with self._suspects.watched(exactly=key, alike=(student, run.id, "generate")):
            return self._pool.ask(request, run.worker)

    def analyse(
        self,
        run: Run | None,
        analysis: str,
        values: Mapping[str, Any],
        step: int | None = None,
        *,
        student: str,
    ) -> Answer:
        """Give the answer of a worker, or the same one as before.

        Args:
            run: whose model it is about; None: of none.
            analysis: its name in the library's table.
            values: what it wants to know.
            step: the model after this step, if it can still be had; None: as it stands.
            student: fingerprint of who asks.

        Raises:
            EngineError: if the text or another value cannot be used, or a worker ended so before.
        """
        place = place_of(run, step) if run else NO_MODEL
        if place["step"] is not None:
            kept = self._answers.find(key_of(place["run"], place["step"], analysis, values))
            if kept is not None:
                return kept
        request = Analyse(**place, student=student, analysis=analysis, values=values)
        key = key_of(place["run"], 0, analysis, values)  # at any step it takes as much
        with self._suspects.watched(exactly=key, alike=(student, place["run"], analysis)):
            found = self._pool.ask(request, run.worker if run else None)
        for array in found.arrays.values():
            array.flags.writeable = False
        answer = Answer(step=found.step, found={**found.values, **found.arrays})
        self._answers.keep(key_of(place["run"], answer.step, analysis, values), answer)
        return answer


def place_of(run: Run, step: int | None = None) -> dict[str, Any]:
    """Say where a worker finds the model of a run, after a step or as it stands."""
    if step is None and not run.is_moving:
        step = run.step
    return {"run": run.id, "folder": str(run.folder), "step": step}
