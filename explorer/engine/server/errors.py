"""What a page may show when the engine cannot do what was asked."""

from tiny_llama.errors import UserError


class EngineError(UserError):
    """What was asked cannot be done; says why in one sentence."""


class WorkerDiedError(EngineError):
    """The worker ended before it had answered.

    Args:
        sentence: that says so.
        blame: how likely what was asked was why, from 0 to 1.
    """

    def __init__(self, sentence: str, blame: float) -> None:
        super().__init__(sentence)
        self.blame = blame
