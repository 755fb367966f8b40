"""What kind of head a head is, from its pattern alone: five scores between 0 and 1.

Named after what such heads are found to do: previous-token and induction heads (Elhage et al. 2021;
Olsson et al. 2022, arXiv:2209.11895), duplicate-token heads (Wang et al. 2022, arXiv:2211.00593)
and attention sinks at the first token (Xiao et al. 2023, arXiv:2309.17453).
"""

from collections.abc import Mapping

import numpy as np

ROLES: Mapping[str, str] = {
    "previous": "Previous token",
    "first": "First token",
    "same": "Same token",
    "induction": "Induction",
    "uniform": "Uniform",
}
"""Names and titles, in the order of the scores."""
CLEAR, EVEN = 0.4, 0.9
"""From where on a head is called by a role; evenness is high for any head that is not sharp."""


def role_scores(pattern: np.ndarray, ids: np.ndarray, window: int | None = None) -> np.ndarray:
    """Score a head on every role.

    The first four are shares of attention, averaged over the readers to which the role applies:

    - previous: what a token reads from the one before it;
    - first: what a token, other than the first, reads from the first;
    - same: what a token reads from earlier copies of itself, where there are any;
    - induction: what a token reads from the tokens that followed its earlier copies, itself left
      out, where there are any;

    - uniform: the entropy of what a token reads, as a share of the most that it could be.

    Args:
        pattern: how much each reader reads from each source, `... t s` with t = s.
        ids: the tokens, `t`.
        window: how many tokens, itself included, a token can read; None: all before it.

    Returns:
        Scores in the order of `ROLES`, `... 5`; NaN where a role applies to no token.
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
        earlier & is_same,
        earlier & follows_same,
    )
    shares = [_share(pattern, target) for target in targets]
    return np.stack([*shares, _evenness(pattern, is_seen.sum(1))], -1)


def best_role(scores: np.ndarray) -> str | None:
    """Name the role that a head's scores, `5`, make clear; None for a mixture."""
    names = list(ROLES)
    shares = np.nan_to_num(scores[:-1])
    if shares.max() >= CLEAR:
        return names[int(shares.argmax())]
    return names[-1] if scores[-1] >= EVEN else None


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
