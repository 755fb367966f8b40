"""What a training step of ours spends its time on, part by part, from PyTorch's profiler."""

from collections.abc import Callable, Iterator
from unittest.mock import patch

from torch import Tensor
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from tiny_llama.parts.positions.rope import Rope

PARTS = {
    "attention core": ("scaled_dot_product", "ScaledDotProduct"),
    "linear layers": ("Product", "aten::linear"),
    "norms": ("Normalize", "layer_norm", "NativeLayerNorm"),
    "RoPE": ("RoPE",),
    "activation and gate": ("silu", "aten::mul"),
    "heads split and joined": ("aten::split", "aten::view", "aten::reshape", "aten::permute"),
    "residual stream": ("aten::add",),
    "embedding": ("aten::embedding",),
    "loss": ("loss",),
    "gradients kept and freed": ("AccumulateGrad", "gradients freed"),
    "clip": ("clip",),
    "AdamW": ("AdamW",),
}
"""Which operations make up which part: the first with a word of the outermost one's name."""
REST = "Python and the rest"
STEP = "one step"


def where_time_goes(step: Callable[[], None], n_steps: int) -> dict[str, float]:
    """Count each part's milliseconds, forward and backward, in the quickest of some steps."""
    for _ in range(3):
        step()
    with patch.object(Rope, "rotate", _rotate), profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(n_steps):
            with record_function(STEP):
                step()
    events = list(seen.events())
    steps = [event for event in events if event.name == STEP]
    quickest = min(steps, key=lambda event: event.cpu_time_total)
    return _spent(quickest, [event for event in events if quickest in _ancestors(event)])


_plain_rotate = Rope.rotate


def _rotate(rope: Rope, q: Tensor, k: Tensor, start: int = 0) -> tuple[Tensor, Tensor]:
    with record_function("RoPE"):
        return _plain_rotate(rope, q, k, start)


def _spent(step: FunctionEvent, events: list[FunctionEvent]) -> dict[str, float]:
    spent = dict.fromkeys(PARTS, 0.0)
    part_of: dict[int, str | None] = {step.id: None}
    forward_part: dict[int, str | None] = {}
    for event in sorted(events, key=lambda event: (event.time_range.start, -event.time_range.end)):
        inherited = part_of[event.cpu_parent.id] if event.cpu_parent else None
        part = inherited or _named_part(event)
        if not _is_backward(event):
            forward_part[event.sequence_nr] = part
        elif not part:  # it belongs where the forward operation of the same number does
            part = forward_part.get(event.sequence_nr)
        part_of[event.id] = part
        if part and not inherited:
            spent[part] += event.cpu_time_total / 1e3
    spent[REST] = step.cpu_time_total / 1e3 - sum(spent.values())
    return spent


def _is_backward(event: FunctionEvent) -> bool:
    return any("evaluate_function" in e.name for e in (event, *_ancestors(event)))


def _named_part(event: FunctionEvent) -> str | None:
    fits = (part for part, words in PARTS.items() if any(word in event.name for word in words))
    return next(fits, None)


def _ancestors(event: FunctionEvent) -> Iterator[FunctionEvent]:
    while event.cpu_parent is not None:
        event = event.cpu_parent
        yield event
