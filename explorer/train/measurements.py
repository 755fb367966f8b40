"""Predicted beside measured: what the setup says a run takes, and what it really does."""

import streamlit as st

from explorer.engine.run import Run
from tiny_llama.cost import (
    activation_bytes,
    count_parameters,
    six_n_d,
    training_flops,
    training_memory,
)


def show(run: Run) -> None:
    """Show the table, with what is not measured yet left open."""
    with st.expander("Predicted and measured", icon=":material/balance:", key="measured"):
        st.markdown("\n".join(["| | predicted | measured |", "| --- | ---: | ---: |", *_rows(run)]))
        st.caption(
            "Predicted: by formula from the setup alone. Measured: counted on the tensors of the "
            "model that trains, in one of its steps. Operations are those of the matrix products, "
            "as PyTorch counts them."
        )


def _rows(run: Run) -> list[str]:
    setup, measured = run.setup, run.measured
    model, training = setup.model, setup.training
    memory = training_memory(model, optimizer=training.optimizer)
    activations = activation_bytes(model, batch_size=training.batch_size, n_tokens=model.context)
    flops = training.batch_size * training_flops(model, model.context)
    held = sum(measured[name] for name in _HELD) if measured else None
    return [
        _row("Parameters", count_parameters(model), measured.get("parameters"), "{:,.0f}"),
        _row("Weights, MB", memory.weights, measured.get("weights"), _MB),
        _row("Gradients, MB", memory.gradients, measured.get("gradients"), _MB),
        _row("Optimizer, MB", memory.optimizer, measured.get("optimizer"), _MB),
        _row("Activations of a step, MB", activations, measured.get("activations"), _MB),
        _row("Memory in all, MB", memory.total + activations, held, _MB),
        _row("Operations a step, billions", flops, measured.get("step_flops"), _BILLIONS),
        _row(
            "The same by 6 × parameters × tokens",
            six_n_d(model, setup.tokens_a_step),
            None,
            _BILLIONS,
        ),
        _row("Operations a second, billions", None, _flops_a_second(run, flops), _BILLIONS),
        _row("All steps, billions of operations", flops * training.steps, None, _BILLIONS),
    ]


_MB, _BILLIONS = "MB", "billions"
_HELD = ("weights", "gradients", "optimizer", "activations")
_UNITS = {_MB: 1e6, _BILLIONS: 1e9}


def _row(label: str, predicted: float | None, measured: float | None, form: str) -> str:
    return f"| {label} | {_shown(predicted, form)} | {_shown(measured, form)} |"


def _shown(value: float | None, form: str) -> str:
    if value is None:
        return "–"
    return form.format(value) if form not in _UNITS else f"{value / _UNITS[form]:,.3f}"


def _flops_a_second(run: Run, flops: int) -> float | None:
    """Count operations a second over all of the run's own turns, waiting for others left out."""
    return flops * run.step / run.seconds if run.seconds and run.measured else None
