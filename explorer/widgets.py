"""Widgets that several views share; each shows a word of the link."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from explorer import content, link
from explorer.figures.labels import visible
from explorer.words import WORDS


def choose_named(
    label: str,
    options: Mapping[str, str],
    *,
    key: str,
    usual: str | None = None,
    as_buttons: bool = False,
    is_labelled: bool = True,
) -> str:
    """Let the student choose by title; a choice that is not there any more is the usual one.

    Args:
        label: of the widget.
        options: titles by name.
        key: widget and word of the link.
        usual: the name that no link needs; None: as the table of words has it, else the first.
        as_buttons: side by side, for a few short titles.
        is_labelled: whether the label is seen; it is heard in any case.
    """
    names, declared = list(options), WORDS[key].usual
    draw: Callable[..., Any] = (
        partial(st.segmented_control, required=True) if as_buttons else st.selectbox
    )
    return str(
        link.widget(
            draw,
            key,
            label,
            usual=next(each for each in (usual, declared, names[0]) if each is not None),
            options=names,
            format_func=lambda name: options.get(name, name),
            label_visibility="visible" if is_labelled else "collapsed",
        )
    )


def choose_one(label: str, options: Sequence[str], *, key: str, usual: str | None = None) -> str:
    """Let the student choose one of a few names, side by side."""
    titles = {name: name for name in options}
    return choose_named(label, titles, key=key, usual=usual, as_buttons=True)


def choose_index(key: str, label: str, n: int, usual: int = 0, *, folded: bool = False) -> int:
    """Let the student choose one of n things, from 0; one that another model lacks is the usual."""
    return int(
        link.widget(
            st.selectbox,
            key,
            label,
            usual=usual,
            options=range(n),
            nearest=False,
            folded=folded,
        )
    )


def choose_layer(n_layers: int, usual: int = 0, *, folded: bool = False) -> int:
    """Let the student choose a layer, counted from 0."""
    return choose_index("layer", "Layer", n_layers, usual, folded=folded)


def choose_number(
    key: str, label: str, most: int, usual: int, *, because: object = None, least: int = 0
) -> int:
    """Let the student choose a whole number with a slider; one that there is not is the usual.

    Args:
        key: widget and word of the link.
        label: of the widget.
        most: the largest.
        usual: what no link needs, or the largest if that is smaller.
        because: what a choice depends on; when that changes, the usual holds again.
        least: the smallest.
    """
    if most <= least:
        return least
    return int(
        link.widget(
            st.slider,
            key,
            label,
            usual=min(usual, most),
            among=range(least, most + 1),
            nearest=False,
            because=because,
            min_value=least,
            max_value=most,
        )
    )


def choose_place(
    key: str,
    label: str,
    tokens: Sequence[str],
    *,
    usual: int | None = None,
    because: object = None,
    folded: bool = False,
) -> int:
    """Let the student choose a token of the text by its place, usually the last one."""
    last = len(tokens) - 1
    if last < 1:
        return 0
    usual, places = last if usual is None else usual, range(last + 1)
    place = link.value(key, usual=usual, among=places, nearest=True, because=because)
    titled = f"{label}: {content.escaped(visible(tokens[place]))}"
    return int(
        link.widget(
            st.slider,
            key,
            titled,
            usual=usual,
            among=places,
            folded=folded,
            min_value=0,
            max_value=last,
        )
    )


def choose_stretch(n: int, most: int, *, key: str, is_last: bool = False) -> range:
    """Let the student choose where a picture begins, if it cannot show all of a text.

    Args:
        n: tokens in all.
        most: tokens that the picture can show.
        key: widget and word of the link.
        is_last: whether the end of the text is the usual part of it, and not its beginning.
    """
    if n <= most:
        return range(n)
    first = link.widget(
        st.slider,
        key,
        f"From token (the picture shows {most} of {n:,})",
        usual=n - most + 1 if is_last else 1,
        min_value=1,
        max_value=n - most + 1,
    )
    return range(first - 1, first - 1 + most)


def room_for(tokens: Sequence[str], *, characters: int = 28, most: int = 24) -> int:
    """Say how many columns a picture can have, if their labels are as long as these tokens."""
    longest = max((len(visible(token)) for token in tokens), default=1)
    return max(6, min(most, characters // longest))
