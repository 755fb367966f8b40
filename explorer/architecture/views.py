"""What the Architecture page can show of the model that was chosen."""

from collections.abc import Callable, Mapping

from explorer.architecture import (
    block,
    components,
    compute,
    memory,
    parameters,
    sizes,
    speed,
    take_code,
    training,
)
from tiny_llama.setup import Setup

VIEWS = {
    "block": "The picture",
    "components": "Component by component",
    "parameters": "Parameters",
    "compute": "Compute",
    "memory": "Memory",
    "speed": "Speed limit",
    "sizes": "Real sizes",
    "training": "Training LLaMA 65B",
    "code": "Take the code",
}
SHOW: Mapping[str, Callable[[Setup, str], None]] = {
    "block": block.show,
    "components": components.show,
    "parameters": parameters.show,
    "compute": compute.show,
    "memory": memory.show,
    "speed": speed.show,
    "sizes": sizes.show,
    "training": training.show,
    "code": take_code.show,
}
