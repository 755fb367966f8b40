"""What it means that a run trains in the browser, and which browsers can."""

import streamlit as st

from explorer import content
from explorer.engine.limits import MOST_LENT_PARAMETERS
from explorer.engine.run import Run
from explorer.train import computed_twice, in_browser


def show(run: Run) -> None:
    """Explain the two places, and let a browser's run be computed in the other one, too."""
    if in_browser.is_shown(run):
        computed_twice.show(run)
    with st.expander("The server or this browser", icon=":material/devices:", key="two_places"):
        st.markdown(content.part("in_browser"))
        st.markdown(
            f"**What the server alone can train**: experts, dropout, tasks, other optimizers than "
            f"AdamW, and models of more than {MOST_LENT_PARAMETERS:,} parameters."
        )
