"""The entry: page frame and navigation, nothing else."""

from pathlib import Path

import streamlit as st

from explorer import session, sidebar, tour

HERE = Path(__file__).resolve().parent
PAGES = HERE.parent / "pages"

st.set_page_config(page_title="Tiny LLaMA Explorer", page_icon="🦙", layout="wide")
page = st.navigation(
    {
        "Meet": [
            st.Page(
                PAGES / "home.py",
                title="Home",
                icon=":material/home:",
                help="LLaMA at a glance, and where to begin.",
                default=True,
            ),
            st.Page(
                PAGES / "family_tree.py",
                title="Family tree",
                icon=":material/family_history:",
                help="What LLaMA comes from, and what came of it.",
            ),
        ],
        "Build": [
            st.Page(
                PAGES / "architecture.py",
                title="Architecture",
                icon=":material/account_tree:",
                help="Toggle every component; the block, its shapes and its costs follow.",
            ),
            st.Page(
                PAGES / "tokens.py",
                title="Tokens",
                icon=":material/content_cut:",
                help="How a text is cut, what the pieces learn from, and what they cost.",
            ),
        ],
        "Train": [
            st.Page(
                PAGES / "train.py",
                title="Train",
                icon=":material/play_circle:",
                help="Choose a model and a text, press Train, and watch it learn.",
            )
        ],
        "Look inside": [
            st.Page(
                PAGES / "attention.py",
                title="Attention",
                icon=":material/grid_on:",
                help="Which token reads from which, head by head.",
            ),
            st.Page(
                PAGES / "rotary.py",
                title="Rotary embeddings",
                icon=":material/rotate_right:",
                help="Queries and keys turned by position; distance, frequencies, longer texts.",
            ),
            st.Page(
                PAGES / "norm_and_swiglu.py",
                title="Norm and SwiGLU",
                icon=":material/valve:",
                help="What RMSNorm leaves out, and which hidden units open on which tokens.",
            ),
            st.Page(
                PAGES / "generation.py",
                title="Generation",
                icon=":material/edit_note:",
                help="One token after the other: what is likely, drawn, kept, and surprising.",
            ),
        ],
    }
)
st.html(HERE / "narrow.css")
session.engine()  # its worker starts while the first page is read, whichever that is
session.remember_owner()
sidebar.show()
tour.show(page.url_path)
page.run()
