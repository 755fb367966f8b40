"""Which frequencies a trained head really uses."""

import numpy as np
import streamlit as st

from explorer import link, showing
from explorer.figures import rotary_pairs as figures
from explorer.inside.rotary import turning
from explorer.inspection import Inspection, choose_head
from explorer.stage import Stage
from explorer.widgets import choose_number
from tiny_llama.analyses.rotary_theory import wavelengths

SHOWN = ("added", "share")


def show(stage: Stage, inspection: Inspection) -> None:
    """Show what each pair of a head adds to its scores."""
    turning.needs_turning(inspection)
    layer, head = choose_head(inspection.run.setup.model)
    answer = inspection.analyse("pair_shares", text=inspection.text, layer=layer, head=head)
    lengths = wavelengths(answer["frequencies"])
    strongest = int(np.nan_to_num(answer["differences"], nan=-1.0).argmax())
    pair = choose_number(
        "pair",
        "Pair (its planes are below)",
        len(lengths) - 1,
        strongest,
        because=(inspection.run.id, layer, head, inspection.text),
    )
    n = len(answer["tokens"])
    st.caption(f"Which pairs carry the scores of layer {layer}, head {head}, over {n} tokens")
    bars = figures.pair_bars(answer["shares"], answer["differences"], lengths, chosen=pair)
    showing.draw(bars, key="pair_bars")
    _distances(answer["by_distance"], answer["sizes_by_distance"], lengths)
    half = len(lengths)
    both = [pair, pair + half]
    st.caption(
        f"Queries and keys of pair {pair}, whose wavelength is {lengths[pair]:,.1f} positions. "
        f"Turning keeps their lengths and changes their directions by position."
    )
    picture = figures.planes(
        answer["tokens"],
        (answer["query"][:, both], answer["key"][:, both]),
        (answer["rotated_query"][:, both], answer["rotated_key"][:, both]),
        pair=pair,
    )
    showing.draw(picture, key="planes")
    stage.explain(
        code="tiny_llama.analyses.rotary_theory:pair_scores",
        tensor=showing.LiveTensor(
            path=f"blocks.{layer}.attention.rotated_query, head {head}",
            axes="t e",
            values=answer["rotated_query"],
        ),
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
