"""What a page may show when the engine cannot do what was asked."""

from tiny_llama.errors import UserError


class EngineError(UserError):
    """What was asked cannot be done; says why in one sentence."""
