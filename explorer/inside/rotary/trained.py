"""Which frequencies a trained head really uses."""

import numpy as np
import streamlit as st

from explorer import link, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures import rotary_pairs as figures
from explorer.figures.picture import Picture
from explorer.inside.rotary import turning
from explorer.inspection import Inspection, choose_head
from explorer.stage import Stage
from explorer.widgets import choose_number
from tiny_llama.analyses.rotary_theory import wavelengths

SHOWN = ("added", "share")


def show(stage: Stage, inspection: Inspection) -> None:
    """Show what each pair of a head adds to its scores, and how one pair turns."""
    turning.needs_turning(inspection)
    with stage.controls:
        pairs, heads = st.container(), st.container()
    with heads:
        layer, head = choose_head(inspection.run)
    answer = inspection.analyse("pair_shares", text=inspection.text, layer=layer, head=head)
    lengths = wavelengths(answer["frequencies"])
    strongest = int(np.nan_to_num(answer["differences"], nan=-1.0).argmax())
    with pairs:
        pair = choose_number(
            "pair",
            "Pair",
            len(lengths) - 1,
            strongest,
            because=(inspection.run.id, layer, head, inspection.text),
        )
    left, right = st.columns(2)
    with left:
        st.caption(f"What each pair adds to the scores of layer {layer}, head {head}")
        bars = figures.pair_bars(answer["shares"], answer["differences"], lengths, chosen=pair)
        showing.draw(bars, key="pair_bars")
    with right:
        st.caption(f"Pair {pair}, whose wavelength is {lengths[pair]:,.1f} positions")
        showing.draw(_planes(answer, pair), key="planes")
    with stage.below:
        st.caption(
            f"Over {len(answer['tokens'])} tokens. Turning keeps the lengths of queries and keys "
            f"and changes their directions by position."
        )
        _distances(answer["by_distance"], answer["sizes_by_distance"], lengths)
    stage.explain(
        code="tiny_llama.analyses.rotary_theory:pair_scores",
        tensor=showing.LiveTensor(
            path=f"blocks.{layer}.attention.rotated_query, head {head}",
            axes="t e",
            values=answer["rotated_query"],
        ),
    )


def _planes(answer: Answer, pair: int) -> Picture:
    both = [pair, pair + len(answer["frequencies"])]
    return figures.planes(
        answer["tokens"],
        (answer["query"][:, both], answer["key"][:, both]),
        (answer["rotated_query"][:, both], answer["rotated_key"][:, both]),
        pair=pair,
    )


def _distances(added: np.ndarray, sizes: np.ndarray, lengths: np.ndarray) -> None:
    shown = link.widget(
        st.segmented_control,
        "pair_shown",
        "At each distance",
        usual=SHOWN[0],
        options=SHOWN,
        required=True,
        help="added: mean of what a pair adds to scores of that distance, signed; share: its part "
        "of the sizes of what all pairs add.",
    )
    are_shares = shown == "share"
    values = sizes / np.maximum(sizes.sum(0), 1e-12) if are_shares else added
    showing.draw(
        figures.pair_distances(values, lengths, are_shares=are_shares), key="pair_distances"
    )
