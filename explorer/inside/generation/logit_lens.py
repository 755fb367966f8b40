"""The logit lens: what every layer would say, if it were the last one."""

import numpy as np
import streamlit as st

from explorer import content, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures.labels import ending, visible
from explorer.figures.logit_lens import by_layer, row_names
from explorer.figures.next_token import percent
from explorer.inside.generation.lens_table import SHADES, Shade, lens_table
from explorer.inspection import Inspection
from explorer.stage import Stage
from explorer.widgets import choose_number, choose_one, choose_stretch, room_for

ROOM = 90
"""Letters that stand side by side on a projector."""


def show(stage: Stage, inspection: Inspection) -> None:
    """Show the guesses of all layers on a stretch of the text, and more of one token."""
    answer = inspection.analyse("logit_lens", text=inspection.text)
    with stage.controls:
        shade = SHADES[choose_one("Colour", list(SHADES), key="lens_colour")]
        place = _place(answer)
        stretch = _stretch(answer)
    _map(answer, shade, stretch, place)
    st.markdown(f"After {_quoted(answer, place)}: {_what_follows(answer, place)}")
    with stage.below:
        if inspection.run.setup.model.tied_unembedding:
            st.caption(
                "In this model one matrix is embedding and unembedding (tied), so that the lowest "
                "row mostly says the very token that was read."
            )
        _one_place(answer, place)
    stage.explain(
        code="tiny_llama.analyses.logit_lens:lens_logits",
        tensor=showing.LiveTensor(
            path="logits of each layer after the last token",
            axes="layer v",
            values=answer["last_logits"],
        ),
    )


def _place(answer: Answer) -> int:
    """Let the student choose the token to look at more closely, counted from 0."""
    n = len(answer["tokens"])
    if n == 1:
        return 0
    return choose_number("lens_at", "After token (framed)", n, n, least=1) - 1


def _stretch(answer: Answer) -> range:
    """Let the student choose the part of the text that the map has room for."""
    guesses = (top[0] for row in answer["tops"] for top in row)
    tokens = answer["tokens"]
    room = room_for([*tokens, *guesses], characters=ROOM * showing.TYPE // showing.letters())
    return choose_stretch(len(tokens), room, key="lens_from", is_last=True)


def _map(answer: Answer, shade: Shade, stretch: range, place: int) -> None:
    values = answer[shade.name]
    if values.ndim == 3:  # of the three likeliest, the likeliest
        values = values[..., 0]
    part = slice(stretch.start, stretch.stop)
    st.html(
        lens_table(
            answer["tokens"][part],
            [[top[0] for top in row[part]] for row in answer["tops"]],
            values[:, part],
            shade=shade,
            least_letters=showing.letters(),
            first=stretch.start,
            framed_at=place - stretch.start if place in stretch else None,
        )
    )


def _one_place(answer: Answer, place: int) -> None:
    st.markdown(f"By layer, after {_quoted(answer, place)}:")
    entropies, ranks = answer["entropies"], answer["final_ranks"]
    sure, rank = st.columns(2)
    with sure:
        showing.draw(
            by_layer(entropies[:, place], entropies.mean(1), title="Entropy (nats)", word="mean"),
            key="lens_entropy",
        )
    with rank:
        showing.draw(
            by_layer(
                ranks[:, place],
                np.exp(np.log(ranks).mean(1)),
                title="Rank of the final token",
                word="geometric mean",
                is_rank=True,
            ),
            key="lens_rank",
        )
    st.markdown(guesses_table(answer, place))


def _quoted(answer: Answer, place: int) -> str:
    """Quote the few tokens before a place and the one there, in Markdown."""
    return f"**{content.escaped(ending(answer['tokens'][: place + 1], most=24))}**"


def _what_follows(answer: Answer, place: int) -> str:
    said = content.escaped(visible(answer["tops"][-1][place][0]))
    words = f"the model's final token is **{said}**"
    if place + 1 == len(answer["tokens"]):
        return words + ", and the text ends here."
    true = content.escaped(visible(answer["tokens"][place + 1]))
    return f"{words}, and the text goes on with **{true}**."


def guesses_table(answer: Answer, place: int) -> str:
    """List each layer's likeliest tokens after one token, last layer on top, in Markdown."""
    n_top = len(answer["tops"][0][place])
    has_next = place < answer["true_ranks"].shape[1]
    heads = ["Layer", *(f"Guess {number + 1}" for number in range(n_top))]
    heads += ["Entropy, nats", "Rank of final token"]
    heads += ["Rank of next token"] * has_next
    rows = [heads]
    names = row_names(len(answer["tops"]))
    for layer in reversed(range(len(names))):
        cells = [
            f"{content.escaped(visible(token))}\u00a0{percent(share)}"
            for token, share in zip(
                answer["tops"][layer][place],
                answer["top_probabilities"][layer, place],
                strict=True,
            )
        ]
        cells += [
            f"{answer['entropies'][layer, place]:.2f}",
            str(answer["final_ranks"][layer, place]),
        ]
        if has_next:
            cells.append(str(answer["true_ranks"][layer, place]))
        rows.append([names[layer], *cells])
    return showing.markdown_table(rows, "l" + "r" * (len(heads) - 1))
