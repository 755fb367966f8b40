"""Who may start or resume a run: one student's share, and the memory that there is."""

from explorer.engine.limits import Limits, held_bytes
from explorer.engine.run import Run
from explorer.engine.server.errors import EngineError
from explorer.engine.server.registry import Registry
from tiny_llama.setup import Setup


class Admission:
    """Keeps runs within the limits.

    Args:
        registry: the runs that there are.
        limits: what they may take together.
    """

    def __init__(self, registry: Registry, limits: Limits) -> None:
        self.limits = limits
        self._registry = registry

    def admit(self, run: Run) -> None:
        """Take in one more run, if there is room.

        Raises:
            EngineError: if there is none.
        """
        with self._registry.lock:  # else two at once might both find the last room
            self.check_turns(run.owner)
            self.check_memory(run.setup)
            self._registry.add(run)

    def check_turns(self, owner: str) -> None:
        """Refuse a student one more moving run where they have all that they may have.

        Raises:
            EngineError: if they have.
        """
        n_moving = sum(run.owner == owner for run in self._registry.moving())
        if n_moving >= self.limits.live_runs_a_student:
            raise EngineError(
                f"You have {n_moving} run{'s' * (n_moving > 1)} going, the most that one student "
                f"may have at once {self.limits.place}; pause or stop one of them first."
            )

    def check_memory(self, setup: Setup) -> None:
        """Refuse one more run in memory where it does not fit beside the others.

        Raises:
            EngineError: if it does not.
        """
        inside = [run for run in self._registry.all() if run.worker or run.is_moving]
        held = sum(held_bytes(run.setup) for run in inside)
        if held + held_bytes(setup) > self.limits.training_bytes:
            raise EngineError(
                f"The models that train now hold {held / 1e6:,.0f} MB; with this one they would "
                f"need more than the {self.limits.training_bytes / 1e6:,.0f} MB that they may have "
                f"{self.limits.place}: choose a smaller model, or try again when a run has ended."
            )
