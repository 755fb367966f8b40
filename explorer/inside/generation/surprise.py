"""Surprise: the loss of each token of the text, and what was expected instead."""

from html import escape
from math import log

import numpy as np
import streamlit as st

from explorer import content, showing
from explorer.beside import say_whose, side_by_side
from explorer.engine.server.answer_cache import Answer
from explorer.figures.labels import ending, visible
from explorer.figures.next_token import percent
from explorer.figures.surprise import token_losses
from explorer.inside.token_boxes import STYLE, boxed, fitting
from explorer.inspection import Inspection
from explorer.stage import Stage
from explorer.widgets import choose_stretch

N_WORST = 8
"""Rows of the table."""
MOST_COLOURED = 512
"""Tokens shown one by one with their numbers."""
MOST_BARS = 40
"""Tokens whose bars stand side by side."""
_SHARE = 0.8
"""Of the picture's room, since their numbers stand above."""
_HALF = 0.43
"""Of the picture's width: nearly half, since short lines leave more room at their ends."""
_LEAST = 1.75
"""Width of a box in letters' heights: a number as 10.8 stands in each."""


def show(stage: Stage, inspection: Inspection) -> None:
    """Show the text coloured by its losses, the same as bars, and the worst places."""
    if len(inspection.reading["tokens"]) < 2:
        st.info(
            "The text has one token; a surprise needs at least two, since nothing is expected of "
            "the first: write a longer one."
        )
        return
    uniform = max(log(each.run.setup.model.vocab_size) for each in inspection.models)

    def ask(model: Inspection) -> Answer:
        return model.analyse("surprise", text=model.text)

    def draw(model: Inspection, answer: Answer, _: object) -> None:
        above, text, under = st.container(), st.container(), st.container()
        text.html(coloured(answer, uniform, is_half=model.is_half))
        with under if model.is_half else above:  # in half the width they take two lines
            showing.in_one_line(_numbers(answer))

    answers = side_by_side(inspection, ask, draw)
    with stage.below:
        st.caption(_legend(answers[0], uniform))
        n = max(len(each["losses"]) for each in answers)
        stretch = choose_stretch(n, MOST_BARS, key="surprise_from")
        most = 1.05 * max(uniform, *(float(each["losses"].max()) for each in answers))
        for model, each in zip(inspection.models, answers, strict=False):
            say_whose(model, inspection)
            _bars(model, each, uniform, stretch, most if len(answers) > 1 else None)
            st.markdown(worst_table(each))
    stage.explain(
        code="tiny_llama.analyses.reading:reading",
        tensor=showing.LiveTensor(path="losses", axes="t", values=answers[0]["losses"]),
    )


def _numbers(answer: Answer) -> dict[str, str]:
    judged = judged_tokens(answer)
    losses = answer["losses"][judged].astype(np.float64)
    right = (answer["ranks"][judged] == 1).mean()
    return {
        "Average loss, nats": f"{losses.mean():.3f}",
        "Perplexity": f"{np.exp(losses.mean()):.2f}",
        "Bits per byte": f"{bits_per_byte(answer):.3f}",
        "First guess right": f"{right:.0%}",
    }


def judged_tokens(answer: Answer) -> np.ndarray:
    """Tell which tokens but the first count: in a task those of answers, where there are any."""
    counts = np.asarray(answer["counts"], bool)
    return counts if counts.any() else np.ones_like(counts)


def bits_per_byte(answer: Answer) -> float:
    """Compute the loss of the tokens that count, by byte of their text."""
    judged = judged_tokens(answer)
    n_bytes = max(1, answer["n_bytes"][judged].sum())
    return float(answer["losses"][judged].sum(dtype=np.float64) / log(2) / n_bytes)


def coloured(answer: Answer, uniform: float, *, is_half: bool = False) -> str:
    """Write the text in HTML, each token on a ground by its loss and over its number."""
    losses = [None, *answer["losses"][: MOST_COLOURED - 1]]
    judged = [True, *judged_tokens(answer)[: MOST_COLOURED - 1]]
    tokens = answer["tokens"][:MOST_COLOURED]
    cells = [
        _cell(token, loss, uniform, counts=bool(counts))
        for token, loss, counts in zip(tokens, losses, judged, strict=True)
    ]
    style = fitting(tokens, share=_SHARE, least=_LEAST, width=_HALF if is_half else 1.0)
    return f"{STYLE}{boxed(cells, label='Tokens and their losses', style=style)}"


def _cell(token: str, loss: float | None, uniform: float, *, counts: bool) -> str:
    share = min(1.0, float(loss) / uniform) if loss is not None and counts else 0.0
    frame = "2px solid currentColor" if share == 1.0 else "2px solid transparent"
    number = "–" if loss is None else f"{loss:.1f}" if counts else f"({loss:.1f})"
    return (
        f'<b style="border: {frame}; background: rgba(213, 94, 0, {0.6 * share:.2f})">'
        f"{escape(visible(token))}<i>{number}</i></b>"
    )


def _legend(answer: Answer, uniform: float) -> str:
    words = (
        f"Under each token its loss in nats: 0.0 was expected with certainty, {log(2):.1f} with "
        f"probability 1/2, {log(10):.1f} with 1/10. The stronger the colour, the greater the "
        f"loss, up to {uniform:.2f}, that of a guess at random; a frame marks what lost more. "
        "The first token has no number, since nothing comes before it."
    )
    judged = judged_tokens(answer)
    if not judged.all():
        words += (
            f" In this task only the answers count, in training and in these numbers: "
            f"{judged.sum():,} of {len(judged):,} tokens. The numbers of the others, which "
            f"training leaves out, stand in brackets, and their bars are hatched."
        )
    n = len(answer["tokens"])
    if n > MOST_COLOURED:
        words += f" The first {MOST_COLOURED} of {n:,} tokens are shown."
    return words


def _bars(
    model: Inspection, answer: Answer, uniform: float, stretch: range, most: float | None
) -> None:
    losses, tokens, judged = answer["losses"], answer["tokens"][1:], judged_tokens(answer)
    part = slice(stretch.start, stretch.stop)
    if not tokens[part]:
        st.caption("This model reads the text in fewer tokens, and none of them stands there.")
        return
    showing.draw(
        token_losses(
            tokens[part],
            losses[part],
            answer["guesses"][part],
            judged[part],
            average=float(losses[judged].mean()),
            uniform=uniform,
            first=stretch.start + 2,
            most=most,
        ),
        key=model.key("token_losses"),
    )


def worst_table(answer: Answer) -> str:
    """List the tokens that surprised most, in Markdown."""
    rows = [
        "| Place | After | Came | Loss, nats | Probability | Rank | The model's first guess |",
        "| ---: | ---: | --- | ---: | ---: | ---: | --- |",
    ]
    losses = np.where(judged_tokens(answer), answer["losses"], -1.0)
    for i in np.argsort(-losses, kind="stable")[:N_WORST]:
        if losses[i] < 0:
            break
        loss = float(losses[i])
        rows.append(
            f"| {i + 2} | {content.escaped(ending(answer['tokens'][: i + 1]))} "
            f"| **{content.escaped(visible(answer['tokens'][i + 1]))}** | {loss:.2f} "
            f"| {percent(np.exp(-loss))} | {answer['ranks'][i]} "
            f"| {content.escaped(visible(answer['guesses'][i]))}, "
            f"{percent(answer['guess_probabilities'][i])} |"
        )
    return "\n".join(rows)
