"""What nobody presses a button for: records on disk, runs that nobody looks at, old folders."""

import threading
import time
from contextlib import suppress
from pathlib import Path

from explorer.engine import store
from explorer.engine.experiment import Experiment
from explorer.engine.limits import Limits
from explorer.engine.messages import Control, Unload
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.dispatch import Dispatch
from explorer.engine.server.experiments import Experiments
from explorer.engine.server.registry import Registry
from tiny_llama.errors import UserError

CARE_SECONDS = 1.0
"""How often the caretaker looks after runs that nobody looks at."""
CLEAR_SECONDS = 60.0
"""How often it looks for run folders that have to go."""


class Caretaker:
    """Looks after runs, in a thread of its own.

    Args:
        registry: the runs.
        dispatch: the way to their workers.
        experiments: those that have runs.
        folder: where run folders are.
        limits: how long runs may be unseen, and how much of them is kept.
        seconds: how often it looks; what has to be written down is, at once.
    """

    def __init__(
        self,
        registry: Registry,
        dispatch: Dispatch,
        experiments: Experiments,
        *,
        folder: Path,
        limits: Limits,
        seconds: float = CARE_SECONDS,
    ) -> None:
        self.limits = limits
        self._registry, self._dispatch, self._experiments = registry, dispatch, experiments
        self._folder, self._seconds = folder, seconds
        self._closed = threading.Event()
        self._records = threading.Lock()
        """Held while a record is written or a folder goes: none may come back to life so."""
        self._thread = threading.Thread(target=self._take_care, daemon=True)
        self._thread.start()

    def retire(self) -> None:
        """Take care no more; to be called before the workers end."""
        self._closed.set()
        self._registry.changed.set()

    def close(self) -> None:
        """Write down how the runs stand at the end, when the workers have ended."""
        self._thread.join(timeout=30)
        self.save()

    def save(self) -> None:
        """Write down how runs stand that have changed; what cannot be written is tried again."""
        for run_id, n_changes in self._registry.unsaved.items():
            with suppress(UserError):  # a full disk: the worker says so where it matters
                self._write_record(run_id)
                self._registry.note_saved(run_id, n_changes)

    def delete(self, run: Run) -> None:
        """Forget a run and all that is in its folder."""
        self._registry.remove(run.id)
        with self._records:
            store.delete_folder(run.folder)

    def delete_experiment(self, experiment: Experiment) -> None:
        """Forget an experiment, and its runs with all that is in their folders."""
        self._experiments.remove(experiment.id)
        with self._records:
            store.delete_folder(experiment.folder)

    def clear_old_runs(self) -> None:
        """Delete the run folders that are too old or too much, but none that somebody looks at.

        Raises:
            OSError: if a folder vanishes meanwhile.
        """
        now, runs = time.monotonic(), self._registry.all()
        for run in runs:
            if run.is_moving or now - run.seen_at < self.limits.unwatched_seconds:
                store.touch(run)
        looked_at = self._experiments.busy(now - self.limits.unwatched_seconds)
        for experiment in looked_at:
            store.touch(experiment)
        busy = {run.id for run in runs if run.worker or run.is_moving}
        busy |= {experiment.id for experiment in looked_at}
        for name in store.to_clear(
            store.folder_uses(self._folder),
            owners={run.id: run.owner for run in runs} | self._experiments.owners(),
            busy=busy,
            most_bytes=self.limits.folder_bytes,
            most_seconds=self.limits.forgotten_seconds,
            student_bytes=self.limits.student_bytes,
        ):
            all_of_its_kind = self._experiments if name in self._experiments else self._registry
            if all_of_its_kind.remove(name, only_idle=True):
                with self._records:
                    store.delete_folder(self._folder / name)

    def _take_care(self) -> None:
        cleared_at = time.monotonic()
        while True:
            self._registry.changed.wait(self._seconds)
            self._registry.changed.clear()
            if self._closed.is_set():
                return
            self.save()
            self._look_after_workers()
            self._dispatch.let_in()
            self._experiments.take_care()
            for run in self._registry.all():
                with suppress(UserError):
                    self._look_after(run)
            if time.monotonic() - cleared_at > CLEAR_SECONDS:
                cleared_at = time.monotonic()
                with suppress(OSError):
                    self.clear_old_runs()

    def _write_record(self, run_id: str) -> None:
        with self._records:
            if (run := self._registry.find(run_id)) is not None:
                store.write_record(run)

    def _look_after_workers(self) -> None:
        """Note which workers died while a run was being sent to them."""
        for worker in {run.worker for run in self._registry.all() if run.worker}:
            if not worker.is_alive and not self._closed.is_set():
                self._dispatch.note_death(worker)

    def _look_after(self, run: Run) -> None:
        """Let what nobody looks at pause, and leave the memory."""
        now, unwatched = time.monotonic(), self.limits.unwatched_seconds
        unseen = now - run.seen_at
        is_unwatched = unseen > unwatched and not run.experiment  # which is looked after as one
        if run.status is RunState.RUNNING and is_unwatched:
            self._dispatch.pool.ask(Control(run=run.id, action="pause"), run.worker)
            why = (
                f"Paused, since nobody looked at it for {unwatched / 60:.0f} minutes; press Go on."
            )
            self._registry.say(run, why, of=RunState.PAUSED)
        elif run.status is RunState.PAUSED and run.worker and self._may_be_unloaded(unseen):
            self._dispatch.pool.ask(Unload(run=run.id), run.worker)
            self._registry.release(run)
        elif run.has_history and unseen > unwatched:
            self._registry.forget(run, unseen_since=now - unwatched)

    def _may_be_unloaded(self, unseen: float) -> bool:
        """Tell whether a paused run may leave the memory: at once, where others wait for it."""
        waiting = any(run.status is RunState.WAITING for run in self._registry.all())
        return waiting or unseen > self.limits.unloaded_seconds
