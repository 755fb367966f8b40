"""Merges and their counts, languages and their tokens, vocabularies and their price."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import plotly.graph_objects as go

from explorer.figures.labels import plotted, visible
from explorer.figures.picture import Picture, framed

MOST_POINTS = 600


def merge_counts(pieces: Sequence[str], counts: np.ndarray, chosen: int) -> Picture:
    """Draw how often each merged pair stood in the training text, merge by merge.

    Args:
        pieces: what each merge made, `n`, at least one.
        counts: just before it, `n`.
        chosen: how many merges have been made, 0 to n.
    """
    n = len(pieces)
    places = np.unique(np.geomspace(1, n, min(n, MOST_POINTS)).round().astype(np.int64))
    figure = go.Figure(
        go.Scatter(
            x=places,
            y=counts[places - 1],
            mode="lines+markers" if n < 60 else "lines",
            text=[plotted(pieces[place - 1]) for place in places],
            hovertemplate="merge %{x:,}: %{text}, count %{y:,}<extra></extra>",
            name="count of the merged pair",
            showlegend=False,
        )
    )
    if chosen:
        figure.add_scatter(
            x=[chosen],
            y=[int(counts[chosen - 1])],
            mode="markers+text",
            marker={"size": 12, "symbol": "diamond"},
            text=[plotted(pieces[chosen - 1])],
            textposition="top right" if chosen < n / 3 else "top left",
            hoverinfo="skip",
            showlegend=False,
        )
    framed(figure, height=300, x="Merge", y="Count just before it")
    figure.update_xaxes(type="log", dtick=1)
    figure.update_yaxes(type="log", dtick=1)
    said = f"The count falls from {counts[0]:,} at merge 1 ({visible(pieces[0])}) to {counts[-1]:,}"
    said += f" at merge {n:,} ({visible(pieces[-1])})."
    if chosen:
        said += f" Merge {chosen:,}, {visible(pieces[chosen - 1])}, had {counts[chosen - 1]:,}."
    return Picture(figure=figure, alt=said)


def language_bars(languages: Sequence[str], ratios: np.ndarray, title: str) -> Picture:
    """Draw how many times as many tokens as English each language takes for the same sentence.

    Args:
        languages: names.
        ratios: tokens over those of English.
        title: which tokenizer.
    """
    figure = go.Figure(
        go.Bar(
            x=ratios.round(3),
            y=list(languages),
            orientation="h",
            text=[f"{ratio:.2f} ×" for ratio in ratios],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.2f} times the tokens of English<extra></extra>",
            showlegend=False,
        )
    )
    figure.add_vline(x=1, line_dash="dot", opacity=0.6)
    framed(figure, height=60 + 32 * len(languages), x="Tokens, as multiples of English")
    figure.update_yaxes(autorange="reversed", title=None)
    figure.update_xaxes(range=[0, 1.18 * float(ratios.max())])
    said = ", ".join(f"{name} {ratio:.2f}" for name, ratio in zip(languages, ratios, strict=True))
    return Picture(
        figure=figure,
        alt=f"Tokens of the same sentence as multiples of English, by {title}: {said}.",
    )


@dataclass(frozen=True, kw_only=True)
class Priced:
    """A vocabulary: what it is called, what it costs and what it gives."""

    name: str
    size: int
    n_parameters: int
    characters_per_token: float


def vocabulary_trade(learned: Sequence[Priced], fixed: Sequence[Priced]) -> Picture:
    """Draw characters in a token against the parameters that the vocabulary takes.

    Args:
        learned: SentencePiece's vocabularies from small to large.
        fixed: the others.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[each.n_parameters for each in learned],
        y=[round(each.characters_per_token, 4) for each in learned],
        mode="lines+markers+text",
        text=[f"{each.size:,}" for each in learned],
        textposition="top center",
        cliponaxis=False,
        name="SentencePiece, with its size",
        customdata=[each.size for each in learned],
        hovertemplate="%{customdata:,} tokens: %{y:.2f} characters per token for %{x:,} parameters"
        "<extra>SentencePiece</extra>",
    )
    for each, symbol in zip(fixed, ("square", "diamond", "cross"), strict=False):
        figure.add_scatter(
            x=[each.n_parameters],
            y=[round(each.characters_per_token, 4)],
            mode="markers",
            marker={"symbol": symbol, "size": 11},
            name=f"{each.name} ({each.size:,})",
            hovertemplate="%{y:.2f} characters per token for %{x:,} parameters"
            f"<extra>{each.name}</extra>",
        )
    framed(
        figure, height=380, x="Parameters of embedding and unembedding", y="Characters per token"
    )
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    said = "; ".join(
        f"{each.name} of {each.size:,} tokens: {each.n_parameters:,} parameters, "
        f"{each.characters_per_token:.2f} characters per token"
        for each in (*learned, *fixed)
    )
    return Picture(figure=figure, alt=f"What vocabularies cost and give. {said}.")


@dataclass(frozen=True, kw_only=True)
class Equal:
    """A tokenizer, and what a model of a given quality would lose with it."""

    name: str
    loss: float
    """Per token, in nats."""
    n_tokens: int
    """Of the text."""
    vocab_size: int

    @property
    def random_loss(self) -> float:
        """What a guess at random loses per token, in nats."""
        return log(self.vocab_size)


def equal_quality(equals: Sequence[Equal], bits: float) -> Picture:
    """Draw the same quality in two units: losses per token, which differ, and bits per byte.

    Args:
        equals: a pair of bars each.
        bits: per byte, the same for all.
    """
    names = [f"{each.name}<br>{each.n_tokens:,} tokens" for each in equals]
    columns = (
        ("Loss per token (nats)", [each.loss for each in equals], "x", "y"),
        ("Bits per byte", [bits] * len(equals), "x2", "y2"),
    )
    figure = go.Figure(
        [
            go.Bar(
                x=names,
                y=[round(value, 4) for value in values],
                xaxis=x,
                yaxis=y,
                text=[f"{value:.3f}" for value in values],
                textposition="outside",
                cliponaxis=False,
                hoverinfo="skip",
                showlegend=False,
            )
            for _, values, x, y in columns
        ]
    )
    framed(figure, height=340)
    for number, (title, values, x, y) in enumerate(columns):
        which, domain = ("2", (0.55, 1.0)) if number else ("", (0.0, 0.45))
        across = {"title": title, "domain": domain, "anchor": y}
        up = {"range": [0, 1.15 * max(values)], "anchor": x}
        figure.update_layout({f"xaxis{which}": across, f"yaxis{which}": up})
    said = "; ".join(f"{each.name} {each.loss:.3f} nats per token" for each in equals)
    return Picture(
        figure=figure,
        alt=f"The same quality with other tokens: {said}; {bits:.3f} bits per byte with each.",
    )
