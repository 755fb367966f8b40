"""Compile the engine: `python -m explorer.components.browser_trainer.build`.

Two builds: one with 128-bit vectors, and one that may also multiply and add in one go (relaxed
SIMD), which is faster and rounds as the processor does. The same compiler gives the same bytes.
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE / "engine"
BUILDS = {"engine.wasm": "", "engine.relaxed.wasm": "+relaxed_simd"}
FEATURES = "-mcpu=lime1+simd128"
"""What every browser of 2023 has: bulk memory, conversions that do not trap, and vectors."""
FLAGS = (
    *("-target", "wasm32-freestanding", "-std=c11", "-O3", "-Wall", "-Werror", "-nostdlib"),
    # Sums may be taken in another order, so that four are taken at once; NaN stays NaN.
    *("-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math", "-fno-math-errno"),
    *("-fno-builtin-memset", "-fno-builtin-memcpy", "-ffp-contract=off"),
    *("-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=65536"),
)


def build(folder: Path, names: Iterable[str] = BUILDS, flags: Sequence[str] = FLAGS) -> None:
    """Compile builds into a folder.

    Raises:
        CalledProcessError: if the compiler refuses.
    """
    sources = sorted(path.name for path in SOURCES.glob("*.c"))
    for name in names:
        target = (folder / name).resolve()
        command = [sys.executable, "-m", "ziglang", "cc", *flags, FEATURES + BUILDS[name]]
        subprocess.run([*command, *sources, "-o", str(target)], cwd=SOURCES, check=True)


if __name__ == "__main__":
    build(HERE)
