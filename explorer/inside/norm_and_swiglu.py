"""Norm and SwiGLU: what keeps the stream in hand, and what each token's hidden units do."""

from explorer.inside import activations, hidden_units, hidden_width, norm_costs, norms, placement

VIEWS = {
    "norms": "RMSNorm and LayerNorm",
    "stream": "Residual stream",
    "placement": "Before or after",
    "cost": "What a norm costs",
    "activations": "Activations",
    "gate": "Units and tokens",
    "openings": "Gate and up",
    "width": "Two thirds of 4d",
}
SHOW = {
    "norms": norms.show,
    "stream": norms.show_stream,
    "placement": placement.show,
    "cost": norm_costs.show,
    "activations": activations.show,
    "gate": hidden_units.show,
    "openings": hidden_units.show_openings,
    "width": hidden_width.show,
}
