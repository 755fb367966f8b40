"""LayerNorm (Ba, Kiros and Hinton 2016, arXiv:1607.06450), the norm of GPT-2 and GPT-3."""

from torch import nn


class LayerNorm(nn.LayerNorm):
    """Subtracts each token's mean, divides by its standard deviation, then scales and shifts.

    y = weight * (x - mean) / sqrt(var + eps) + bias, over the last axis.
    """

    def __init__(self, width: int, eps: float) -> None:
        super().__init__(width, eps=eps)


class LayerNormNoBias(nn.LayerNorm):
    """LayerNorm that scales but does not shift, as in PaLM (arXiv:2204.02311) and MPT."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__(width, eps=eps, bias=False)


class LayerNormPlain(nn.LayerNorm):
    """LayerNorm that neither scales nor shifts, as in the first OLMo (arXiv:2402.00838)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__(width, eps=eps, elementwise_affine=False)
