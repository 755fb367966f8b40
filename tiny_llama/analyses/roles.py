"""What kind of head a head is, from its pattern alone: six scores between 0 and 1.

Named after what such heads are found to do: previous-token and induction heads (Elhage et al. 2021;
Olsson et al. 2022, arXiv:2209.11895), duplicate-token heads (Wang et al. 2022, arXiv:2211.00593),
attention sinks at the first token (Xiao et al. 2023, arXiv:2309.17453), and heads that rest on
separators, such as full stops and commas (Clark et al. 2019, arXiv:1906.04341).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tiny_llama.tokenizers.base import UNKNOWN

ROLES: Mapping[str, str] = {
    "previous": "Previous token",
    "first": "First token",
    "separator": "Separator",
    "same": "Same token",
    "induction": "Induction",
    "uniform": "Uniform",
}
"""Names and titles, in the order of the scores."""
CLEAR, EVEN = 0.4, 0.9
"""From where on a head is called by a role; evenness is high for any head that is not sharp."""
MOST_SEPARATORS = 1 / 3
"""Share of the text; where there are more, any head reads many, and that says nothing of it."""


def role_scores(
    pattern: np.ndarray,
    ids: np.ndarray,
    window: int | None = None,
    separates: np.ndarray | None = None,
) -> np.ndarray:
    """Score a head on every role.

    The first five are shares of attention, averaged over the readers to which the role applies:

    - previous: what a token reads from the one before it;
    - first: what a token, other than the first, reads from the first;
    - separator: what a token reads from earlier ones that separate, where there are any and they
      are not too many;
    - same: what a token reads from earlier copies of itself, where there are any;
    - induction: what a token reads from the tokens that followed its earlier copies, itself left
      out, where there are any;

    - uniform: the entropy of what a token reads, as a share of the most that it could be.

    Args:
        pattern: how much each reader reads from each source, `... t s` with t = s.
        ids: the tokens, `t`.
        window: how many tokens, itself included, a token can read; None: all before it.
        separates: which tokens separate words or sentences, `t`; None: none does.

    Returns:
        Scores in the order of `ROLES`, `... 6`; NaN where a role applies to no token.
    """
    n = len(ids)
    reader, source = np.mgrid[:n, :n]
    is_seen = source <= reader
    if window is not None:
        is_seen &= source > reader - window
    is_same = ids[:, None] == ids[None, :]
    follows_same = np.zeros_like(is_same)
    follows_same[:, 1:] = is_same[:, :-1]
    earlier = is_seen & (source < reader)
    targets = (
        earlier & (source == reader - 1),
        earlier & (source == 0),
        earlier & _telling(separates, n)[None, :],
        earlier & is_same,
        earlier & follows_same,
    )
    shares = [_share(pattern, target) for target in targets]
    return np.stack([*shares, _evenness(pattern, is_seen.sum(1))], -1)


def best_role(scores: np.ndarray) -> str | None:
    """Name the role that a head's scores, `6`, make clear; None for a mixture."""
    names = list(ROLES)
    shares = np.nan_to_num(scores[:-1])
    if shares.max() >= CLEAR:
        return names[int(shares.argmax())]
    return names[-1] if scores[-1] >= EVEN else None


def separators(labels: Sequence[str]) -> np.ndarray:
    """Mark the tokens that separate, `t`: those with neither letter nor digit, such as a comma.

    Args:
        labels: what each token reads as.
    """
    return np.array([label != UNKNOWN and not any(map(str.isalnum, label)) for label in labels])


def _telling(separates: np.ndarray | None, n: int) -> np.ndarray:
    """Give the marks of separators, `t`; none where they are so many that they tell nothing."""
    if separates is None or separates.mean() > MOST_SEPARATORS:
        return np.zeros(n, dtype=bool)
    return separates


def _share(pattern: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute how much is read from the targets, over the readers that have one."""
    readers = target.any(1)
    if not readers.any():
        return np.full(pattern.shape[:-2], np.nan)
    share: np.ndarray = (pattern * target).sum(-1)[..., readers].mean(-1)
    return share


def _evenness(pattern: np.ndarray, n_seen: np.ndarray) -> np.ndarray:
    """Compute entropy over its maximum, for the readers that have a choice."""
    readers = n_seen > 1
    if not readers.any():
        return np.full(pattern.shape[:-2], np.nan)
    logs = np.log(pattern, out=np.zeros_like(pattern), where=pattern > 0)
    entropy = -(pattern * logs).sum(-1)[..., readers]
    evenness: np.ndarray = (entropy / np.log(n_seen[readers])).mean(-1)
    return evenness
