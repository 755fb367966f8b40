"""What the Home page shows: a glance, why it matters, results, training, research."""

import streamlit as st

from explorer.home import glance, meaning, model_card, papers, results, training_facts
from explorer.stage import Stage, View


def show_meaning(stage: Stage) -> None:
    """Why it matters, its milestones, what was new, what of it is open, and its four sizes."""
    meaning.show()
    left, right = st.columns(2, gap="large")
    with left:
        model_card.show_open()
    with right:
        model_card.show_sizes()


def show_training(stage: Stage) -> None:
    """How it was trained."""
    training_facts.show()


VIEWS = (
    View("glance", "At a glance", glance.show),
    View("meaning", "Why it matters", show_meaning),
    View("results", "Published results", results.show),
    View("training", "How it was trained", show_training),
    View("research", "Related research", papers.show),
)
