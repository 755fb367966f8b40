"""The time machine: how a head formed while the model trained."""

import numpy as np

from explorer import showing
from explorer.components import reading_map
from explorer.components.head_grid import role_title
from explorer.figures import attention as figures
from explorer.figures.labels import visible_all
from explorer.inside.attention.shared import choose_window, offer_page
from explorer.inspection import Inspection, choose_head
from explorer.stage import Stage
from explorer.widgets import choose_one
from tiny_llama.analyses.roles import ROLES


def show(stage: Stage, inspection: Inspection) -> None:
    """Show a head at every step that was kept, and its score beside the loss."""
    with stage.controls:
        layer, head = choose_head(inspection.run)
        first = choose_window(inspection)
        role = choose_one("Score", list(ROLES), key="role")
    answer = inspection.analyse(
        "history",
        text=inspection.text,
        layer=layer,
        first=first,
        most=reading_map.MOST_TOKENS,
    )
    scores = answer["roles"][:, layer, head]
    reading = reading_map.Reading(
        tokens=visible_all(answer["tokens"]),
        first=answer["first"],
        patterns=answer["patterns"][:, head : head + 1],
        heads=[(layer, head, role_title(scores[-1]))],
        chosen=0,
        steps=answer["steps"],
        window=answer["window"],
    )
    reading_map.reading_map(reading, key="time")
    offer_page(stage, lambda: reading_map.page(reading, f"How layer {layer}, head {head} formed"))
    at, steps, losses = list(ROLES).index(role), answer["steps"], answer["losses"]
    formation, against = stage.below.columns(2)
    with formation:
        showing.draw(
            figures.formation(
                steps, answer["roles"][..., at], losses, role=ROLES[role], chosen=(layer, head)
            ),
            key="formation",
        )
    if np.isfinite(losses).all() and np.isfinite(scores[:, at]).all():
        with against:
            showing.draw(
                figures.score_against_loss(steps, scores[:, at], losses, role=ROLES[role]),
                key="score_against_loss",
            )
    stage.explain(
        code="tiny_llama.analyses.roles:role_scores",
        tensor=showing.LiveTensor(
            path=f"blocks.{layer}.attention.pattern, head {head}, at each step kept",
            axes="n t s",
            values=answer["patterns"][::-1, head],
        ),
    )
