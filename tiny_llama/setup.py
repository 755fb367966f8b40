"""Setup: all that a run is started with, in plain values: model, training, corpus, tokenizer."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.errors import CheckpointError, ConfigError
from tiny_llama.fields import make_config, parse_field
from tiny_llama.files import read_sealed, write_sealed
from tiny_llama.menu import ATTENTION, CHOICES, MENU, TRAINING_CHOICES
from tiny_llama.presets import PRESETS, find_preset
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.train_config import TrainConfig

SETUP, TEXT = "setup.json", "text.txt"
MODEL, BEFORE, SNAPSHOTS = "model.safetensors", "model.before.safetensors", "snapshots"
"""What a run folder holds: see `tiny_llama.checkpoint`."""
_SNAPSHOT = re.compile(r"[0-9]{8}\.safetensors")
OWN_TEXT = "own-text"
"""The corpus of a run on its user's own text, which no table can hold."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """All that a run is started with; with the seed inside, it says what the run will do.

    A task is always written in characters, whatever tokenizer is asked for.

    Raises:
        ConfigError: if the tokenizer is not on the list, or a value is of the wrong kind.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    corpus: str = "tales"
    tokenizer: str = "sentencepiece"
    vocab_size: int | None = None
    """How many tokens are wanted, where the tokenizer lets one choose; None: its default."""

    def __post_init__(self) -> None:
        if not (isinstance(self.tokenizer, str) and isinstance(self.corpus, str)):
            raise ConfigError("corpus and tokenizer must be words; correct them.")
        if self.vocab_size is not None and not (
            type(self.vocab_size) is int and self.vocab_size > 1
        ):
            raise ConfigError(
                f"vocab_size={self.vocab_size!r} must be a whole number of at least 2; correct it."
            )
        if self.tokenizer not in TOKENIZERS:
            choices = " or ".join(TOKENIZERS)
            raise ConfigError(f"tokenizer={self.tokenizer!r} is not on the list; choose {choices}.")
        if isinstance(CORPORA.get(self.corpus), Task):
            object.__setattr__(self, "tokenizer", TASK_TOKENIZER)
            object.__setattr__(self, "vocab_size", None)

    def with_values(self, values: Mapping[str, str]) -> "Setup":
        """Change fields by name, with values as people write them in `--set` or a link.

        Raises:
            ConfigError: for an unknown name, or a value that does not fit.
        """
        return self.with_settings(
            {name: parse_field(setting_owner(name), name, text) for name, text in values.items()}
        )

    def with_settings(self, values: Mapping[str, Any]) -> "Setup":
        """Change settings by name, whether they are the model's, the training's or our own.

        Raises:
            ConfigError: for an unknown name, or a value that does not fit.
        """
        of: dict[type, dict[str, Any]] = {Setup: {}, ModelConfig: {}, TrainConfig: {}}
        for name, value in values.items():
            of[setting_owner(name)][name] = value
        model = replace(self.model, **of[ModelConfig])
        training = replace(self.training, **of[TrainConfig])
        return replace(self, **of[Setup], model=model, training=training)

    def setting(self, name: str) -> Any:
        """Return the value of a setting by its name.

        Raises:
            ConfigError: for an unknown name.
        """
        parts = {Setup: self, ModelConfig: self.model, TrainConfig: self.training}
        return getattr(parts[setting_owner(name)], name)

    @property
    def tokens_a_step(self) -> int:
        """How many tokens one step of training reads."""
        return self.training.batch_size * self.model.context

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `as_dict` gave.

        Raises:
            ConfigError: if a field is unknown, missing or wrong.
        """
        parts = dict(values)
        for name, config in (("model", ModelConfig), ("training", TrainConfig)):
            if not isinstance(parts.get(name), Mapping):
                raise ConfigError(f"{name}={parts.get(name)!r} must be a table of settings.")
            parts[name] = make_config(config, _as_then(parts[name]))
        return make_config(cls, parts)


def _as_then(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add what a setup from before a setting existed meant: embeddings started as all matrices."""
    if "init_std" in settings and "embedding_std" not in settings:
        return {**settings, "embedding_std": settings["init_std"]}
    return settings


def load_setup(folder: Path) -> Setup:
    """Read the setup of a run folder.

    Raises:
        UserError: if there is none, or it is damaged or cannot be built.
    """
    path = folder / SETUP
    if not path.is_file():
        raise CheckpointError(
            f"The folder {folder.name!r} holds no run: {SETUP} is missing; choose a folder that "
            f"training has written."
        )
    return Setup.from_dict(read_sealed(path, _PARTS))


def write_setup(folder: Path, setup: Setup) -> None:
    """Write the setup of a run folder.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    write_sealed(folder / SETUP, setup.as_dict())


def snapshot_steps(folder: Path) -> list[int]:
    """List the steps of which a run folder has snapshots, in order; other files are passed over."""
    names = [path.name for path in (folder / SNAPSHOTS).glob("*.safetensors")]
    return sorted(int(name[:8]) for name in names if _SNAPSHOT.fullmatch(name))


def snapshot_path(folder: Path, step: int) -> Path:
    """Say where a run folder has the snapshot of a step."""
    return folder / SNAPSHOTS / f"{step:08d}.safetensors"


def changes(before: Setup, after: Setup) -> dict[str, tuple[Any, Any]]:
    """Find the settings that differ, each with its two values, in the order of `SETTINGS`.

    A model's vocabulary is none of them: the text and the tokenizer decide it once a run starts,
    so it says nothing that they do not, and differs between a run and the same one not yet begun.
    """
    pairs = {name: (before.setting(name), after.setting(name)) for name in SETTINGS}
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


def setup_of_preset(name: str) -> Setup:
    """Give what training a preset begins with: its model and its learning rate, the rest as usual.

    Raises:
        ConfigError: if there is none of that name.
    """
    preset = find_preset(name)
    return Setup(model=preset.config, training=TrainConfig(learning_rate=preset.learning_rate))


def setup_to_train(name: str) -> Setup:
    """Give the setup of a preset that is to be trained here; see `setup_of_preset`.

    Raises:
        ConfigError: if there is none of that name, or it is for counting only.
    """
    if not find_preset(name).is_tiny:
        raise ConfigError(
            f"preset={name!r} is for counting only; to train, choose {', '.join(TINY)}."
        )
    return setup_of_preset(name)


def from_preset(setup: Setup) -> tuple[str, dict[str, str]]:
    """Find the tiny preset to begin a setup from, and what is unusual in it, as `--set` has it."""
    name = nearest_preset(setup.model)
    differs = changes(setup_of_preset(name), setup)
    if setup.tokenizer == usual_tokenizer(setup.corpus):
        differs.pop("tokenizer", None)
    return name, {each: setting_word(each, new) for each, (_, new) in differs.items()}


def usual_tokenizer(corpus: str) -> str:
    """Say how a corpus is cut where nothing is said: a task into characters, a text into pieces."""
    return Setup(corpus=corpus).tokenizer


def nearest_preset(model: ModelConfig) -> str:
    """Find the tiny preset that differs from a model in the fewest settings.

    It has no number where the model leaves one open, since an empty box means the preset's.
    """

    def distance(name: str) -> tuple[bool, int]:
        usual = find_preset(name).config
        pairs = [(getattr(model, field), getattr(usual, field)) for field in MODEL_FIELDS]
        closes = any(wanted is None and given is not None for wanted, given in pairs)
        return closes, sum(wanted != given for wanted, given in pairs)

    return min(TINY, key=distance)


def describe_changes(before: Setup, after: Setup) -> str:
    """Say in one line what differs, such as `norm: rmsnorm → layernorm, seed: 0 → 1`."""
    return changes_in_words(changes(before, after)) or "the same settings"


def changes_in_words(found: Mapping[str, tuple[Any, Any]]) -> str:
    """Say in one line how settings differ, each with its two values."""
    return ", ".join(
        f"{name}: {setting_word(name, old)} → {setting_word(name, new)}"
        for name, (old, new) in found.items()
    )


def setting_word(name: str, value: Any) -> str:
    """Write a setting's value as `--set` and links take it, numbers as short as they can be."""
    if value is None:
        return "none" if name in OFF_WHEN_OPEN else "auto"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return str(value)


def setup_in_one_line(setup: Setup) -> str:
    """Name a run by what one knows it by: size, heads, positions, feed-forward, norm and text."""
    model = setup.model
    size = f"{_count(model.n_layers, 'layer')} × {model.d_model} wide"
    slots = ("position", "feed_forward", "norm")
    parts = ", ".join(MENU[slot][getattr(model, slot)].short_title for slot in slots)
    return f"{size}, {_heads(model)}, {parts} · {setup.corpus}"


def _heads(model: ModelConfig) -> str:
    if not model.has_attention:
        return ATTENTION[model.attention].short_title
    kind = "" if model.attention == ModelConfig.attention else f"{model.attention} "
    shared = "" if model.kv_heads == model.n_heads else f" ({model.kv_heads} K/V)"
    return _count(model.n_heads, f"{kind}head") + shared


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def setting_owner(name: str) -> type:
    """Find the dataclass that a setting is a field of.

    Raises:
        ConfigError: for an unknown name.
    """
    for owner, names in _FIELDS.items():
        if name in names:
            return owner
    raise ConfigError(f"{name!r} is no setting; the settings are {', '.join(SETTINGS)}.")


OFF_WHEN_OPEN = ("attention_softcap", "logit_softcap", "nope_every")
"""Settings that do nothing unless given; the others that may be left open are derived then."""
TINY = [name for name, preset in PRESETS.items() if preset.is_tiny]
TASK_TOKENIZER = "characters"
"""What a task is written in: each sign of an exercise is one that its answer is told by."""
_PARTS = tuple(f.name for f in fields(Setup))
OWN_FIELDS = ("corpus", "tokenizer", "vocab_size")
MODEL_FIELDS = tuple(f.name for f in fields(ModelConfig) if f.name not in OWN_FIELDS)
TRAINING_FIELDS = tuple(f.name for f in fields(TrainConfig))
_FIELDS: Mapping[type, tuple[str, ...]] = {
    Setup: OWN_FIELDS,
    ModelConfig: MODEL_FIELDS,
    TrainConfig: TRAINING_FIELDS,
}
SETTINGS = tuple(
    dict.fromkeys(
        (*OWN_FIELDS, *MENU, *CHOICES, *MODEL_FIELDS, *TRAINING_CHOICES, *TRAINING_FIELDS)
    )
)
"""Every setting by name, in reading order: the text, the model's parts, its numbers, training."""
