"""One head: its map with arcs, and how it is named."""

from explorer import presentation
from explorer.beside import head_of, side_by_side
from explorer.components import reading_map
from explorer.components.head_grid import role_title
from explorer.engine.server.answer_cache import Answer
from explorer.figures.labels import visible_all
from explorer.inside.attention.shared import choose_window, explain, offer_page
from explorer.inspection import Inspection, choose_head
from explorer.stage import Stage


def show(stage: Stage, inspection: Inspection) -> None:
    """Show where every token reads from, in one head."""
    with stage.controls:
        layer, head = choose_head(inspection.run)
        first = choose_window(inspection)

    def ask(model: Inspection) -> reading_map.Reading:
        own_layer, own_head = head_of(model, layer, head)
        answer = model.analyse(
            "layer", text=model.text, layer=own_layer, first=first, most=reading_map.MOST_TOKENS
        )
        return _reading(answer, own_layer, own_head, model.step)

    reading = side_by_side(inspection, ask, _draw)[0]
    offer_page(stage, lambda: reading_map.page(reading, f"Attention of layer {layer}, head {head}"))
    explain(stage, inspection, layer, head)


def _draw(model: Inspection, reading: reading_map.Reading, _: object) -> None:
    reading_map.reading_map(
        reading,
        key=model.key("reading"),
        is_half=model.is_half,
        has_arcs=not (model.is_half and presentation.is_on()),
    )


def _reading(answer: Answer, layer: int, head: int, step: int) -> reading_map.Reading:
    return reading_map.Reading(
        tokens=visible_all(answer["tokens"]),
        first=answer["first"],
        patterns=answer["patterns"][None],
        heads=[(layer, each, role_title(scores)) for each, scores in enumerate(answer["roles"])],
        chosen=head,
        steps=[step],
        window=answer["window"],
    )
