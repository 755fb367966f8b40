"""What it means that a run trains in the browser, and which browsers can."""

import streamlit as st

from explorer import content
from explorer.engine.limits import MOST_LENT_PARAMETERS


def explain() -> None:
    """Explain the two places, below the page's picture."""
    with st.expander("The server or this browser", icon=":material/devices:", key="two_places"):
        st.markdown(content.part("in_browser"))
        st.markdown(
            f"**What the server alone can train**: experts, dropout, tasks, other optimizers than "
            f"AdamW, and models of more than {MOST_LENT_PARAMETERS:,} parameters."
        )
