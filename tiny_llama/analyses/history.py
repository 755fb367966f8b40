"""How the heads of a model came to be: the same text read after each step that was kept."""

from collections.abc import Iterator

import numpy as np

from tiny_llama.analyses import Found
from tiny_llama.analyses.heads import check_layer, look_at_patterns, roles_of
from tiny_llama.analyses.reading import reading
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import CheckpointError


def history(
    subject: Subject, *, text: str, layer: int, first: int, most: int
) -> Iterator[Found | None]:
    """Read a text with the model of each snapshot, and with the model itself where it is later.

    Args:
        subject: the model.
        text: what it reads.
        layer: the layer whose patterns are wanted, from 0.
        first: where the window of the patterns begins.
        most: how many tokens the window has at the most.

    Returns:
        `steps`, `n`; `patterns` of the layer, `n h w w` for a window of w tokens; `tokens` of the
        window and `first`, where it begins after all; `roles` of all heads, `n l h 6`; `losses`,
        the mean over the tokens that count (nats), `n`, NaN where none does; and `window`, how many
        tokens a token can read (None: all before it).

    Raises:
        UserError: if there are no snapshots, no such layer, or the text has no token.
    """
    check_layer(subject, layer)
    ids = subject.read(text)
    first = max(0, min(first, len(ids) - most))
    shown = slice(first, first + most)
    patterns, losses, steps = [], [], []
    roles: list[list[np.ndarray]] = []
    for each in _moments(subject):
        roles.append([])

        def look(number: int, pattern: np.ndarray, each: Subject = each) -> None:
            roles[-1].append(roles_of(each, number, pattern, ids))
            if number == layer:
                patterns.append(pattern[:, shown, shown].copy())

        look_at_patterns(each, ids, look)
        found = reading(each, text=text)
        judged = found["losses"][found["counts"]]
        losses.append(judged.mean() if len(judged) else np.nan)
        steps.append(each.step)
        yield None
    yield {
        "steps": steps,
        "tokens": subject.labels(ids[shown]),
        "first": first,
        "patterns": np.stack(patterns),
        "roles": np.stack(roles),
        "losses": np.array(losses, dtype=np.float32),
        "window": subject.model.config.window_of(layer),
    }


def _moments(subject: Subject) -> Iterator[Subject]:
    steps = [step for step in subject.snapshot_steps if step < subject.step]
    if not steps:
        raise CheckpointError(
            f"This run has no snapshots before step {subject.step:,}, so its past cannot be seen; "
            f"train one with n_snapshots of 6 or more, or choose a shipped model that has some."
        )
    for step in steps:
        yield subject.at(step)
    yield subject
