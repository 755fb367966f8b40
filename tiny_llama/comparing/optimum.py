"""The best size for a budget of compute by published laws, and the cheapest model to serve."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, inf, log

from scipy.optimize import brentq

from tiny_llama.comparing.law import Law
from tiny_llama.cost import FLOPS_A_SERVED_TOKEN, FLOPS_A_TRAINED_TOKEN
from tiny_llama.errors import ConfigError

PETAFLOP_DAY = 8.64e19
TOKENS_A_PARAMETER = 20
"""The rule of thumb: a reading of Chinchilla's Table 3, not a law of its paper."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which size is best for so much compute: a power of it, or what a law of losses says."""

    title: str
    source: str
    scale: float
    """The best size, in parameters, for one operation; a rule is meant for 10^17 and more."""
    exponent: float
    law: Law | None = None
    """The losses that it comes from, where the paper gives their law."""

    def best_size(self, flops: float) -> float:
        """Give the size that is best for so many operations of training."""
        return float(self.scale * flops**self.exponent)

    def best_tokens(self, flops: float) -> float:
        """Give the tokens that the best size then sees: those that 6 N D leaves."""
        return flops / FLOPS_A_TRAINED_TOKEN / self.best_size(flops)

    def flops_for_tokens(self, tokens: float) -> float:
        """Give the compute at which so many tokens are the right number."""
        at_one = self.best_tokens(1.0)
        return float((tokens / at_one) ** (1 / (1 - self.exponent)))


def _rule_of(law: Law, title: str, source: str) -> Rule:
    """Make the rule that a law of losses comes to: its best size is a power of the compute."""
    return Rule(
        title=title, source=source, scale=law.best_size(1.0), exponent=law.size_exponent, law=law
    )


PUBLISHED: Mapping[str, Rule] = {
    "refit": _rule_of(
        Law(e=1.8172, a=482.01, b=2085.43, alpha=0.3478, beta=0.3658),
        "Chinchilla, fitted again (2024)",
        "Besiroglu et al. 2024, arXiv:2404.10102",
    ),
    "chinchilla-1": Rule(
        title="Chinchilla 1: curves (2022)",
        source="Hoffmann et al. 2022, arXiv:2203.15556, a line through Table 3",
        scale=0.09916,
        exponent=0.4981,
    ),
    "chinchilla-2": Rule(
        title="Chinchilla 2: IsoFLOP (2022)",
        source="Hoffmann et al. 2022, arXiv:2203.15556, a line through Table A3",
        scale=0.14488,
        exponent=0.48994,
    ),
    "chinchilla-3": _rule_of(
        Law(e=1.6934, a=406.4, b=410.7, alpha=0.3392, beta=0.2849),
        "Chinchilla 3: the law (2022)",
        "Hoffmann et al. 2022, arXiv:2203.15556, unrounded as Besiroglu et al. 2024 quote them",
    ),
    "printed": _rule_of(
        Law(e=1.69, a=406.4, b=410.7, alpha=0.34, beta=0.28),
        "Chinchilla 3, as printed",
        "Hoffmann et al. 2022, arXiv:2203.15556, appendix D.3, equation 10",
    ),
    "kaplan": Rule(
        title="Kaplan (2020)",
        source="Kaplan et al. 2020, arXiv:2001.08361, Table 6",
        scale=1.3e9 / PETAFLOP_DAY**0.73,
        exponent=0.73,
    ),
    "twenty": Rule(
        title="20 tokens a parameter",
        source="a reading of Table 3 of Hoffmann et al. 2022, arXiv:2203.15556",
        scale=(FLOPS_A_TRAINED_TOKEN * TOKENS_A_PARAMETER) ** -0.5,
        exponent=0.5,
    ),
}
"""The rules by a short name, the one that holds best first.

Of Kaplan's, N leaves the embedding out. Its Table 6 gives tokens as 2e10 C^0.27, too, some 1.8
times what 6 N D leaves: there, C is the least compute, with batches much smaller than those trained
with. Here all rules take C to be 6 N D, so that they lie on the same map.
"""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A model: its parameters and the tokens that it is trained on."""

    parameters: float
    tokens: float

    @property
    def training_flops(self) -> float:
        """The operations of its training, 6 N D."""
        return FLOPS_A_TRAINED_TOKEN * self.parameters * self.tokens

    def lifetime_flops(self, served: float) -> float:
        """Add the operations of training and of serving so many tokens, 6 N D + 2 N T."""
        return self.training_flops + FLOPS_A_SERVED_TOKEN * self.parameters * served


def best_choice(law: Law, flops: float) -> Choice:
    """Give the model of the lowest loss for so many operations of training."""
    size = law.best_size(flops)
    return Choice(parameters=size, tokens=flops / FLOPS_A_TRAINED_TOKEN / size)


def tokens_for_loss(law: Law, parameters: float, loss: float) -> float:
    """Give the tokens after which a model of this size comes to a loss; infinite: it never does."""
    left = loss - law.e - law.a / parameters**law.alpha
    return float((law.b / left) ** (1 / law.beta)) if left > 0 else inf


def served_where_best(law: Law, model: Choice) -> float:
    """Give the served tokens for which no other model of the same loss takes less in all.

    With 6 N D + 2 N T as what a model takes in its life, its derivative along the models of one
    loss is zero at T = 3 D (p - 1), where p is what a share more of size brings, alpha A / N^alpha,
    by what a share more of data brings, beta B / D^beta. Compute-optimal models have p = 1. See
    Sardana et al. 2023, arXiv:2401.00448.

    Returns:
        Served tokens; negative for a model that is too large for any.
    """
    of_size = law.alpha * law.a / model.parameters**law.alpha
    of_data = law.beta * law.b / model.tokens**law.beta
    return float(3 * model.tokens * (of_size / of_data - 1))


def cheapest_to_serve(law: Law, loss: float, served: float) -> Choice:
    """Find the model that comes to a loss and takes the least for training and serving together.

    Args:
        law: of its losses.
        loss: that it is to reach.
        served: tokens that it reads and writes in all its life, 0 or more.

    Raises:
        ConfigError: if no model reaches this loss.
    """
    if not loss > law.e:
        raise ConfigError(
            f"A loss of {loss:g} is not above {law.e:g}, which no size and no data bring down; "
            f"choose a higher one."
        )
    best = _best_for_loss(law, loss)
    if served <= 0:
        return best
    smallest = (law.a / (loss - law.e)) ** (1 / law.alpha)  # with infinite data

    def misses(log_size: float) -> float:
        tokens = tokens_for_loss(law, exp(log_size), loss)
        model = Choice(parameters=exp(log_size), tokens=tokens)
        return log(served) - log(max(served_where_best(law, model), 1e-300))

    low, high = log(smallest), log(best.parameters)
    size = exp(brentq(misses, low + 1e-6 * (high - low), high, xtol=1e-12))
    return Choice(parameters=size, tokens=tokens_for_loss(law, size, loss))


def _best_for_loss(law: Law, loss: float) -> Choice:
    """Give the model that comes to a loss with the least training.

    There, alpha A / N^alpha and beta B / D^beta are the same, so each has its share of what the
    loss is above the floor.
    """
    above = loss - law.e
    of_size = above * law.beta / (law.alpha + law.beta)
    size = (law.a / of_size) ** (1 / law.alpha)
    return Choice(parameters=size, tokens=(law.b / (above - of_size)) ** (1 / law.beta))
