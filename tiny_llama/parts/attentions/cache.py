"""What is kept of the tokens read so far, so that generation need not read them again."""

from torch import Tensor


class LayerCache:
    """Keys (rotated) and values of one layer, `b g s e`, with room for `n_positions` tokens."""

    def __init__(self, n_positions: int) -> None:
        self.n_positions = n_positions
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def extend(self, keys: Tensor, values: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Store those of the new tokens from `start` on; return those of all tokens so far."""
        if self._keys is None or self._values is None:
            self._keys, self._values = self._room(keys), self._room(values)
        end = start + keys.shape[2]
        self._keys[:, :, start:end] = keys
        self._values[:, :, start:end] = values
        return self._keys[:, :, :end], self._values[:, :, :end]

    def n_bytes(self, length: int) -> int:
        """Count the bytes of the keys and values of `length` tokens."""
        if self._keys is None:
            return 0
        return 2 * self._keys[:, :, :length].numel() * self._keys.element_size()

    def _room(self, like: Tensor) -> Tensor:
        b, g, _, e = like.shape
        return like.new_empty(b, g, self.n_positions, e)


class Cache:
    """One `LayerCache` a layer, and how many tokens they hold."""

    def __init__(self, n_layers: int, n_positions: int) -> None:
        self.layers = [LayerCache(n_positions) for _ in range(n_layers)]
        self.length = 0

    @property
    def n_bytes(self) -> int:
        """Bytes of all stored keys and values."""
        return sum(layer.n_bytes(self.length) for layer in self.layers)
