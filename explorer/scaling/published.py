"""The map: real models by parameters and training tokens, and what published laws call for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from explorer import content, link, showing
from explorer.family.tree import ROOT, family_tree
from explorer.figures.amounts import in_flops, in_words
from explorer.figures.picture import Picture
from explorer.figures.scaling import MAP_X, Line, Spot, law_map
from explorer.scaling.models import Model, left_out, models
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.comparing.law import Law
from tiny_llama.comparing.optimum import (
    PUBLISHED,
    Choice,
    Rule,
    best_choice,
    cheapest_to_serve,
    served_where_best,
    tokens_for_loss,
)

GIVEN = {"flops": "Compute", "tokens": "Tokens", "served": "Serving"}
GOPHER = 23.76
"""The power of ten of Gopher's and of Chinchilla's own compute, 5.76e23 operations."""
NAMED = {
    "GPT-3 175B": ("GPT-3", "bottom left"),
    "Gopher 280B": ("Gopher", "bottom right"),
    "Chinchilla 70B": ("Chinchilla", "bottom right"),
    "PaLM 540B": ("PaLM", "bottom center"),
    "LLaMA 7B": ("7B", "bottom center"),
    "LLaMA 13B": ("13B", "bottom center"),
    "LLaMA 33B": ("33B", "bottom center"),
    "LLaMA 65B": ("65B", "bottom left"),
    "Llama 3 8B": ("Llama 3 8B", "top left"),
    "Llama 3.1 405B": ("Llama 3.1 405B", "top center"),
}
"""Models whose names stand on the map, as short as can be, and where."""
AT_END = {"kaplan": "Kaplan", "chinchilla-3": "Chinchilla 3"}
"""Rules whose lines leave the map far from others, and what stands there."""
N_LOSSES = 7
"""Lines of equal loss."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the student asks of a rule."""

    rule: Rule
    given: str
    """One of `GIVEN`."""
    flops: float
    """Of training: given, or what the given tokens call for."""
    served: float
    """Tokens; 0 where no serving load is given."""

    @property
    def best(self) -> Choice:
        """What the rule calls for at this compute."""
        return Choice(
            parameters=self.rule.best_size(self.flops), tokens=self.rule.best_tokens(self.flops)
        )

    @property
    def cheapest(self) -> Choice | None:
        """What has the same loss and takes least with its serving; None: nothing is served."""
        if not self.served or self.rule.law is None:
            return None
        loss = float(self.rule.law.loss(self.best.parameters, self.best.tokens))
        return cheapest_to_serve(self.rule.law, loss, self.served)


def show(stage: Stage) -> None:
    """Show the map, with what the chosen rule calls for marked on it."""
    with stage.controls:
        asked = _choose()
    showing.in_one_line(numbers(asked))
    showing.draw(_picture(asked), key="law_map")
    with stage.below:
        st.markdown(rules_table(asked.flops))
        st.caption(_about(asked.rule))
        st.header("LLaMA's choice", anchor=False)
        st.markdown(choices_table())
        st.caption(_CHOICES)
        _sources()
    stage.explain(code="tiny_llama.comparing.optimum:served_where_best")


def _choose() -> Asked:
    """Let the student choose a rule and what is given; the choices are in the link."""
    given = choose_named("Given", GIVEN, key="given", as_buttons=True)
    names = [name for name in PUBLISHED if given != "served" or PUBLISHED[name].law]
    rule = PUBLISHED[choose_named("Law", {n: PUBLISHED[n].title for n in names}, key="law")]
    served = 0.0
    if given == "tokens":
        power = _power("tokens", "Training tokens", 11.0, 13.5, 12.15)
        flops = rule.flops_for_tokens(10**power)
    else:
        flops = 10 ** _power("compute", "Training compute in FLOP", 20.0, 26.0, GOPHER)
    if given == "served":
        served = 10 ** _power("served", "Tokens served in its life", 10.0, 15.0, 12.5)
    return Asked(rule=rule, given=given, flops=flops, served=served)


def _power(name: str, label: str, low: float, high: float, usual: float) -> float:
    """Let the student choose a power of ten by its exponent."""
    chosen = link.value(name, usual=usual, among=link.Between(low, high), nearest=True)
    return float(
        link.widget(
            st.slider,
            name,
            f"{label}: {in_words(10**chosen)}",
            usual=usual,
            min_value=low,
            max_value=high,
            step=0.01,
            format="10^%.2f",
        )
    )


def numbers(asked: Asked) -> dict[str, str]:
    """Say what the rule calls for, in short."""
    best, other = asked.best, asked.cheapest
    if other is not None:
        saved = other.lifetime_flops(asked.served) / best.lifetime_flops(asked.served) - 1
        return {
            "Compute-optimal": f"{in_words(best.parameters)}, {in_words(best.tokens)} tokens",
            "cheapest to serve": f"{in_words(other.parameters)}, {in_words(other.tokens)} tokens",
            "training": _change(other.training_flops / best.training_flops - 1),
            "in all": _change(saved),
        }
    found = {
        "Compute-optimal": f"{in_words(best.parameters)} parameters",
        "tokens": in_words(best.tokens),
        "tokens a parameter": f"{best.tokens / best.parameters:.3g}",
    }
    if asked.given == "tokens":
        found["compute"] = in_flops(best.training_flops)
    if asked.rule.law is not None:
        found["loss"] = f"{float(asked.rule.law.loss(best.parameters, best.tokens)):.3f}"
    return found


def _change(share: float) -> str:
    return f"{share:+.0%}".replace("-", "−")


def _picture(asked: Asked) -> Picture:
    marks = {"optimum": _spot("optimum", asked.best)}
    between = None
    if other := asked.cheapest:
        marks["cheapest to serve"] = _spot("cheapest to serve", other)
        between = _between(asked, other)
    return law_map(
        _groups(),
        chosen=_line(asked.rule),
        others=[
            replace(_line(rule), label=AT_END.get(name, ""))
            for name, rule in PUBLISHED.items()
            if rule is not asked.rule
        ],
        marks=marks,
        iso_loss=_iso_losses(asked.rule.law) if asked.rule.law else {},
        between=between,
    )


def _groups() -> dict[str, list[Spot]]:
    """Sort models into those before LLaMA, those after it, and LLaMA's own, which lie on top."""
    first = family_tree().nodes[ROOT].release_date
    others = [model for model in models() if not model.is_llama]
    return {
        "before LLaMA": [_named(each) for each in others if each.released < first],
        "after LLaMA": [_named(each) for each in others if each.released >= first],
        "LLaMA": [_named(each) for each in models() if each.is_llama],
    }


def _named(model: Model) -> Spot:
    label, side = NAMED.get(model.title, ("", "top center"))
    return Spot(
        title=model.title,
        parameters=model.parameters,
        tokens=model.tokens,
        label=label,
        side=side,
    )


def _spot(title: str, choice: Choice) -> Spot:
    return Spot(title=title, parameters=choice.parameters, tokens=choice.tokens)


def _line(rule: Rule) -> Line:
    """Draw where a rule has its best sizes: a straight line, as both axes are of factors."""
    flops = np.array([1e16, 1e30])
    return Line(
        title=rule.title,
        x=[rule.best_size(each) for each in flops],
        y=[rule.best_tokens(each) for each in flops],
    )


def _iso_losses(law: Law) -> dict[str, Line]:
    """Draw where a law says the same loss, for losses of compute-optimal models."""
    lines = {}
    for flops in np.geomspace(1e20, 1e26, N_LOSSES):
        best = best_choice(law, float(flops))
        loss = float(law.loss(best.parameters, best.tokens))
        sizes = np.geomspace((law.a / (loss - law.e)) ** (1 / law.alpha) * 1.001, MAP_X[1], 80)
        lines[f"{loss:.2f}"] = _of_loss(law, loss, sizes)
    return lines


def _between(asked: Asked, other: Choice) -> Line:
    law, best = asked.rule.law, asked.best
    assert law is not None
    loss = float(law.loss(best.parameters, best.tokens))
    sizes = np.geomspace(other.parameters, best.parameters, 40)
    line = _of_loss(law, loss, sizes)
    return Line(title=f"the same loss, {loss:.3f}", x=line.x, y=line.y)


def _of_loss(law: Law, loss: float, sizes: np.ndarray) -> Line:
    tokens = [tokens_for_loss(law, float(size), loss) for size in sizes]
    return Line(title=f"{loss:.2f}", x=sizes.tolist(), y=tokens)


def rules_table(flops: float) -> str:
    """Say what every rule calls for at one budget of compute, in Markdown."""
    table = [["At " + in_flops(flops), "Parameters", "Tokens", "Tokens a parameter", "N grows as"]]
    for rule in PUBLISHED.values():
        size, tokens = rule.best_size(flops), rule.best_tokens(flops)
        table.append(
            [
                rule.title,
                in_words(size),
                in_words(tokens),
                f"{tokens / size:.3g}",
                f"C^{rule.exponent:.2f}",
            ]
        )
    return showing.markdown_table(table, "lrrrr")


def _about(rule: Rule) -> str:
    return f"Source of the chosen one: {content.escaped(rule.source)}."


def choices_table() -> str:
    """Say of LLaMA's models and others how far they are from compute-optimal, in Markdown."""
    law = PUBLISHED["refit"].law
    assert law is not None
    table = [
        ["Model", "Tokens a parameter", "Compute-optimal at its loss", "Training", "Pays off from"]
    ]
    for model in models():
        if model.title in NAMED:
            table.append([model.title, *_choice_cells(law, model)])
    return showing.markdown_table(table, "lrrrr")


def _choice_cells(law: Law, model: Model) -> Sequence[str]:
    made = Choice(parameters=model.parameters, tokens=model.tokens)
    loss = float(law.loss(made.parameters, made.tokens))
    best, served = cheapest_to_serve(law, loss, 0.0), served_where_best(law, made)
    return (
        f"{made.tokens / made.parameters:.3g}",
        f"{in_words(best.parameters)}, {in_words(best.tokens)} tokens",
        _change(made.training_flops / best.training_flops - 1),
        f"{in_words(served)} served" if served > 0 else "never: too large",
    )


_CHOICES = (
    "By the refit of 2024. Training: how much more compute it took than the compute-optimal model "
    "of the same predicted loss. Pays off: how many tokens it has to serve until no other model of "
    "that loss takes less in all. The law was fitted to other text and tokens: compare shapes."
)


def _sources() -> None:
    """Say which models are on the map, which are not, and where their numbers come from."""
    with st.expander("Where each model comes from", icon=":material/menu_book:"):
        st.markdown("\n".join(f"- {content.escaped(each.title)}: {each.note}" for each in models()))
        for name, why in left_out().items():
            st.markdown(f"{content.escaped(name)} is not on the map. {content.escaped(why)}")
