"""Norm and SwiGLU: what keeps the stream in hand, and what each token's hidden units do."""

from explorer.inside.norm_and_swiglu import (
    activations,
    cost,
    norms,
    openings,
    placement,
    stream,
    units,
    width,
)
from explorer.stage import View

VIEWS = (
    View("norms", "Two norms", norms.show),
    View("stream", "Residual stream", stream.show),
    View("placement", "Before or after", placement.show),
    View("cost", "What a norm costs", cost.show),
    View("activations", "Activations", activations.show),
    View("gate", "Units and tokens", units.show),
    View("openings", "Gate and up", openings.show),
    View("width", "Two thirds of 4d", width.show),
)
