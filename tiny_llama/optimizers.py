"""AdamW and SGD, each step one call of PyTorch's fused kernels; Muon has a file of its own.

The numbers are those of `torch.optim` to the last bit. Its classes load PyTorch's compiler when the
first of them is built, though nothing is compiled: 90 MB and a second, in which a run could have
been training.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-8


class Optimizer(ABC):
    """Moves parameters by their gradients.

    Args:
        groups: each with its `params` and with settings of its own.
        settings: of all groups that do not have them themselves.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]], **settings: float) -> None:
        self.param_groups: list[dict[str, Any]] = [
            settings | dict(group) | {"params": list(group["params"])} for group in groups
        ]
        self.state: defaultdict[Tensor, dict[str, Tensor]] = defaultdict(dict)
        """What is kept of each parameter between two steps, by name."""

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            if moved := [p for p in group["params"] if p.grad is not None]:
                self.move(moved, group)

    def zero_grad(self) -> None:
        """Let all gradients go."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @abstractmethod
    def move(self, parameters: list[Tensor], group: Mapping[str, Any]) -> None:
        """Move parameters, all of which have gradients, by the settings of their group."""


class AdamW(Optimizer):
    """Adam with weight decay of its own (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Args:
        groups: as in `Optimizer`, each with its `weight_decay`.
        lr: length of a step.
        betas: how long gradients and their squares are remembered.
    """

    def __init__(
        self, groups: Iterable[Mapping[str, Any]], *, lr: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(groups, lr=lr, beta1=betas[0], beta2=betas[1])

    def move(self, parameters: list[Tensor], group: Mapping[str, Any]) -> None:
        """Move parameters by the average of their gradients over the root of their squares'."""
        kept = [self._kept(parameter) for parameter in parameters]
        n_steps = [each["step"] for each in kept]
        torch._foreach_add_(n_steps, 1)
        torch._fused_adamw_(
            parameters,
            _gradients(parameters),
            [each["exp_avg"] for each in kept],
            [each["exp_avg_sq"] for each in kept],
            [],
            n_steps,
            lr=group["lr"],
            beta1=group["beta1"],
            beta2=group["beta2"],
            weight_decay=group["weight_decay"],
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def _kept(self, parameter: Tensor) -> dict[str, Tensor]:
        kept = self.state[parameter]
        if not kept:
            kept["step"] = torch.zeros((), dtype=torch.float32)
            kept["exp_avg"] = torch.zeros_like(parameter)
            kept["exp_avg_sq"] = torch.zeros_like(parameter)
        return kept


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum unless that is 0.

    Args:
        groups: as in `Optimizer`, each with its `weight_decay`.
        lr: length of a step.
        momentum: how long gradients are remembered.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]], *, lr: float, momentum: float) -> None:
        super().__init__(groups, lr=lr, momentum=momentum)

    def move(self, parameters: list[Tensor], group: Mapping[str, Any]) -> None:
        """Move parameters by the sum of their gradients so far, earlier ones fading."""
        is_first = not any(self.state.get(parameter) for parameter in parameters)
        torch._fused_sgd_(
            parameters,
            _gradients(parameters),
            [self._kept(parameter) for parameter in parameters] if group["momentum"] else [],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=bool(is_first and group["momentum"]),
        )

    def _kept(self, parameter: Tensor) -> Tensor:
        kept = self.state[parameter]
        if not kept:
            kept["momentum_buffer"] = torch.zeros_like(parameter)
        return kept["momentum_buffer"]


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
