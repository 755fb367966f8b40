"""What the Home page shows: a glance, why it matters, results, training, research, words."""

from explorer import glossary
from explorer.home import glance, meaning, papers, results, training_facts, words
from explorer.stage import View

VIEWS = (
    View("glance", "At a glance", glance.show),
    View("meaning", "Why it matters", meaning.show),
    View("results", "Published results", results.show),
    View("training", "How it was trained", training_facts.show),
    View("research", "Related research", papers.show),
    View(glossary.VIEW, "Glossary", words.show),
)
