"""The family tree: LLaMA's ancestors, the research it uses, and what came of it."""
