"""A tiny, configurable LLaMA: model, training, generation and cost, without any web page."""
