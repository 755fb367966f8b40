"""What each part is for: tasks against models that lack something."""

from collections.abc import Mapping, Sequence
from typing import Any

from tiny_llama.comparing.ladder import Pairs
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.errors import ConfigError
from tiny_llama.setup import Setup

WHOLE = "whole"
LACKING: Mapping[str, Mapping[str, Any]] = {
    "no-positions": {"position": "none"},
    "no-attention": {"attention": "none"},
    "no-feed-forward": {"feed_forward": "none"},
    "no-norm": {"norm": "none"},
    "one-layer": {"n_layers": 1},
    "one-head": {"n_heads": 1, "n_kv_heads": None},
}
"""Models that lack something, each by its name and the settings that take it away."""
TASKS = tuple(name for name, corpus in CORPORA.items() if isinstance(corpus, Task))


def task_table(
    usual: Setup, tasks: Sequence[str] = TASKS, lacking: Sequence[str] = tuple(LACKING)
) -> tuple[dict[str, Setup], Pairs]:
    """Pair each task with the whole model and with each that lacks something.

    Returns:
        The sides, named TASK_whole and TASK_LACKING; and which is compared with which: each with
        the whole model on the same task.

    Raises:
        ConfigError: for a task or a lack that is not on the list.
    """
    _check("tasks", tasks, TASKS)
    _check("lacking", lacking, tuple(LACKING))
    sides, pairs = {}, []
    for task in tasks:
        whole = usual.with_settings({"corpus": task})
        sides[f"{task}_{WHOLE}"] = whole
        for name in lacking:
            sides[f"{task}_{name}"] = whole.with_settings(LACKING[name])
            pairs.append((f"{task}_{name}", f"{task}_{WHOLE}"))
    return sides, tuple(pairs)


def _check(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    if wrong := [name for name in names if name not in known]:
        raise ConfigError(f"{what} has {wrong[0]!r}, not on the list; choose {', '.join(known)}.")
