"""Setup: all that a run is started with, in plain values: model, training, corpus, tokenizer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from tiny_llama.config import ModelConfig
from tiny_llama.errors import CheckpointError, ConfigError
from tiny_llama.fields import make_config, parse_field
from tiny_llama.files import read_json
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.train_config import TrainConfig

SETUP = "setup.json"
OWN_TEXT = "own-text"
"""The corpus of a run on its user's own text, which no table can hold."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """All that a run is started with; with the seed inside, it says what the run will do.

    Raises:
        ConfigError: if the tokenizer is not on the list, or a value is of the wrong kind.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    corpus: str = "tales"
    tokenizer: str = "characters"
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

    def with_values(self, values: Mapping[str, str]) -> "Setup":
        """Change fields by name, with values as people write them in `--set` or a link.

        Raises:
            ConfigError: for an unknown name, or a value that does not fit.
        """
        own: dict[str, Any] = {}
        model: dict[str, Any] = {}
        training: dict[str, Any] = {}
        for name, text in values.items():
            if name in OWN_FIELDS:
                own[name] = parse_field(Setup, name, text)
            elif name in MODEL_FIELDS:
                model[name] = parse_field(ModelConfig, name, text)
            elif name in TRAINING_FIELDS:
                training[name] = parse_field(TrainConfig, name, text)
            else:
                known = ", ".join((*OWN_FIELDS, *MODEL_FIELDS, *TRAINING_FIELDS))
                raise ConfigError(f"{name!r} is no setting; the settings are {known}.")
        return replace(
            self,
            **own,
            model=replace(self.model, **model),
            training=replace(self.training, **training),
        )

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
            parts[name] = make_config(config, parts[name])
        return make_config(cls, parts)


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
    return Setup.from_dict(read_json(path))


OWN_FIELDS = ("corpus", "tokenizer", "vocab_size")
MODEL_FIELDS = tuple(f.name for f in fields(ModelConfig) if f.name not in OWN_FIELDS)
TRAINING_FIELDS = tuple(f.name for f in fields(TrainConfig))
