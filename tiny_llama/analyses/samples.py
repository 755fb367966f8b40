"""Several texts that a model writes from one beginning, each by its own seed."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from tiny_llama.analyses import Found
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import ConfigError
from tiny_llama.generation import generate
from tiny_llama.sample_config import SampleConfig

MOST_SAMPLES = 6
MOST_TOKENS = 200


def samples(
    subject: Subject, *, text: str, seeds: Sequence[int], n_tokens: int, **settings: float
) -> Iterator[Found | None]:
    """Write on from a text once for each seed, a token at a time.

    Args:
        subject: the model.
        text: where all of them begin.
        seeds: a text is written for each.
        n_tokens: how many tokens each text gets.
        settings: temperature, top_k, top_p and min_p, as in `SampleConfig`.

    Yields:
        None after each token; at the end `tokens`, for each seed what its tokens read as; and `n t`
        for each of them: `log_probabilities`, ln of what the model itself gave it, and
        `draw_log_probabilities`, ln of what it was drawn with, after temperature and filters.

    Raises:
        UserError: if the text has no token, a setting is out of its bounds, or the model's scores
            are no finite numbers.
    """
    if not (0 < len(seeds) <= MOST_SAMPLES and 0 < n_tokens <= MOST_TOKENS):
        raise ConfigError(
            f"{len(seeds)} texts of {n_tokens} tokens cannot be written at once; choose 1 to "
            f"{MOST_SAMPLES} of 1 to {MOST_TOKENS}."
        )
    prompt = subject.tokenizer.encode_prompt(text)
    tokens, own, drawn = [], [], []
    for seed in seeds:
        config = SampleConfig(seed=seed, n_tokens=n_tokens, **settings)  # type: ignore[arg-type]
        said = []
        for each in generate(subject.model, prompt, config):
            said.append(each)
            yield None
        tokens.append([subject.tokenizer.token_text(each.token) for each in said])
        own.append([float(each.logits.log_softmax(-1)[each.token]) for each in said])
        drawn.append([float(torch.log(each.probabilities[each.token])) for each in said])
    yield {
        "tokens": tokens,
        "log_probabilities": np.array(own, np.float32),
        "draw_log_probabilities": np.array(drawn, np.float32),
    }
