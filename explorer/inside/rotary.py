"""Rotary embeddings: turning, distance, decay, trained heads, longer texts and both layouts."""

from explorer.inside import (
    rotary_conventions,
    rotary_decay,
    rotary_distance,
    rotary_longer,
    rotary_model,
    rotary_rotation,
)

VIEWS = {
    "rotation": "Rotation",
    "distance": "Only the distance counts",
    "decay": "Decay",
    "model": "On the model",
    "longer": "Longer contexts",
    "conventions": "Conventions",
}
SHOW = {
    "rotation": rotary_rotation.show,
    "distance": rotary_distance.show,
    "decay": rotary_decay.show,
    "model": rotary_model.show,
    "longer": rotary_longer.show,
    "conventions": rotary_conventions.show,
}
