"""Rotary embeddings: turning, distance, decay, trained heads, longer texts and both layouts."""

from explorer.inside.rotary import conventions, decay, distance, longer, rotation, trained
from explorer.stage import View

VIEWS = (
    View("rotation", "Rotation", rotation.show),
    View("distance", "Only the distance counts", distance.show),
    View("decay", "Decay", decay.show),
    View("model", "On the model", trained.show),
    View("longer", "Longer contexts", longer.show, takes_two=True),
    View("conventions", "Conventions", conventions.show),
)
