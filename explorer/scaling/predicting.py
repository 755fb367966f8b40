"""Predict before you look: small models are seen, and the loss of the largest is sealed."""

from dataclasses import dataclass
from statistics import fmean

import streamlit as st

from explorer import link, showing, state
from explorer.figures.amounts import in_flops, in_words
from explorer.figures.scaling import Foretold, prediction
from explorer.scaling import sweeping
from explorer.scaling.runs import (
    LawRun,
    all_runs,
    by_budget,
    fitted,
    flops_of,
    is_complete,
    points,
    sealed_runs,
    spots,
)
from explorer.stage import Stage
from tiny_llama.errors import CheckpointError, UserError

_GUESSED = "guessed_loss"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is to be foretold: the largest model at the largest budget of compute."""

    asked: tuple[LawRun, ...]
    """Its runs, one a seed."""
    known: tuple[LawRun, ...]
    """The runs of all smaller models."""

    @property
    def law(self) -> tuple[float, float, float]:
        """What the law of the smaller models says, and the ends of its interval."""
        point = self.asked[0].point
        return fitted(points(self.known)).predict(point.parameters, point.tokens)

    @property
    def truth(self) -> float:
        """What its runs came to, on average."""
        return fmean(run.point.loss for run in self.asked)


def question() -> Question:
    """Find what is to be foretold.

    Raises:
        UserError: if nothing was recorded, or a sweep still goes on.
    """
    if not is_complete():
        raise CheckpointError("The sweep still goes on; its largest model is sealed until then.")
    sealed = sealed_runs()
    if not sealed:
        raise CheckpointError("No run of the largest model came to an end; start another sweep.")
    longest = max(run.point.tokens for run in sealed)
    return Question(
        asked=tuple(run for run in sealed if run.point.tokens == longest),
        known=tuple(run for run in all_runs() if run not in sealed),
    )


def show(stage: Stage) -> None:
    """Show the small models, take a guess, and open what was found."""
    if link.value("sweep"):
        with stage.controls:
            sweeping.choose()
    try:
        asked = question()
        law = asked.law
    except UserError as error:
        showing.stop(str(error))
    guess = link.value("guess")
    with stage.controls:
        _about(asked)
        if guess is None:
            _take_guess()
        else:
            st.button("Seal it again", icon=":material/lock:", key="seal_again", on_click=_seal)
    told = None
    if guess is not None:
        told = Foretold(guess=guess, law=law, truth=spots(asked.asked))
        showing.in_one_line(errors(asked, guess))
    showing.draw(
        prediction(by_budget(asked.known), asked.asked[0].point.parameters, told), key="prediction"
    )
    with stage.below:
        st.caption(_SEALED)
    sweeping.say_which(stage)
    stage.explain(code="tiny_llama.comparing.law:LawFit.predict")


def errors(asked: Question, guess: float) -> dict[str, str]:
    """Say what was guessed, what the law said, what was found, and how far both are off."""
    truth, (law, low, high) = asked.truth, asked.law
    return {
        "Found": f"{truth:.3f}",
        "your guess": f"{guess:.3f}, off by {_off(guess - truth)}",
        "the law": f"{law:.3f} ({low:.3f} to {high:.3f}), off by {_off(law - truth)}",
    }


def _off(difference: float) -> str:
    return f"{difference:+.3f}".replace("-", "−")


def _about(asked: Question) -> None:
    """Say which model's loss is asked for."""
    run = asked.asked[0]
    model = run.setup.model
    st.markdown(
        f"**Asked for:** the held-out loss of {model.n_layers} layers × {model.d_model} wide, "
        f"{in_words(run.point.parameters)} parameters that multiply, after "
        f"{in_words(run.point.tokens)} tokens ({in_flops(flops_of(run))})."
    )


def _take_guess() -> None:
    st.number_input(
        "Your guess, in nats a token",
        key=_GUESSED,
        min_value=0.01,
        max_value=30.0,
        value=None,
        step=0.01,
        format="%.3f",
        placeholder="such as 2.5",
    )
    st.button(
        "Commit, and open",
        icon=":material/lock_open:",
        type="primary",
        key="commit_guess",
        disabled=state.shown(_GUESSED) is None,
        on_click=_commit,
        help="The guess is in the link from then on.",
    )


def _commit() -> None:
    guess = state.shown(_GUESSED)
    if guess is not None:
        link.put(guess=float(guess))


def _seal() -> None:
    link.forget(["guess"])


_SEALED = (
    "The runs of the largest model have been trained already, and the law here is fitted "
    "without them. Until there is a guess, the server sends none of their losses to this page. The "
    "law’s interval is that of the law: single runs scatter around it besides."
)
