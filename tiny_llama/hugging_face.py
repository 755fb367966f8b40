"""Hugging Face folders: models that transformers opens, and models that it saved.

Only safetensors and JSON are read, never pickled weights; transformers itself is not needed.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from reprlib import repr as short
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from tiny_llama.config import ModelConfig
from tiny_llama.errors import CheckpointError, ConfigError
from tiny_llama.files import read_json
from tiny_llama.hugging_face_layout import Layout, one_of
from tiny_llama.hugging_face_layouts import LAYOUTS, layout_for
from tiny_llama.hugging_face_weights import renamed
from tiny_llama.menu import POSITION
from tiny_llama.model import TinyLlama
from tiny_llama.tokenizers import Tokenizer
from tiny_llama.tokenizers.hugging_face import read_tokenizer, write_tokenizer_json

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
LARGEST_WEIGHTS = 2**31
"""Bytes of a weights file: far above what is tiny, far below what fills a machine."""
LARGEST_ROPE_TABLE = 2**24
"""Numbers in a table of positions x head width, the one size that no weight bears out."""
NUMBER_FORMATS = ("F32", "BF16", "F16")
BUFFERS = (".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias")
"""Endings of what old versions saved beside the weights: it follows from the config."""


def write_hugging_face(model: TinyLlama, tokenizer: Tokenizer | None, folder: Path) -> None:
    """Write a folder that `LlamaForCausalLM` or `GPT2LMHeadModel` opens by `from_pretrained`.

    The model computes the same there. Dropout, which acts in training only, is carried over as far
    as the class has it. The files are written beside the folder and then moved into it, so that
    what fails leaves none behind.

    Raises:
        CheckpointError: if neither class can express the setup, or the folder is not empty or
            cannot be written.
    """
    layout = layout_for(model.config)
    _check_vocabulary(tokenizer, model.config)
    parameters = dict(model.named_parameters())
    dtype = str(model.embedding.weight.dtype).removeprefix("torch.")
    config = layout.write(model.config) | {"dtype": dtype}
    weights = {
        name: weight.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, weight in renamed(layout.weights, model.config, parameters).items()
    }
    try:
        _check_empty(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=".export-") as beside:
            place = Path(beside)
            (place / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
            save_file(weights, place / WEIGHTS_FILE, metadata={"format": "pt"})
            if tokenizer is not None:
                write_tokenizer_json(tokenizer, place)
            folder.mkdir(exist_ok=True)
            for path in place.iterdir():
                path.replace(folder / path.name)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder} cannot be written ({error}); choose another folder or make room."
        ) from error


def _check_empty(folder: Path) -> None:
    if folder.exists() and (there := [path.name for path in folder.iterdir()]):
        raise CheckpointError(
            f"{folder} already holds {short(there[0])}, which could be mixed up with the new "
            "files; choose a new or empty folder."
        )


def read_hugging_face(folder: Path) -> tuple[TinyLlama, Tokenizer | None]:
    """Read a folder that `write_hugging_face` or those classes' `save_pretrained` wrote.

    Weights in half precision are widened to float32, which loses nothing. Settings that play no
    part in such a model, such as `window`, come back as their defaults.

    Raises:
        CheckpointError: if the folder is damaged, or holds what this library does not have.
    """
    try:
        layout, config = _read_config(folder / CONFIG_FILE)
        model = _read_model(layout, config, folder)
    except (OSError, SafetensorError, CheckpointError, ConfigError) as error:
        raise CheckpointError(
            f"{folder} cannot be read as a Hugging Face model: {str(error).rstrip('.')}; save it "
            "again or choose another one."
        ) from error
    has_tokenizer = any((folder / name).exists() for name in TOKENIZER_FILES)
    tokenizer = read_tokenizer(folder) if has_tokenizer else None
    _check_vocabulary(tokenizer, config)
    return model, tokenizer


def _read_config(path: Path) -> tuple[Layout, ModelConfig]:
    values = read_json(path)
    layout = _layout_of(values)
    config = layout.read(values)
    turns = POSITION[config.position].turns
    if turns and config.context * config.head_width > LARGEST_ROPE_TABLE:
        raise CheckpointError(
            f"{config.context:,} positions of {config.head_width} numbers each are more than "
            f"{LARGEST_ROPE_TABLE:,} numbers"
        )
    return layout, config


def _layout_of(values: Mapping[str, Any]) -> Layout:
    """Find the class that a config.json names."""
    values = {"model_type": None, "architectures": None, **values}
    kind = one_of(values, "model_type", {each.model_type: (each.model_type,) for each in LAYOUTS})
    layout = next(each for each in LAYOUTS if each.model_type == kind)
    one_of(values, "architectures", {kind: ([layout.class_name], None)})
    return layout


def _read_model(layout: Layout, config: ModelConfig, folder: Path) -> TinyLlama:
    """Build the model and fill it, once the file is known to hold exactly what it needs."""
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(_why_no_weights(folder))
    if path.stat().st_size > LARGEST_WEIGHTS:
        raise CheckpointError(f"{path.name} is larger than {LARGEST_WEIGHTS:,} bytes")
    with safe_open(path, framework="pt") as file:
        if len(file.keys()) < config.n_layers:
            raise CheckpointError(f"{path.name} has too few weights for {config.n_layers} layers")
        if problems := list(_misfits(file, layout, config)):
            more = f" (and {len(problems) - 1} more like this)" if problems[1:] else ""
            raise CheckpointError(f"{path.name} does not fit {CONFIG_FILE}: {problems[0]}{more}")
        model = TinyLlama(config)
        with torch.no_grad():
            for name, weight in renamed(
                layout.weights, config, dict(model.named_parameters())
            ).items():
                weight.copy_(file.get_tensor(name))
    return model


def _misfits(file: Any, layout: Layout, config: ModelConfig) -> Iterator[str]:
    """Say what keeps a file's weights from being those of this model, without loading them."""
    with torch.device("meta"):
        wanted = renamed(layout.weights, config, dict(TinyLlama(config).named_parameters()))
    names: list[str] = file.keys()
    found = {name: file.get_slice(name) for name in names if not name.endswith(BUFFERS)}
    embedding, unembedding = map(layout.weights.outer_weight, ("embedding", "unembedding"))
    if config.tied_unembedding and {embedding, unembedding} <= found.keys():
        del found[unembedding]
        matrices = (file.get_tensor(name).float() for name in (embedding, unembedding))
        if not torch.equal(*matrices):
            yield f"{unembedding} differs from {embedding} in spite of tie_word_embeddings"
    for name, weight in wanted.items():
        if name not in found:
            yield f"{name} is missing"
        elif found[name].get_shape() != list(weight.shape):
            yield f"{name} is {found[name].get_shape()} and should be {list(weight.shape)}"
        elif found[name].get_dtype() not in NUMBER_FORMATS:
            yield f"{name} is in {found[name].get_dtype()}, not in {' or '.join(NUMBER_FORMATS)}"
    yield from (f"{name[:80]!r} has no place in it" for name in found if name not in wanted)


def _why_no_weights(folder: Path) -> str:
    if (folder / f"{WEIGHTS_FILE}.index.json").is_file():
        return "its weights are split over several files, and only a single one is read"
    if any(folder.glob("*.bin")):
        return "its weights are pickled, which could run foreign code and is never opened"
    return f"{WEIGHTS_FILE} is missing"


def _check_vocabulary(tokenizer: Tokenizer | None, config: ModelConfig) -> None:
    if tokenizer is not None and tokenizer.vocab_size > config.vocab_size:
        raise CheckpointError(
            f"The tokenizer has {tokenizer.vocab_size} tokens but the model knows only "
            f"{config.vocab_size}; use the tokenizer that the model was trained with."
        )
