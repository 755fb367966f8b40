"""The first panel shows the whole model, from token numbers to logits."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tiny_llama.config import ModelConfig
from tiny_llama.diagram.boxes import box, kinds_of_layers, norm, pill, softcap
from tiny_llama.diagram.builder import Builder
from tiny_llama.diagram.records import Box, Panel
from tiny_llama.menu import POSITION


def model_panel(config: ModelConfig, sizes: Mapping[str, int]) -> Panel:
    """Put together everything outside the blocks, and these as one box."""
    build = Builder(config, sizes)
    build.put(pill("tokens", "Token numbers", "embedding"))
    build.then(box("embedding", "Embedding", "embedding", "embedding"), "", "t")
    path = "embedding"
    for each in _after_embedding(config):
        build.then(each, path, "t d")
        path = each.name if each.part == "norm" else ""
    if config.n_layers:
        build.then(_blocks(config), "embedded", "t d")
    path = f"blocks.{config.n_layers - 1}.residual" if config.n_layers else "embedded"
    if config.has_last_norm:
        build.then(norm(config, "norm", "Last norm"), path, "t d")
        path = "norm"
    _unembed(build, path)
    return build.panel("model", "The model")


def _after_embedding(config: ModelConfig) -> Iterator[Box]:
    """Make boxes for what happens between the embedding and the first block."""
    if config.embedding_scale:
        yield box("scale", "× √d", "embedding", "scale")
    if config.embedding_norm:
        yield norm(config, "embedding_norm", "Norm of the embedding")
    position = POSITION[config.position]
    if position.adds:
        name = "position" if position.has_table else "waves"
        yield box(name, f"+ {position.adds}", "position", config.position)


def _blocks(config: ModelConfig) -> Box:
    n, kinds = config.n_layers, len(kinds_of_layers(config))
    detail = f"of {kinds} kinds, in turn" if kinds > 1 else "all alike" if n > 1 else ""
    blocks = box("blocks", f"{n} blocks" if n > 1 else "1 block", "block", config.block, detail)
    return replace(blocks, kind="fold")


def _unembed(build: Builder, path: str) -> None:
    config = build.config
    tied = "the embedding's matrix again" if config.tied_unembedding else ""
    build.then(box("unembedding", "Unembedding", "unembedding", "unembedding", tied), path, "t d")
    path = "unembedding"
    if config.logit_softcap is not None:
        build.then(softcap("unembedding", config.logit_softcap), path, "t v")
        path = ""
    build.then(pill("logits", "Logits", "unembedding"), path or "logits", "t v")
