"""The view inside: marked activations, `record`, which collects them, `change`, which meddles."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase

from torch import Tensor, nn


class Tap(nn.Module):
    """An identity that marks an activation; its path in the model is the activation's name."""

    def __call__(self, x: Tensor) -> Tensor:
        """Hand `x` on, by way of the hooks only where somebody looks: there are fifty in a step."""
        return super().__call__(x) if self._forward_hooks else x

    def forward(self, x: Tensor) -> Tensor:
        """Hand `x` on."""
        return x

    @property
    def watched(self) -> bool:
        """Whether anybody looks: a part may skip work that only a watcher needs."""
        return bool(self._forward_hooks)


@contextmanager
def record(model: nn.Module, *patterns: str) -> Iterator[Mapping[str, Tensor]]:
    """Collect activations by path while the block runs; always takes its hooks away again.

    Args:
        model: any module with taps inside.
        patterns: paths, with `*` for any part, such as "blocks.*.attention.pattern"; a path of
            any other module gives that module's output. None given: every tap.

    Yields:
        A mapping from path to the tensor of the latest forward pass, detached.

    Raises:
        KeyError: if a pattern matches no path of the model.
    """
    seen: dict[str, Tensor] = {}
    with ExitStack() as hooks:
        for path, module in _matching(model, patterns):
            hooks.enter_context(module.register_forward_hook(_keep(seen, path)))
        yield seen


@contextmanager
def change(model: nn.Module, changes: Mapping[str, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Put other activations in place of a model's own while the block runs.

    Args:
        model: any module with taps inside.
        changes: for each path, what makes the new tensor out of the old one.

    Raises:
        KeyError: if a path does not exist.
    """
    with ExitStack() as hooks:
        for path, make in changes.items():
            ((_, module),) = _matching(model, (path,))
            hooks.enter_context(module.register_forward_hook(_swap(make)))
        yield


def tap_paths(model: nn.Module) -> list[str]:
    """List the paths of all taps, in the order in which they stand in the model."""
    return [path for path, module in model.named_modules() if isinstance(module, Tap)]


def _matching(model: nn.Module, patterns: tuple[str, ...]) -> Iterator[tuple[str, nn.Module]]:
    modules = dict(model.named_modules())
    for pattern in patterns or tap_paths(model):
        paths = [path for path in modules if fnmatchcase(path, pattern)]
        if not paths:
            raise KeyError(f"{pattern!r} matches no path; taps are {', '.join(tap_paths(model))}")
        yield from ((path, modules[path]) for path in paths)


def _keep(seen: dict[str, Tensor], path: str) -> Callable[[nn.Module, object, Tensor], None]:
    def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
        seen[path] = output.detach()

    return hook


def _swap(make: Callable[[Tensor], Tensor]) -> Callable[[nn.Module, object, Tensor], Tensor]:
    def hook(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return make(output)

    return hook
