"""What a model would write next, and what each setting of the draw does to its probabilities."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from tiny_llama.analyses import Found
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import TextError
from tiny_llama.generation import Reader, Stage, check_finite, sampling_stages
from tiny_llama.sample_config import SampleConfig

MOST_SHOWN = 15
"""Tokens of which the numbers are given: the likeliest."""
MOST_ADDED = 200
"""Tokens that may be put after a text, one by one."""
UNDECIDED = 0.5
"""Nats of entropy from which on a model has a choice; two tokens of 80% and 20% have as much."""
MOST_AT_ONCE = 60
MOST_TEXT = 400
"""Tokens of the text so far whose words are given: its last ones."""


@torch.no_grad()
def next_token(
    subject: Subject, *, text: str, added: Sequence[int], seed: int, **settings: float
) -> Found:
    """Go on from a text, by one token.

    As `generate` does, the model reads at most its context, and forgets the first half when the
    text has outgrown it.

    Args:
        subject: the model.
        text: what was written first.
        added: ids of the tokens put after it so far.
        seed: decides the draws; with as many tokens added, the same as in `generate`.
        settings: temperature, top_k, top_p and min_p, as in `SampleConfig`.

    Returns:
        `ids`, `tokens`, `logits`, `n`: of the likeliest tokens, likeliest first; `stages`, `s`:
        their names; `probabilities` and `kept` (0 or 1), `s n`; and of all tokens: `n_kept`, `cut`
        (the share of the probability that the stage took away) and `entropies` (nats), `s`.
        `drawn` and `likeliest`, an id each, with `drawn_token` and `likeliest_token`; `n_read`,
        how many tokens the model reads, of `n_tokens`; `before` and `after`, what the tokens of
        the text and those added read as, of the former the last `MOST_TEXT`.

    Raises:
        UserError: if the text has no token, an id is none of this model, a setting is out of its
            bounds, or the model's scores are no finite numbers.
    """
    config = SampleConfig(seed=seed, **settings)  # type: ignore[arg-type]
    reader, before = _reader(subject, text, added)
    logits = reader.next_logits()
    check_finite(logits)
    stages = list(sampling_stages(logits, config))
    shown = logits.topk(min(MOST_SHOWN, len(logits))).indices
    drawn, likeliest = _draw(stages[-1], seed, len(added)), int(logits.argmax())
    return {
        "ids": shown.numpy(),
        "tokens": subject.labels(shown),
        "logits": logits[shown].numpy(),
        **_numbers(stages, shown),
        "drawn": drawn,
        "drawn_token": subject.tokenizer.token_text(drawn),
        "likeliest": likeliest,
        "likeliest_token": subject.tokenizer.token_text(likeliest),
        "n_read": len(reader.visible),
        "n_tokens": len(before) + len(added),
        "before": subject.labels(before[-MOST_TEXT:]),
        "after": subject.labels(torch.tensor(list(added), dtype=torch.long)),
    }


@torch.no_grad()
def write_on(
    subject: Subject, *, text: str, added: Sequence[int], seed: int, **settings: float
) -> Iterator[Found | None]:
    """Draw at least one token, and then until the model is undecided about the next.

    Args:
        subject: as in `next_token`, and so are the others.
        text: what was written first.
        added: ids of the tokens put after it so far.
        seed: decides the draws.
        settings: temperature, top_k, top_p and min_p.

    Yields:
        None after each token; at the end `drawn`, the ids of at most `MOST_AT_ONCE` tokens.

    Raises:
        UserError: as `next_token`.
    """
    config = SampleConfig(seed=seed, **settings)  # type: ignore[arg-type]
    reader, _ = _reader(subject, text, added, use_cache=True)
    drawn: list[int] = []
    most = min(MOST_AT_ONCE, MOST_ADDED - len(added))
    while len(drawn) < most:
        logits = reader.next_logits()
        check_finite(logits)
        *_, last = stages = list(sampling_stages(logits, config))
        if drawn and entropy(stages[0].probabilities) >= UNDECIDED:
            break
        drawn.append(_draw(last, seed, len(added) + len(drawn)))
        reader.push(drawn[-1])
        yield None
    yield {"drawn": drawn}


def entropy(probabilities: torch.Tensor) -> float:
    """Measure in nats how undecided a distribution is: 0 for a sure token, ln v for v equal."""
    return float(torch.special.entr(probabilities).sum())


def _numbers(stages: Sequence[Stage], shown: torch.Tensor) -> Found:
    """Show what each stage does to the tokens shown, and to all."""
    before = [stages[0], *stages[:-1]]
    cuts = [
        float(earlier.probabilities[~stage.kept].sum())
        for earlier, stage in zip(before, stages, strict=True)
    ]
    return {
        "stages": [stage.name for stage in stages],
        "probabilities": np.stack([stage.probabilities[shown].numpy() for stage in stages]),
        "kept": np.stack([stage.kept[shown].numpy() for stage in stages]).astype(np.uint8),
        "n_kept": np.array([int(stage.kept.sum()) for stage in stages]),
        "cut": np.array(cuts),
        "entropies": np.array([entropy(stage.probabilities) for stage in stages]),
    }


def _draw(stage: Stage, seed: int, n_before: int) -> int:
    """Draw as `generate` does after as many draws, each of which takes as many random numbers."""
    draw = torch.Generator().manual_seed(seed)
    for _ in range(n_before + 1):
        drawn = torch.multinomial(stage.probabilities, 1, generator=draw)
    return int(drawn)


def _reader(
    subject: Subject, text: str, added: Sequence[int], *, use_cache: bool = False
) -> tuple[Reader, torch.Tensor]:
    """Give what reads the text and the tokens put after it, and the ids of the text."""
    ids = subject.read_prompt(text)
    reader = Reader(subject.model, use_cache=use_cache)
    for token in [*map(int, ids), *_checked(subject, added)]:
        reader.push(token)
    return reader, ids


def _checked(subject: Subject, added: Sequence[int]) -> list[int]:
    n_vocab = subject.model.config.vocab_size
    wrong = [token for token in added if not 0 <= token < n_vocab]
    if wrong or len(added) > MOST_ADDED:
        raise TextError(
            f"{len(added)} tokens were put after the text, of which {len(wrong)} are none of this "
            f"model's {n_vocab}; at most {MOST_ADDED} of its own can be: start again."
        )
    return list(added)
