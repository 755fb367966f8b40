"""One token after the other: what is likely, what the settings make of it, and who chooses."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from itertools import groupby

import numpy as np
import streamlit as st

from explorer import content, link, presentation, session, showing
from explorer.beside import side_by_side
from explorer.engine.server.answer_cache import Answer
from explorer.figures.labels import visible
from explorer.figures.next_token import STAGES, next_tokens, percent
from explorer.inside.generation import sampling
from explorer.inspection import Inspection
from explorer.stage import Stage
from explorer.words import MOST_ADDED


@dataclass(frozen=True, kw_only=True)
class Added:
    """A token that was put after the text, and who chose it."""

    token: int
    who: str
    """A letter of `WHO`."""


PRESENTED = 7
"""Of the likeliest tokens, so many are drawn for the back row of a class."""
WHO = {"d": "drawn", "l": "likeliest", "h": "by hand"}
_LINES = {"d": "solid", "l": "double", "h": "dashed"}


def show(stage: Stage, inspection: Inspection) -> None:
    """Show the text so far, the next token's probabilities, and the ways to go on."""
    added = read_word(
        link.value("written", because=(inspection.run.id, inspection.text)),
        inspection.run.setup.model.vocab_size,
    )
    with stage.controls:
        ways = st.container(gap="xsmall")
        settings = sampling.settings()
        with st.popover("Seed", width="stretch"):
            seed = sampling.seed()
    asked = {
        "text": inspection.text,
        "added": [each.token for each in added],
        "seed": seed,
        **settings,
    }
    answer = inspection.analyse("next_token", **asked)
    with ways:
        writes_on = _ways_on(answer, added, seed)
    if writes_on:
        drawn = inspection.analyse("write_on", **asked)["drawn"]
        link.put(written=as_word([*added, *(Added(token=token, who="d") for token in drawn)]))
        st.rerun()
    _text_so_far(answer, added, most_lines=4 if inspection.other is None else 1)

    def ask(model: Inspection) -> Answer:
        if not model.is_beside:
            return answer
        if session.reads_alike(model.run, inspection.run):
            return model.analyse("next_token", **asked)
        text = inspection.text + "".join(answer["after"])  # no id of one is one of the other's
        return model.analyse("next_token", **{**asked, "text": text, "added": []})

    side_by_side(inspection, ask, _bars)
    with stage.below:
        st.caption(_counted(answer, len(added)))
        st.markdown(stages_table(answer, settings))
    stage.explain(
        code="tiny_llama.generation:sampling_stages",
        tensor=showing.LiveTensor(
            path="probabilities of the tokens shown, after each stage",
            axes="stage v",
            values=answer["probabilities"],
        ),
    )


def _bars(model: Inspection, answer: Answer, answers: Sequence[Answer]) -> None:
    n = PRESENTED if presentation.is_on() else len(answer["tokens"])
    picture = next_tokens(
        answer["tokens"][:n],
        answer["probabilities"][:, :n],
        answer["kept"][:, :n],
        stages=answer["stages"],
        n_kept=int(answer["n_kept"][-1]),
        most=max(float(each["probabilities"].max()) for each in answers),
    )
    showing.draw(picture, key=model.key("next_tokens"))


def read_word(word: str, n_vocab: int) -> list[Added]:
    """Read the tokens that a word of the link names, as far as this model has them."""
    added = []
    for part in word.split(".")[:MOST_ADDED]:
        is_sound = part[:1] in WHO and part[1:].isascii() and part[1:].isdigit()
        if not is_sound or int(part[1:]) >= n_vocab:
            break
        added.append(Added(token=int(part[1:]), who=part[0]))
    return added


def as_word(added: Sequence[Added]) -> str:
    """Write these tokens as a word of the link."""
    return ".".join(f"{each.who}{each.token}" for each in added)


def _text_so_far(answer: Answer, added: Sequence[Added], *, most_lines: int) -> None:
    """Show the given text on a ground of its own, and after it what was added, by whom.

    Args:
        answer: what comes next.
        added: what was put after the text.
        most_lines: that are seen at once; the rest is scrolled.
    """
    before, after, n_tokens = answer["before"], answer["after"], answer["n_tokens"]
    n_hidden = n_tokens - len(before) - len(after)
    hidden = f"({n_hidden:,} tokens before) … " if n_hidden else ""
    parts = [f'<span style="{_GIVEN}">{hidden}{escape("".join(before))}</span>']
    for who, group in groupby(zip(after, added, strict=True), key=lambda pair: pair[1].who):
        words = escape("".join(visible(token) for token, _ in group))
        parts.append(
            f'<span style="border-bottom: 3px {_LINES[who]}">{words}</span>'
            f'<small style="vertical-align: super; line-height: 1"> {WHO[who]} </small>'
        )
    st.html(
        f'<div style="{_BOX}; max-height: {1.32 * most_lines + 0.22:.2f}em" tabindex="0" '
        f'role="region" aria-label="Text so far">'
        f"<div>{''.join(parts)}</div></div>"
    )


def _counted(answer: Answer, n_added: int) -> str:
    """Say how long the text is, and how much of it the model reads."""
    n_tokens, n_read = answer["n_tokens"], answer["n_read"]
    words = f"{n_tokens:,} tokens so far, {n_added:,} of them put after the given text"
    if n_read < n_tokens:
        words += (
            f" · the model reads the last {n_read:,}: whenever its context is full, it forgets the "
            f"first half"
        )
    return f"{words}."


_BOX = (
    "display: flex; flex-direction: column-reverse;"  # so that it is seen where it ends
    "white-space: pre-wrap; overflow-wrap: anywhere; font: 0.9rem / 1.3 monospace;"
    "overflow-y: auto; padding: 0.1em 0.4em; border-radius: 0.6em;"
    "border: 1px solid rgba(128, 128, 128, 0.4)"
)
_GIVEN = "background: rgba(128, 128, 128, 0.2)"


def _ways_on(answer: Answer, added: Sequence[Added], seed: int) -> bool:
    """Offer to let the model put a token after the text, or to take some back.

    Returns:
        Whether to draw on until the model has a choice again.
    """
    is_full = len(added) >= MOST_ADDED
    if is_full:
        st.info(f"{MOST_ADDED} tokens is the most; take some back, or copy the text.")
    with st.container(horizontal=True, gap="xsmall"):
        for who, name, label in (("d", "drawn", "Draw"), ("l", "likeliest", "Likeliest")):
            _button(
                f"{label}: {shown(answer[f'{name}_token'])}",
                f"add_{name}",
                [*added, Added(token=answer[name], who=who)],
                disabled=is_full,
            )
        _by_hand(answer, added)
    with st.container(horizontal=True, gap="xsmall"):
        writes_on = st.button(
            "Draw on",
            key="write_on",
            disabled=is_full,
            help="Draws tokens until the model is undecided about the next one.",
        )
        _button("Take back", "take_back", added[:-1], disabled=not added)
        _start_again(seed, disabled=not added)
    return writes_on


def _by_hand(answer: Answer, added: Sequence[Added]) -> None:
    """Offer each of the likeliest tokens as a button, one press away."""
    with st.popover("By hand", key="by_hand"), st.container(horizontal=True, gap="xsmall"):
        st.markdown("The next token:", width="content")
        for number, (token, label) in enumerate(
            zip(answer["ids"], answer["tokens"], strict=True), start=1
        ):
            _button(
                shown(label),
                f"choose_{number}",
                [*added, Added(token=int(token), who="h")],
                disabled=len(added) >= MOST_ADDED,
            )


def _button(label: str, key: str, then: Sequence[Added], *, disabled: bool) -> None:
    st.button(
        label,
        key=key,
        disabled=disabled,
        on_click=partial(link.put, written=as_word(then)),
    )


def _start_again(seed: int, *, disabled: bool) -> None:
    """Offer to take everything back; what is drawn then comes from another seed."""
    st.button(
        "Start again",
        key="start_again",
        disabled=disabled,
        help="Takes all back; what is drawn then is drawn anew, by the next seed.",
        on_click=partial(link.put, written="", **{sampling.SEED: sampling.following(seed)}),
    )


def shown(token: str) -> str:
    """Write a token in Markdown, word for word."""
    return content.escaped(visible(token))


def stages_table(answer: Answer, settings: dict[str, float]) -> str:
    """Say what each stage leaves of the likeliest tokens, and does to all, in Markdown."""
    names = answer["stages"]
    heads = [STAGES[name] + (f" {settings[name]:g}" if name in settings else "") for name in names]
    rows = [["Token", "Logit", *heads]]
    for number, token in enumerate(answer["tokens"]):
        cells = [
            percent(share) if kept else "~~out~~"
            for share, kept in zip(
                answer["probabilities"][:, number], answer["kept"][:, number], strict=True
            )
        ]
        is_out = not answer["kept"][-1, number]
        label = f"~~{shown(token)}~~" if is_out else f"**{shown(token)}**"
        rows.append([label, f"{answer['logits'][number]:.2f}", *cells])
    rows += [
        ["Tokens left", "", *(f"{n:,}" for n in answer["n_kept"])],
        ["Taken away", "", *(_share(cut) for cut in answer["cut"])],
        ["Entropy, nats", "", *(f"{nats:.2f}" for nats in np.abs(answer["entropies"]))],
    ]
    return showing.markdown_table(rows, "l" + "r" * (len(rows[0]) - 1))


def _share(cut: float) -> str:
    return percent(cut) if cut else "–"
