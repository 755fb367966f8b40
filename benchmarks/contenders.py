"""Who is measured: each a whole training step on the same batch, clipped and updated alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from nano_gpt import GPT
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.profiler import record_function
from transformers import LlamaConfig, LlamaForCausalLM

from tiny_llama.config import ModelConfig
from tiny_llama.cost import training_flops
from tiny_llama.model import TinyLlama
from tiny_llama.presets import PRESETS


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A size of model and of batch, 1024 tokens a step."""

    name: str
    config: ModelConfig
    batch_size: int

    @property
    def n_tokens(self) -> int:
        """Tokens a step."""
        return self.batch_size * self.config.context


SHAPES = [
    Shape(name="tiny-llama", config=PRESETS["tiny-llama"].config, batch_size=8),
    Shape(name="tiny-llama on short texts", config=ModelConfig(context=64), batch_size=16),
    Shape(name="128 wide", config=ModelConfig(d_model=128, n_layers=6), batch_size=8),
    Shape(
        name="256 wide",
        config=ModelConfig(d_model=256, n_layers=8, n_heads=8, context=256),
        batch_size=4,
    ),
]

OURS = "ours"
OURS_BY_MKL = "ours, oneDNN off"
HUGGING_FACE = "Hugging Face"
OURS_AS_GPT = "ours as a GPT"
NANO_GPT = "nanoGPT"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One training step of one model, ready to be repeated."""

    name: str
    n_parameters: int
    flops: int
    """Of all matrix products of a step; attention over the whole square."""
    step: Callable[[], None]


def contenders(shape: Shape) -> Iterator[Contender]:
    """Build everyone who runs at this shape.

    The GPTs have nanoGPT's layout: learned positions, LayerNorm, GELU, no biases, tied. Hugging
    Face's model runs as fast as it can: fused attention, no cache kept, and the same lean loss on
    its logits as everybody's in place of its own.
    """
    llama = shape.config
    gpt = replace(
        llama,
        position="learned",
        norm="layernorm_no_bias",
        feed_forward="gelu_exact",
        tied_unembedding=True,
    )
    ours, as_gpt, theirs = TinyLlama(llama), TinyLlama(gpt), _hugging_face(llama)
    yield _contender(OURS, ours, ours, shape, llama)
    yield _without_onednn(_contender(OURS_BY_MKL, TinyLlama(llama), None, shape, llama))
    yield _contender(HUGGING_FACE, theirs, lambda x: theirs(x).logits, shape, llama)
    yield _contender(OURS_AS_GPT, as_gpt, as_gpt, shape, gpt)
    yield _contender(NANO_GPT, _nano_gpt(gpt), None, shape, gpt)


def _contender(
    name: str,
    model: nn.Module,
    logits: Callable[[Tensor], Tensor] | None,
    shape: Shape,
    config: ModelConfig,
) -> Contender:
    draw = torch.Generator().manual_seed(0)
    texts = torch.randint(config.vocab_size, (shape.batch_size, config.context + 1), generator=draw)
    return Contender(
        name=name,
        n_parameters=sum(p.numel() for p in model.parameters()),
        flops=shape.batch_size * training_flops(config, config.context),
        step=_training_step(model.train(), logits or model, texts[:, :-1], texts[:, 1:]),
    )


def _training_step(
    model: nn.Module, logits: Callable[[Tensor], Tensor], inputs: Tensor, targets: Tensor
) -> Callable[[], None]:
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=True)

    def step() -> None:
        scores = logits(inputs)
        with record_function("loss"):
            loss = F.cross_entropy(scores.flatten(0, 1), targets.flatten())
        with record_function("gradients freed"):
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        with record_function("clip"):
            nn.utils.clip_grad_norm_(parameters, 1.0)
        with record_function("AdamW"):
            optimizer.step()

    return step


def _without_onednn(contender: Contender) -> Contender:
    def step() -> None:
        with _onednn_off():
            contender.step()

    return replace(contender, step=step)


@contextmanager
def _onednn_off() -> Iterator[None]:
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = True  # type: ignore[assignment]


def _hugging_face(config: ModelConfig) -> Any:
    return LlamaForCausalLM(
        LlamaConfig(  # type: ignore[call-arg]
            vocab_size=config.vocab_size,
            hidden_size=config.d_model,
            intermediate_size=config.hidden_width,
            num_hidden_layers=config.n_layers,
            num_attention_heads=config.n_heads,
            num_key_value_heads=config.kv_heads,
            max_position_embeddings=config.context,
            rms_norm_eps=config.norm_eps,
            tie_word_embeddings=False,
            use_cache=False,
            attn_implementation="sdpa",
        )
    )


def _nano_gpt(config: ModelConfig) -> GPT:
    return GPT(
        vocab_size=config.vocab_size,
        block_size=config.context,
        n_layer=config.n_layers,
        n_head=config.n_heads,
        n_embd=config.d_model,
    )
