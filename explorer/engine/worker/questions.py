"""What pages want to know of models, and take home: answered out of copies that nobody trains."""

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from explorer.engine.limits import MOST_GENERATED, MOST_PROMPT_CHARACTERS, limits
from explorer.engine.messages import (
    Analyse,
    Done,
    Found,
    Generate,
    ModelRequest,
    WriteHuggingFace,
    Written,
)
from explorer.engine.worker.live_runs import LiveRuns
from explorer.engine.worker.model_cache import ModelCache
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.cutting import spelled_in_bytes
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import TextError
from tiny_llama.generation import generate
from tiny_llama.hugging_face import write_hugging_face
from tiny_llama.sample_config import SampleConfig


class Questions:
    """Answers questions about models.

    Args:
        runs: where models train.
    """

    def __init__(self, runs: LiveRuns) -> None:
        self._runs = runs
        self._models = ModelCache(limits().looked_at_bytes, runs.tokens_of)

    def generate(self, request: Generate) -> Generator[Written | None, Any, None]:
        """Write on from a prompt, a token at a time."""
        settings = SampleConfig(**request.settings)
        if settings.n_tokens > MOST_GENERATED:
            raise TextError(
                f"n_tokens={settings.n_tokens} must be at most {MOST_GENERATED}; ask for fewer."
            )
        found = self._subject(request)
        prompt = found.tokenizer.encode_prompt(_checked_prompt(request.prompt))
        said = []
        for next_token in generate(found.model, prompt, settings):
            said.append(next_token.token)
            yield None
        yield Written(
            text=found.tokenizer.decode([*prompt, *said]),
            in_bytes=spelled_in_bytes(found.tokenizer, prompt.tolist()),
        )

    def analyse(self, request: Analyse) -> Generator[Found | Callable[[], Any] | None, Any, None]:
        """Make an analysis, in as many pieces as it has, some of them beside."""
        analysis = ANALYSES[request.analysis]
        if "text" in request.values:
            _checked_prompt(request.values["text"])
        subject = [self._subject(request)] if analysis.needs_model else []
        found = analysis.load()(*subject, **request.values)
        step = subject[0].step if subject else 0
        piece = found if isinstance(found, dict) else next(found)
        while not isinstance(piece, dict):
            sent = yield piece
            piece = found.send(sent)
        yield _found(piece, step)

    def write_hugging_face(
        self, request: WriteHuggingFace
    ) -> Generator[Done | Callable[[], Any] | None, Any, None]:
        """Write the model as it stands for `transformers`, into a new folder, beside."""
        found = self._subject(request)
        yield partial(write_hugging_face, found.model, found.tokenizer, Path(request.target))
        yield Done()

    def _subject(self, request: ModelRequest[Any]) -> Subject:
        trainer = self._runs.trainer_of(request.run)
        return self._models.find(request.run, Path(request.folder), request.step, trainer)


def _found(piece: dict[str, Any], step: int) -> Found:
    """Give what an analysis found, arrays apart from plain values."""
    arrays = {name: value for name, value in piece.items() if isinstance(value, np.ndarray)}
    rest = {name: value for name, value in piece.items() if name not in arrays}
    return Found(step=step, values=rest, arrays=arrays)


def _checked_prompt(prompt: str) -> str:
    if not 0 < len(prompt) <= MOST_PROMPT_CHARACTERS:
        raise TextError(
            f"The prompt has {len(prompt):,} characters; it must have between 1 and "
            f"{MOST_PROMPT_CHARACTERS:,}: change it and try again."
        )
    return prompt
