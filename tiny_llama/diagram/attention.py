"""Attention's panel has queries, keys and values each on a branch of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tiny_llama.config import ModelConfig
from tiny_llama.diagram.boxes import box, on, pill, softcap
from tiny_llama.diagram.builder import WHOLE, Builder
from tiny_llama.diagram.records import Box, Panel
from tiny_llama.menu import POSITION

BRANCHES = ("query", "key", "value")


def attention_panel(config: ModelConfig, layer: int, sizes: Mapping[str, int]) -> Panel:
    """Put together the attention of one layer."""
    build = Builder(config, sizes, f"blocks.{layer}.attention.", BRANCHES)
    build.put(pill("in", "What comes in", "attention"))
    build.then(box("to_qkv", "To queries, keys, values", "attention", "to_qkv"), "", "t d")
    ends = {"query": ("to_qkv", "query"), "key": ("to_qkv", "key")}
    if config.qk_norm != "none":
        _for_each(build, ends, box("norm", "Norm {}", "qk_norm", config.qk_norm))
    if config.theta_of(layer) is not None:
        _for_each(build, ends, _turn(config))
        ends = {name: (start, f"rotated_{name}") for name, (start, _) in ends.items()}
    _score(build, layer, ends)
    build.then(box("heads", "Pattern × values", "attention", "heads"), "pattern", "h t s")
    build.wire("to_qkv", "heads", "value", "g s e", branch="value")
    build.then(box("to_output", "Heads to width", "attention", "to_output"), "heads", "h t e")
    build.then(pill("out", "What attention adds", "attention"), WHOLE, "t d")
    return build.panel("attention", "Inside attention")


def _turn(config: ModelConfig) -> Box:
    turned, width = config.turned_width, config.head_width
    share = "" if turned == width else f"{turned} of {width}"
    return box("turn", "Turn {}", "position", config.position, share)


def _for_each(build: Builder, ends: dict[str, tuple[str, str]], model: Box) -> None:
    """Put a box once for queries and once for keys; `ends` says where each is then."""
    for name, axes in (("query", "h t e"), ("key", "g t e")):
        start, _ = ends[name]
        title = model.title.format(name[0])
        build.put(on(name, replace(model, name=f"{name}_{model.name}", title=title)))
        build.wire(start, build.last, name, axes)
        ends[name] = (build.last, name)


def _score(build: Builder, layer: int, ends: Mapping[str, tuple[str, str]]) -> None:
    """Lead from queries and keys to how much each token reads from each."""
    build.put(_of_scores(box("scores", "q · k / √e", "attention", "scores")))
    for name, axes in (("query", "h t e"), ("key", "g s e")):
        start, path = ends[name]
        build.wire(start, "scores", path, axes, branch=name)
    path = "scores"
    for each in _on_scores(build.config, layer):
        build.then(_of_scores(each), path, "h t s")
        path = ""
    softmax = _of_scores(box("softmax", "Softmax", "attention", "softmax"))
    build.then(softmax, "masked_scores", "h t s")


def _on_scores(config: ModelConfig, layer: int) -> Iterator[Box]:
    """Make boxes for what happens to scores before the softmax."""
    if config.attention_softcap is not None:
        yield softcap("attention", config.attention_softcap)
    if bias := POSITION[config.position].bias:
        yield box("bias", bias, "position", config.position)
    window = config.window_of(layer)
    hidden = "the future" if window is None else f"all but the last {window:,}"
    yield box("mask", "Mask", "attention", "mask", hidden)


def _of_scores(box: Box) -> Box:
    """Put a box on the branches of queries and keys."""
    return replace(box, branches=("query", "key"))
