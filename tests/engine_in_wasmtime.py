"""The browser's engine without a browser: the same WebAssembly, run by wasmtime."""

import ctypes
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import wasmtime

from explorer.components import browser_trainer
from explorer.components.browser_trainer.shape import Shape
from tiny_llama.train_config import TrainConfig

PLAIN = "engine.wasm"
FOLDER = Path(browser_trainer.__file__).parent
_DOUBLE = wasmtime.ValType.f64()


class Tensor(ctypes.Structure):
    """As `engine/model.c` has it."""

    _fields_ = [(name, ctypes.c_int32) for name in ("name", "layer", "begins", "rows", "columns")]


class Step(ctypes.Structure):
    """As `engine/optimizer.c` has it."""

    _fields_ = [
        *((name, ctypes.c_double) for name in ("learning_rate", "beta1", "beta2")),
        *((name, ctypes.c_double) for name in ("weight_decay", "clip")),
        ("step", ctypes.c_int32),
    ]


class Engine:
    """One model in a WebAssembly module of its own."""

    def __init__(self, shape: Shape, path: Path = FOLDER / PLAIN) -> None:
        self._store = wasmtime.Store()
        linker = wasmtime.Linker(self._store.engine)
        for name, n_arguments in {"cos": 1, "sin": 1, "log": 1, "pow": 2}.items():
            kind = wasmtime.FuncType([_DOUBLE] * n_arguments, [_DOUBLE])
            linker.define_func("host", name, kind, getattr(math, name))
        module = wasmtime.Module.from_file(self._store.engine, str(path))
        self._exports = linker.instantiate(self._store, module).exports(self._store)
        self.shape = shape
        self.n_parameters = self.call(
            "set_up",
            self._write(shape.sizes, np.int32),
            self._write(shape.reals, np.float32),
            self._write(shape.windows, np.int32),
            self._write(shape.thetas, np.float64),
        )
        self.call("prepare_optimizer", self.n_parameters)

    def call(self, name: str, *arguments: float) -> Any:
        """Call a function that the engine exports."""
        return self._exports[name](self._store, *arguments)

    def array(self, name: str, n: int, dtype: type = np.float32) -> np.ndarray:
        """Look at memory: `n` numbers from where the engine says that `name` is; no copy."""
        return self._memory(self.call(name), n * np.dtype(dtype).itemsize).view(dtype)

    def at(self, address: int, n: int) -> np.ndarray:
        """Look at `n` float32 numbers at an address."""
        return self._memory(address, 4 * n).view(np.float32)

    @property
    def parameters(self) -> np.ndarray:
        """All of them in one row; write into it to set them."""
        return self.array("parameters_at", self.n_parameters)

    def tensors(self) -> list[tuple[str, int, tuple[int, ...]]]:
        """List path, place and shape of every tensor, in the engine's order."""
        n = self.call("count_tensors")
        memory = self._memory(self.call("tensors_at"), n * ctypes.sizeof(Tensor))
        return [self._path(each) for each in (Tensor * n).from_buffer(memory)]

    def _path(self, tensor: Tensor) -> tuple[str, int, tuple[int, ...]]:
        name = bytes(self._memory(tensor.name, 64)).split(b"\0")[0].decode()
        path = name if tensor.layer < 0 else f"blocks.{tensor.layer}.{name}"
        is_vector = path.endswith(".bias") or "norm" in path
        return (
            path,
            tensor.begins,
            (tensor.columns,) if is_vector else (tensor.rows, tensor.columns),
        )

    def read(self, inputs: np.ndarray, targets: np.ndarray) -> int:
        """Hand over texts, both `b t`; give their number."""
        self.array("tokens_at", inputs.size, np.int32)[:] = inputs.ravel()
        self.array("targets_at", targets.size, np.int32)[:] = targets.ravel()
        return len(inputs)

    def take_step(self, config: TrainConfig, step: int) -> float:
        """Move the parameters by the gradients that are there; give the gradients' length."""
        values = Step(
            config.learning_rate_at(step),
            config.beta1,
            config.beta2,
            config.weight_decay,
            config.gradient_clip,
            step,
        )
        return float(self.call("take_step", self._put(bytes(values))))

    def _write(self, numbers: Sequence[float], dtype: type) -> int:
        return self._put(np.asarray(numbers, dtype).tobytes())

    def _put(self, content: bytes) -> int:
        at = self.call("room", max(8, len(content)))
        self._memory(at, len(content))[:] = np.frombuffer(content, np.uint8)
        return int(at)

    def _memory(self, at: int, n_bytes: int) -> np.ndarray:
        memory = self._exports["memory"]
        begin = ctypes.addressof(memory.data_ptr(self._store).contents)
        kind = ctypes.c_uint8 * memory.data_len(self._store)
        return np.frombuffer(kind.from_address(begin), np.uint8)[at : at + n_bytes]
