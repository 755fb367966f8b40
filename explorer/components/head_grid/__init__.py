"""All heads of a model at a glance: a small map and the role scores of each; a press opens one."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from explorer import state
from explorer.components.browser import part
from explorer.components.stand_alone import stand_alone
from tiny_llama.analyses.roles import ROLES, best_role

HERE = Path(__file__).parent

_HINTS = {
    "previous": "Share of attention that goes to the token before",
    "first": "Share of attention that goes to the first token",
    "separator": "Share that goes to earlier full stops and other signs, if they are not too many",
    "same": "Share that goes to earlier copies of the same token, where there are any",
    "induction": "Share that goes to what followed earlier copies of it, where there are any",
    "uniform": "How evenly it reads: entropy as a share of the most that it could be",
}


def head_grid(
    maps: np.ndarray,
    roles: np.ndarray,
    *,
    key: str,
    open_head: Callable[[int, int], None],
    is_half: bool = False,
) -> None:
    """Show all heads; call `open_head(layer, head)` when one is pressed.

    Args:
        maps: `l h n n`, 0 to 255.
        roles: scores in the order of `tiny_llama.analyses.roles.ROLES`, `l h 6`.
        key: identifies the grid on the page.
        open_head: called before the page is run again.
        is_half: whether another grid stands beside it, so that there is room for maps and names.
    """

    def chosen() -> None:
        layer, head = state.shown(key)["chosen"]
        open_head(int(layer), int(head))

    data = grid_data(maps, roles) | {"isHalf": is_half}
    part("head_grid")(key=key, data=data, height="content", on_chosen_change=chosen)


def grid_data(maps: np.ndarray, roles: np.ndarray) -> dict[str, Any]:
    """Write down what the browser is sent."""
    layers = [
        [
            {
                "map": base64.b64encode(head_map.tobytes()).decode(),
                "label": role_title(scores),
                "scores": [
                    [name, _HINTS[name], None if np.isnan(score) else round(score, 3)]
                    for name, score in zip(ROLES, scores.tolist(), strict=True)
                ],
            }
            for head_map, scores in zip(layer_maps, layer_roles, strict=True)
        ]
        for layer_maps, layer_roles in zip(maps, roles, strict=True)
    ]
    return {"layers": layers, "size": maps.shape[-1], "alt": grid_words(roles)}


def page(maps: np.ndarray, roles: np.ndarray, title: str) -> str:
    """Pack the grid as an HTML file of its own, which opens without this app and a network."""
    return stand_alone(HERE, "head_grid", "headGrid", title, grid_data(maps, roles))


def grid_words(roles: np.ndarray) -> str:
    """Say which heads play which role."""
    titles = [role_title(scores) for layer in roles for scores in layer]
    counts = [f"{titles.count(title)} {title.lower()}" for title in dict.fromkeys(titles)]
    n_layers, n_heads = roles.shape[:2]
    return f"{n_layers} layers of {n_heads} heads each, by role: {', '.join(counts)}."


def role_title(scores: np.ndarray) -> str:
    """Say what a head is called."""
    role = best_role(scores)
    return ROLES[role] if role else "Mixed"
