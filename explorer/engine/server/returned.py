"""What a browser says that it has made of a run: checked, before anybody here touches it.

It comes as JSON: the `loan` under which the browser has the run, `next_step`, whether the run
`stops` there, a row for each step of which the server has none, and three rows of numbers in
base64, little-endian float32. Nothing of it is ever unpickled or run.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from explorer.engine.limits import check_lent
from explorer.engine.messages import TakeBack
from explorer.engine.run import Run
from explorer.engine.server.errors import EngineError
from tiny_llama.cost import count_parameters

_ARRAYS = ("weights", "means", "squares")
_TRAINED = ("loss", "gradient_norm", "seconds")
_LOOKED_AT = ("held_out_loss", "bits_per_byte")
_LARGEST = 1e30


def read_returned(said: Mapping[str, Any], run: Run, mark: str = "") -> TakeBack:
    """Read what a browser says of a run.

    Args:
        said: what it says.
        run: the run.
        mark: of the text in tokens that the run must have; empty: it has it. Then some of the texts
            that the model wrote may be missing, as a browser keeps only those that it has seen.

    Raises:
        EngineError: with the first thing that is wrong.
    """
    try:
        return _read(said, run, mark)
    except EngineError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise _refused(f"it cannot be read ({type(error).__name__})") from None


def _read(said: Mapping[str, Any], run: Run, mark: str) -> TakeBack:
    check_lent(run.setup)
    if run.loan and said["loan"] != run.loan:
        raise EngineError(
            "Another tab has taken this run since; what this one has made of it is not kept."
        )
    next_step, most = _whole(said["next_step"]), run.setup.training.steps + 1
    if not max(1, run.step + 1) <= next_step <= most:
        raise _refused(f"next_step={next_step} must be from {run.step + 1} to {most}")
    return TakeBack(
        run=run.id,
        next_step=next_step,
        stops=said["stops"] is True,
        mark=mark,
        rows=_rows(said["rows"], run, next_step, has_all=not mark),
        arrays={name: _numbers(name, said[name], run) for name in _ARRAYS},
    )


def _rows(said: Sequence[Any], run: Run, next_step: int, *, has_all: bool) -> list[dict[str, Any]]:
    """Read the rows; the first ones may be here already, where an answer was lost on its way."""
    steps = [_whole(row["step"]) for row in said] if isinstance(said, list) else []
    n_known = max(0, run.next_row - steps[0]) if steps else 0
    if steps[n_known:] != list(range(run.next_row, next_step)):
        raise _refused(f"its rows are not those of the steps {run.next_row} to {next_step - 1}")
    return [_row(row, run, has_all=has_all) for row in said[n_known:]]


def _row(said: Mapping[str, Any], run: Run, *, has_all: bool) -> dict[str, Any]:
    """Read what is known of a step; what is said besides is passed over."""
    training, step = run.setup.training, said["step"]
    names = _TRAINED * (step > 0) + _LOOKED_AT * training.evaluates_at(step)
    row = {"step": step} | {name: _number(name, said[name]) for name in names}
    if training.samples_at(step) and (has_all or "sample" in said):
        row["sample"] = _tokens(said["sample"], run)
    return row


def _tokens(said: Any, run: Run) -> list[int]:
    n_most, vocab_size = run.setup.training.sample_tokens, run.setup.model.vocab_size
    tokens = [_whole(each) for each in said] if isinstance(said, list) else None
    if tokens is None or len(tokens) > n_most or not all(0 <= t < vocab_size for t in tokens):
        raise _refused(f"a sample is not of at most {n_most} tokens from 0 to {vocab_size - 1}")
    return tokens


def _number(name: str, said: Any) -> float:
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    if not is_number or not isfinite(said) or not 0 <= said <= _LARGEST:
        raise _refused(f"{name} is no number from 0 to {_LARGEST:g}")
    return float(said)


def _whole(said: Any) -> int:
    if not isinstance(said, int) or isinstance(said, bool):
        raise _refused("a step or token is no whole number")
    return said


def _numbers(name: str, said: Any, run: Run) -> np.ndarray:
    n_numbers = count_parameters(run.setup.model)
    n_letters = 4 * -(-4 * n_numbers // 3)
    if not isinstance(said, str) or len(said) != n_letters:
        raise _refused(f"{name} must be {n_numbers:,} numbers")
    numbers = np.frombuffer(base64.b64decode(said, validate=True), "<f4")
    if len(numbers) != n_numbers or not np.isfinite(numbers).all():
        raise _refused(f"{name} must be {n_numbers:,} finite numbers")
    if name == "squares" and (numbers < 0).any():
        raise _refused("squares must not be below 0")
    return numbers


def _refused(why: str) -> EngineError:
    return EngineError(
        f"What this browser has made of the run was not kept: {why}; reload the page to go on from "
        f"what was kept before."
    )
