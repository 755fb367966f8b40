"""What a run holds at its peaks: upper bounds by formula, without PyTorch.

`cost` counts what lasts and what a step must keep. Here stands what it takes on the way as well,
so that whoever has little memory knows before anything is built. The tests hold the bounds against
what processes really take.
"""

from tiny_llama.config import ModelConfig
from tiny_llama.cost import (
    activation_bytes,
    count_parameters,
    kv_cache_bytes,
    training_memory,
)
from tiny_llama.setup import Setup
from tiny_llama.tokenizers import TOKENIZERS

PIECE_BYTES = 600
"""Of each piece of a learned vocabulary: its text, its score and its bytes as Python keeps them."""


def lasting_bytes(setup: Setup) -> int:
    """Count the bytes that a run holds between its steps, its text aside.

    Weights and the optimizer's averages; the untrained weights once more, as long as they are
    looked at; keys and values of the two samples that may be under way; and the vocabulary.
    """
    memory = training_memory(setup.model, optimizer=setup.training.optimizer)
    caches = 2 * kv_cache_bytes(setup.model, setup.model.context)
    is_learned = TOKENIZERS[setup.tokenizer].vocab_size_bounds is not None
    vocabulary = PIECE_BYTES * setup.model.vocab_size * is_learned
    return 2 * memory.weights + memory.optimizer + caches + vocabulary


def step_bytes(setup: Setup) -> int:
    """Count the bytes that a step of training takes at its peak beside what lasts.

    What the forward pass keeps, patterns of attention where they are not fused away among it; the
    logits' softmax and gradient, and their soft-cap; and the gradients of all weights, of which
    Muon makes three more copies for its matrices.
    """
    training = setup.training
    return pass_bytes(setup.model, setup.model.context, batch_size=training.batch_size) + (
        4 * count_parameters(setup.model) * (4 if training.optimizer == "muon" else 1)
    )


def pass_bytes(model: ModelConfig, n_tokens: int, *, batch_size: int = 1) -> int:
    """Count the bytes of both passes over some texts at their peak, gradients of weights aside."""
    kept = activation_bytes(model, batch_size=batch_size, n_tokens=n_tokens)
    kept += batch_size * _patterns_kept(model, n_tokens)
    logits = 4 * batch_size * n_tokens * model.vocab_size
    return kept + logits * (2 + (model.logit_softcap is not None))


def reading_bytes(config: ModelConfig, n_tokens: int) -> int:
    """Count the bytes that a model holds while it reads a text without gradient, logits aside."""
    d, queries = config.d_model, config.n_heads * config.head_width
    keys = config.kv_heads * config.head_width
    attention = config.has_attention * (2 * (queries + 2 * keys) + 2 * queries)
    copies = config.n_active_experts if config.has_experts else 1
    feed_forward = copies * (4 * config.hidden_width + 2 * d * config.has_experts)
    patterns = _patterns_kept(config, n_tokens) // max(1, config.n_layers)
    return 4 * n_tokens * (3 * d + max(attention, feed_forward)) + patterns


def pattern_bytes(config: ModelConfig, n_tokens: int) -> int:
    """Count the bytes of a layer's patterns over a text: a number a head, reader and source."""
    return 4 * config.has_attention * config.n_heads * n_tokens**2


def _patterns_kept(config: ModelConfig, n_tokens: int) -> int:
    """Count the bytes of patterns that all layers keep of a text; fused attention keeps none.

    A soft-cap makes each layer keep scores, capped scores and probabilities, and dropout besides
    what it left and its mask.
    """
    copies = 4 if config.dropout else 3 if config.attention_softcap is not None else 0
    return copies * config.n_layers * pattern_bytes(config, n_tokens)
