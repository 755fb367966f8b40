"""The same curve, computed twice: by the student's browser, and once more by the server."""

import numpy as np
import streamlit as st

from explorer import session, state
from explorer.components.live_chart import Line, live_chart
from explorer.engine.run import Run
from tiny_llama.errors import UserError

MOST_STEPS = 60
"""That the server does once more: some seconds of a worker."""
_WORDS = (
    "The same setup and seed have the same weights to begin with and the same texts in every step, "
    "here and on the server. The browser's engine is written in C, the server's is PyTorch; all "
    "that may differ is how sums are rounded."
)


def show(run: Run) -> None:
    """Offer to compute the run's first steps on the server, too, and show both curves."""
    with st.expander("The same curve, computed twice", icon=":material/difference:", key="twice"):
        st.markdown(_WORDS)
        steps = min(MOST_STEPS, run.step)
        label = f"Compute the first {steps} steps on the server, too"
        if steps < 2:
            st.caption("The first steps have not come from the browser yet; press Pause.")
        elif st.button(label, icon=":material/dns:", key="compute_twice"):
            _repeat(run, steps)
        if (losses := state.kept(f"losses of {run.id} on the server", lambda: None)) is not None:
            _draw(run, losses)


def _repeat(run: Run, steps: int) -> None:
    try:
        with st.spinner("Training on the server", show_time=True):
            losses = session.engine().repeat(run.id, steps=steps, owner=session.owner())
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    else:
        state.keep(f"losses of {run.id} on the server", losses)


def _draw(run: Run, losses: np.ndarray) -> None:
    steps = np.arange(1, len(losses) + 1)
    own = np.array(run.series["loss"].values[: len(losses)])
    differences = np.abs(own - losses)
    most = int(differences.argmax())
    st.markdown(
        f"Over {len(steps)} steps the two losses differ by at most **{differences[most]:.7f}** "
        f"nats a token, at step {steps[most]}, where they are {own[most]:.6f} in the browser and "
        f"{losses[most]:.6f} on the server."
    )
    live_chart(
        [
            Line(name="loss", title="This browser", x=steps, values=own, run=run.id),
            Line(name="server", title="The server", x=steps, values=losses, run=run.id),
        ],
        key="twice_chart",
        y_title="Training loss (nats a token)",
        alt=f"Two curves of the training loss over {len(steps)} steps, which lie on each other.",
    )
