"""An experiment as people write it: a TOML file with one of four tables.

[sides.NAME]   settings of each side, for a comparison
[ladder]       from one preset to another, a setting a rung
[scaling]      sizes by lengths, for a law
[tasks]        tasks by what a model lacks
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tiny_llama.comparing.ladder import WHOLE, Pairs, ladder, leave_one_out
from tiny_llama.comparing.matching import match_parameters
from tiny_llama.comparing.plan import USUAL_SEEDS, Plan, Side
from tiny_llama.comparing.sizes import sizes_by_lengths
from tiny_llama.comparing.tasks import LACKING, TASKS, task_table
from tiny_llama.cost import count_parameters
from tiny_llama.errors import ConfigError
from tiny_llama.files import read_bytes
from tiny_llama.setup import OWN_TEXT, Setup, setup_to_train
from tiny_llama.trainable import check_trainable

MOST_BYTES = 100_000
QUIET: Mapping[str, str] = {
    "sample_every": "0",
    "sample_tokens": "100",
    "n_snapshots": "0",
    "evaluate_texts": "64",
}
"""What runs of an experiment are usually set to, as nobody watches them one by one: fewer samples,
and more held-out texts, on which the verdict rests."""

Vocabulary = Callable[[Setup], Setup]
"""What puts the size of the vocabulary into a setup, which only the tokenizer knows."""


@dataclass(frozen=True, kw_only=True)
class PlanFile:
    """What a file says, before any text was read."""

    values: Mapping[str, Any]
    text: Path | None
    """The user's own text, where there is one; a relative path counts from the file's folder."""


def open_plan_file(path: Path) -> PlanFile:
    """Read the TOML file of an experiment.

    Raises:
        UserError: if it cannot be read, or is no TOML.
    """
    try:
        values = tomllib.loads(read_bytes(path, MOST_BYTES).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not TOML ({error}); correct it.") from None
    text = values.pop("text", None)
    if text is not None and not isinstance(text, str):
        raise ConfigError(f"text={text!r} must be the name of a file; correct it.")
    return PlanFile(values=values, text=None if text is None else path.parent / text)


def make_plan(file: PlanFile, vocabulary: Vocabulary) -> Plan:
    """Make the plan of an experiment from what its file says.

    Args:
        file: as `open_plan_file` read it.
        vocabulary: what puts the vocabulary into a setup; models are matched with it.

    Raises:
        UserError: for what is unknown, missing or does not go together.
    """
    values = dict(file.values)
    kinds = [name for name in _KINDS if name in values]
    if len(kinds) != 1:
        raise ConfigError(
            f"An experiment has one of [{'], ['.join(_KINDS)}], and this one has "
            f"{' and '.join(kinds) or 'none'}; correct it."
        )
    if unknown := sorted(set(values) - {*_WORDS, *_KINDS}):
        raise ConfigError(
            f"An experiment has no {unknown[0]!r}; it has {', '.join(_WORDS)} and one of "
            f"{', '.join(_KINDS)}."
        )
    shared = _words("settings", values.pop("settings", {}))
    if file.text:
        shared["corpus"] = OWN_TEXT
    kind = kinds[0]
    sides, pairs = _KINDS[kind](_table(kind, values.pop(kind)), {**QUIET, **shared}, vocabulary)
    return _plan(values, sides, pairs, vocabulary, kind)


def _plan(
    values: Mapping[str, Any],
    sides: Mapping[str, Setup],
    pairs: Pairs,
    vocabulary: Vocabulary,
    kind: str,
) -> Plan:
    """Put the plan together, and match its sides."""
    known = {name: vocabulary(setup) for name, setup in sides.items()}
    model = _side_to_match(values.get("matched", kind in ("sides", "ladder")), sides, kind)
    matched = _matched(known, model) if model else {n: Side(setup=s) for n, s in known.items()}
    try:
        plan = Plan(
            title=str(values.get("title", "")),
            sides=matched,
            comparisons=pairs,
            seeds=_seeds(values.get("seeds", 1 if kind == "scaling" else USUAL_SEEDS)),
            learning_rates=tuple(float(rate) for rate in values.get("learning_rates", ())),
            margin=values.get("margin"),
            measure=values.get("measure", "accuracy" if kind == "tasks" else "held_out_loss"),
            notes=() if model or kind == "scaling" else (_UNMATCHED,),
        )
    except (TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"The experiment says a number wrongly ({error}); correct it.") from None
    _check_runs(plan)
    return plan


def _check_runs(plan: Plan) -> None:
    """Refuse a seed or a rate that no run can have, and what is too large to train."""
    for run in (*plan.trials, *plan.seed_runs({})):
        check_trainable(run.setup)


_UNMATCHED = "The sides have different numbers of parameters, as was asked for."


def _side_to_match(said: object, sides: Mapping[str, Setup], kind: str) -> str:
    """Name the side to whose size all are brought, or none.

    It is the one that is named, or else the first; of a ladder that with all of the end's settings,
    so that one climbed in any order, and with one thing left out, has the same models in it.
    """
    if isinstance(said, str):
        if said not in sides:
            raise ConfigError(f"matched={said!r} is none of the sides; choose {', '.join(sides)}.")
        return said
    if not _switch("matched", said):
        return ""
    names = list(sides)
    return names[-1] if kind == "ladder" and names[0] != WHOLE else names[0]


def _matched(sides: Mapping[str, Setup], model: str) -> dict[str, Side]:
    """Bring all sides to the size of one of them."""
    found, wanted = {}, count_parameters(sides[model].model)
    for name, setup in sides.items():
        match = match_parameters(setup.model, wanted)
        note = "" if name == model else match.sentence
        found[name] = Side(setup=replace(setup, model=match.model), note=note)
    return found


def _seeds(said: object) -> tuple[int, ...]:
    if isinstance(said, int) and not isinstance(said, bool):
        return tuple(range(said))
    if isinstance(said, list) and all(type(seed) is int for seed in said):
        return tuple(said)
    raise ConfigError(f"seeds={said!r} must be a number of seeds or a list of them; correct it.")


# The four kinds.


def _of_sides(
    tables: Mapping[str, Any], shared: Mapping[str, str], _: Vocabulary
) -> tuple[dict[str, Setup], Pairs]:
    """Read the sides of a comparison; all are compared with the first one."""
    sides = {
        name: _setup(f"sides.{name}", _table(f"sides.{name}", table), shared)
        for name, table in tables.items()
    }
    first, *others = sides
    return sides, tuple((name, first) for name in others)


def _of_ladder(
    table: Mapping[str, Any], shared: Mapping[str, str], _: Vocabulary
) -> tuple[dict[str, Setup], Pairs]:
    _known("ladder", table, ("start", "end", "order", "leave_one_out"))
    start = _preset(_word("ladder.start", table.get("start", "tiny-gpt3")), shared)
    end = _preset(_word("ladder.end", table.get("end", "tiny-llama")), shared)
    if _switch("ladder.leave_one_out", table.get("leave_one_out", False)):
        return leave_one_out(start, end)
    order = _list("ladder.order", table.get("order", []))
    return ladder(start, end, [_word("ladder.order", name) for name in order])


def _of_scaling(
    table: Mapping[str, Any], shared: Mapping[str, str], vocabulary: Vocabulary
) -> tuple[dict[str, Setup], Pairs]:
    _known("scaling", table, ("sizes", "steps", "budgets"))
    usual = vocabulary(Setup().with_values(shared))
    sizes = []
    for size in _list("scaling.sizes", table.get("sizes", [])):
        words = _words("scaling.sizes", size)
        setup = Setup().with_values(words)
        sizes.append({name: setup.setting(name) for name in words})
    steps, budgets = (
        _list(f"scaling.{name}", table.get(name, [])) for name in ("steps", "budgets")
    )
    if wrong := [n for n in (*steps, *budgets) if type(n) not in (int, float) or not n > 0]:
        raise ConfigError(f"scaling takes numbers above 0, and {wrong[0]!r} is none; correct it.")
    whole = [int(n) for n in steps]
    return sizes_by_lengths(usual, sizes, steps=whole, budgets=budgets), ()


def _of_tasks(
    table: Mapping[str, Any], shared: Mapping[str, str], _: Vocabulary
) -> tuple[dict[str, Setup], Pairs]:
    _known("tasks", table, ("preset", "tasks", "lacking"))
    usual = _preset(_word("tasks.preset", table.get("preset", "tiny-llama")), shared)
    tasks = _list("tasks.tasks", table.get("tasks", list(TASKS)))
    return task_table(usual, tasks, _list("tasks.lacking", table.get("lacking", list(LACKING))))


_KINDS: Mapping[str, Callable[..., tuple[dict[str, Setup], Pairs]]] = {
    "sides": _of_sides,
    "ladder": _of_ladder,
    "scaling": _of_scaling,
    "tasks": _of_tasks,
}
_WORDS = (
    *("title", "text", "seeds", "learning_rates", "margin", "measure", "matched", "settings"),
)


# Reading values.


def _setup(where: str, table: Mapping[str, Any], shared: Mapping[str, str]) -> Setup:
    words = _words(where, table)
    preset = words.pop("preset", "tiny-llama")
    return _preset(preset, {**shared, **words})


def _preset(name: str, words: Mapping[str, str]) -> Setup:
    return setup_to_train(name).with_values(words)


def _words(where: str, table: object) -> dict[str, str]:
    """Read settings as `--set` would have them."""
    return {name: _word(f"{where}.{name}", value) for name, value in _table(where, table).items()}


def _word(where: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | str):
        return str(value)
    raise ConfigError(f"{where} must be one word or number; correct it.")


def _switch(where: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where}={value!r} must be true or false; correct it.")
    return value


def _table(where: str, table: object) -> Mapping[str, Any]:
    if not isinstance(table, Mapping) or (where == "sides" and not table):
        raise ConfigError(f"[{where}] must be a table of settings; correct it.")
    return table


def _list(where: str, values: object) -> Sequence[Any]:
    if not isinstance(values, list):
        raise ConfigError(f"{where} must be a list; write it in brackets.")
    return values


def _known(where: str, table: Mapping[str, Any], names: Sequence[str]) -> None:
    if unknown := sorted(set(table) - set(names)):
        raise ConfigError(f"[{where}] has no {unknown[0]!r}; it has {', '.join(names)}.")
