"""What the Architecture page can show of the model that was chosen."""

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
from explorer.stage import View

VIEWS = (
    View("block", "The picture", block.show),
    View("components", "Components", components.show),
    View("parameters", "Parameters", parameters.show),
    View("compute", "Compute", compute.show),
    View("memory", "Memory", memory.show),
    View("speed", "Speed limit", speed.show),
    View("sizes", "Real sizes", sizes.show),
    View("training", "Training LLaMA 65B", training.show),
    View("code", "Take the code", take_code.show),
)
