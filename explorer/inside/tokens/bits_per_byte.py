"""A loss per token says nothing without its tokens; in bits per byte, losses compare."""

from collections.abc import Iterator, Sequence
from math import log

import numpy as np
import streamlit as st

from explorer import content, session, showing
from explorer.engine.run import Run
from explorer.engine.server.pretrained import PRETRAINED, pretrained_run
from explorer.figures.tokens import Equal, equal_quality
from explorer.inside.tokens.tokenizer_setup import TokenizerSetup
from explorer.inspection import analyse, current_run
from explorer.stage import Stage
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.tokenizers import TOKENIZERS

MOST_OWN = 12
"""Of the student's runs that are listed, the newest."""


def show(stage: Stage, setup: TokenizerSetup) -> None:
    """Show the current model's loss on the text in both units, and those of all runs."""
    run = current_run()
    answer = analyse("surprise", run=run, step=session.inspected_step(run), text=setup.text)
    losses, n_bytes = answer["losses"].astype(np.float64), int(answer["n_bytes"].sum())
    bits = bits_per_byte(losses, n_bytes)
    equals = _equals(setup, bits)
    showing.in_one_line(_numbers(losses, n_bytes, bits))
    showing.draw(equal_quality(equals, bits), key="equal_quality")
    with stage.below:
        st.markdown(
            f"The current model, {content.escaped(session.run_name(run))}, reads "
            f"{run.setup.tokenizer}: {losses.mean():.3f} nats ÷ ln 2 × {len(losses):,} tokens ÷ "
            f"{n_bytes:,} bytes = **{bits:.3f} bits per byte**. The first token is only read, and "
            f"what is longer than the context is left out."
        )
        st.header("The same quality in other tokens", anchor=False)
        st.markdown(equal_table(equals))
        st.caption(
            "What the loss per token would be if a model with that tokenizer were exactly as good "
            "on this text: other losses for the same bits per byte. The loss of a guess at random "
            "differs, too, though each guess knows as little."
        )
        st.header("Held-out losses of the runs", anchor=False)
        st.markdown(run_table(list(_runs(run))))
        st.caption(
            "Compare bits per byte within one corpus only: another text is harder or easier. Of "
            "tasks, only the answers count."
        )
    stage.explain(
        code="tiny_llama.training:evaluate",
        tensor=showing.LiveTensor(path="losses", axes="t", values=answer["losses"]),
    )


def bits_per_byte(losses: np.ndarray, n_bytes: int) -> float:
    """Turn losses of tokens, in nats, into bits by byte of their text."""
    return float(losses.sum()) / log(2) / max(1, n_bytes)


def equal_loss(bits: float, n_bytes: int, n_tokens: int) -> float:
    """Compute the loss per token, in nats, that is as many bits per byte."""
    return bits * log(2) * n_bytes / n_tokens


def _numbers(losses: np.ndarray, n_bytes: int, bits: float) -> dict[str, str]:
    return {
        "Loss per token": f"{losses.mean():.3f} nats",
        "Bytes per token": f"{n_bytes / len(losses):.2f}",
        "Bits per byte": f"{bits:.3f}",
    }


def _equals(setup: TokenizerSetup, bits: float) -> list[Equal]:
    """Compute what a model as good would lose per token with each tokenizer."""
    answer = setup.cuts([setup.text])
    n_bytes = len(setup.text.encode())
    return [
        Equal(
            name=TOKENIZERS[kind].title,
            loss=equal_loss(bits, n_bytes, len(cut["ids"])),
            n_tokens=len(cut["ids"]),
            vocab_size=answer["sizes"][kind],
        )
        for kind, cut in answer["cuts"][0].items()
    ]


def equal_table(equals: Sequence[Equal]) -> str:
    """List losses of the same quality, as a table in Markdown."""
    rows = [
        "| tokenizer | loss per token, if as good | tokens of the text | vocabulary "
        "| loss of guessing at random |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    rows += [
        f"| {each.name} | {each.loss:.3f} | {each.n_tokens:,} | {each.vocab_size:,} "
        f"| {each.random_loss:.3f} |"
        for each in equals
    ]
    return "\n".join(rows)


def _runs(current: Run) -> Iterator[Run]:
    """Yield the current run, the student's own, newest first, and the pretrained; each once."""
    own = [session.engine().poll(run.id) for run in session.own_runs()[:MOST_OWN]]
    every = [current, *own, *map(pretrained_run, PRETRAINED)]
    yield from {run.id: run for run in every if run is not None}.values()


def run_table(runs: list[Run]) -> str:
    """Give held-out losses in both units, as a table in Markdown."""
    rows = [
        "| run | bits per byte | held-out loss (nats per token) | tokenizer | vocabulary "
        "| learned from |",
        "| --- | ---: | ---: | --- | ---: | --- |",
    ]
    for run in runs:
        loss, bits = run.last("held_out_loss"), run.last("bits_per_byte")
        if loss is None or bits is None:
            continue
        setup = run.setup
        is_task = isinstance(CORPORA.get(setup.corpus), Task)
        rows.append(
            f"| {content.escaped(session.run_name(run))} | {bits:.3f} | {loss:.3f} "
            f"| {setup.tokenizer} | {setup.model.vocab_size:,} "
            f"| {content.escaped(setup.corpus)}{' (a task)' if is_task else ''} |"
        )
    return "\n".join(rows)
