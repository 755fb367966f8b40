"""A layout says which setups a class of Hugging Face's can express, under which names."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from reprlib import repr as short
from typing import Any

from tiny_llama.config import ModelConfig
from tiny_llama.errors import CheckpointError

Values = Mapping[str, Any]
"""Entries of a config.json, or settings of ours."""
Choices = Mapping[str, tuple[Any, ...]]
"""By a setting's name, the values that it may have."""


def _nothing_more(config: ModelConfig) -> Iterator[str]:
    return iter(())


@dataclass(frozen=True, kw_only=True)
class WeightNames:
    """The names that a class has for our weights.

    Where it has several names for one of ours, they are the parts, in order, into which our matrix
    is cut.
    """

    block_prefix: str
    of_block: Mapping[str, tuple[str, ...]]
    outer: Mapping[str, tuple[str, ...]]
    transposes_blocks: bool = False
    """Whether a block's matrices stand as inputs x outputs, as in GPT-2's Conv1D."""

    def outer_weight(self, owner: str) -> str:
        """Give their name for a matrix that stands outside the blocks."""
        return f"{self.outer[owner][0]}.weight"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A class, with the setups that it can express and the names that it has for them."""

    class_name: str
    model_type: str
    expressible: Choices
    """The choices it leaves, for each setting that it does not leave free."""
    keys: Mapping[str, str]
    """Settings that are the same value under another name: ours to theirs."""
    defaults: Values
    """Values of the keys that a file may leave out."""
    required: Values
    """Values of the keys that are no setting here, hence may hold nothing else."""
    activation_key: str
    activations: Mapping[str, tuple[str, ...]]
    """Our feed-forward to their activation; the first name is written, all are read."""
    weights: WeightNames
    write_rest: Callable[[ModelConfig], dict[str, Any]]
    """Gives the entries that no table covers."""
    read_rest: Callable[[Values], dict[str, Any]] = field(default=lambda values: {})
    """Gives the settings that no table covers."""
    missing_rest: Callable[[ModelConfig], Iterator[str]] = _nothing_more
    """Says what else stands in the way of a setup."""

    def missing(self, config: ModelConfig) -> Iterator[str]:
        """Name each setting that stands in the way, as what it would have to be and what it is."""
        for name, choices in self.expressible.items():
            if (value := getattr(config, name)) not in choices:
                yield f"{name}={' or '.join(map(repr, choices))} (here {value!r})"
        if config.d_model % config.n_heads:
            yield f"d_model a multiple of n_heads={config.n_heads} (here {config.d_model})"
        yield from self.missing_rest(config)

    def write(self, config: ModelConfig) -> dict[str, Any]:
        """Write the entries of a config.json that open this setup."""
        settings = _spelled_out(config)
        return {
            "architectures": [self.class_name],
            "model_type": self.model_type,
            **{theirs: getattr(settings, ours) for ours, theirs in self.keys.items()},
            self.activation_key: self.activations[config.feed_forward][0],
            **self.write_rest(config),
            # LLaMA's class takes no more than 1; it says how fresh weights would be drawn.
            "initializer_range": min(config.init_std, 1.0),
            # By default the classes stop at tokens 2 or 50256, which mean something else here.
            "bos_token_id": None,
            "eos_token_id": None,
            "pad_token_id": None,
        }

    def read(self, values: Values) -> ModelConfig:
        """Read the setup that a config.json describes.

        Raises:
            CheckpointError: for a setting that this library does not have.
            ConfigError: for values that describe no model.
        """
        values = {**self.defaults, **values}
        if lacking := [key for key in self.keys.values() if key not in values]:
            raise CheckpointError(f"config.json lacks {', '.join(lacking)}")
        for key, value in self.required.items():
            one_of(values, key, {key: (value,)})
        settings = {name: choices[0] for name, choices in self.expressible.items()}
        settings |= {ours: values[theirs] for ours, theirs in self.keys.items()}
        settings["feed_forward"] = one_of(values, self.activation_key, self.activations)
        settings["init_std"] = values["initializer_range"]
        return _derived(ModelConfig(**settings | self.read_rest(values)))


def one_of(values: Values, key: str, names: Choices) -> str:
    """Find our name for the value of a key; `names` gives what they call each of ours.

    Raises:
        CheckpointError: if there is none; a clause for a longer sentence.
    """
    for ours, theirs in names.items():
        if values[key] in theirs:
            return ours
    choices = " or ".join(short(value) for theirs in names.values() for value in theirs)
    raise CheckpointError(f"{key}={short(values[key])} is not supported, only {choices} is")


def _spelled_out(config: ModelConfig) -> ModelConfig:
    """Give the same setup with nothing left to be derived."""
    return replace(
        config,
        n_kv_heads=config.kv_heads,
        d_head=config.head_width,
        d_hidden=config.hidden_width,
    )


def _derived(config: ModelConfig) -> ModelConfig:
    """Give the same setup with as much as possible left to be derived, as people write it."""
    if config.kv_heads == config.n_heads:
        config = replace(config, n_kv_heads=None)
    if config.head_width * config.n_heads == config.d_model:
        config = replace(config, d_head=None)
    by_rule = replace(config, d_hidden=None)
    return by_rule if by_rule.hidden_width == config.hidden_width else config
