"""Experiments of students: which of their runs go on now, and how they stand as a whole.

Nothing waits for an event here: again and again, and after every change, it is looked which runs
should go on and which should not, and those that stand otherwise are told. So it makes no
difference whether a run has just ended, its worker has died, or the server was started anew.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from explorer.engine import store
from explorer.engine.experiment import (
    Experiment,
    ExperimentAction,
    ExperimentState,
    words_of,
)
from explorer.engine.limits import Limits
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.dispatch import Dispatch
from explorer.engine.server.errors import EngineError
from explorer.engine.server.registry import Registry
from tiny_llama.comparing.outcomes import DIVERGED, best_rates, read_outcome
from tiny_llama.comparing.plan import Plan
from tiny_llama.comparing.plan import Run as Planned
from tiny_llama.errors import UserError

_STANDS_AFTER: Mapping[ExperimentAction, ExperimentState] = {
    "pause": ExperimentState.PAUSED,
    "resume": ExperimentState.RUNNING,
    "stop": ExperimentState.STOPPED,
}


class Experiments:
    """All experiments of this server.

    Args:
        registry: all runs, theirs included.
        dispatch: the way to workers.
        folder: where run folders are.
        limits: how much one student may have.
        found: the experiments that an earlier server left; those that went on then do so again when
            somebody looks at them.
    """

    def __init__(
        self,
        registry: Registry,
        dispatch: Dispatch,
        *,
        folder: Path,
        limits: Limits,
        found: Iterable[Experiment] = (),
    ) -> None:
        self._registry, self._dispatch = registry, dispatch
        self._folder, self._limits = folder, limits
        self._all = {experiment.id: experiment for experiment in found}
        for experiment in self._all.values():
            if experiment.state is ExperimentState.RUNNING:
                experiment.revives = True
                for run in experiment.runs.values():  # one that was stuck would have paused it
                    run.revives = run.status is RunState.INTERRUPTED

    # Which there are.

    def find(self, experiment_id: str) -> Experiment | None:
        """Find an experiment, which then counts as looked at; None if there is none."""
        if (experiment := self._all.get(experiment_id)) is not None:
            experiment.seen_at = time.monotonic()
            if experiment.revives:
                for run in experiment.runs.values():
                    if run.revives:  # its record may not know how far it came
                        self._registry.remember(run)
                experiment.revives = False
                self._arrange(experiment)
        return experiment

    def __contains__(self, experiment_id: str) -> bool:
        return experiment_id in self._all

    def of(self, owner: str) -> list[Experiment]:
        """List a student's experiments, newest first, by the fingerprint of their secret."""
        with self._registry.lock:
            own = [each for each in self._all.values() if each.owner == owner]
        return sorted(own, key=lambda each: each.created, reverse=True)

    def owners(self) -> dict[str, str]:
        """Say whose each experiment is, by its name."""
        return {each.id: each.owner for each in list(self._all.values())}

    # What their owners want.

    def start(
        self, plan: Plan, *, owner: str, text: str | None, seconds: Mapping[str, float]
    ) -> Experiment:
        """Take in one more experiment, whose first runs start at once.

        A button that is pressed twice means one: where the student's same experiment has just been
        started, it is that.

        Args:
            plan: what it runs.
            owner: the fingerprint of its student's secret.
            text: the student's own text, where that is the corpus.
            seconds: how long a run of each side takes here, alone.

        Raises:
            UserError: if the student has too many already, or the disk is full.
        """
        experiment_id = store.new_run_id()
        experiment = Experiment(
            id=experiment_id,
            plan=plan,
            owner=owner,
            text_owner=owner if text is not None else "",
            folder=self._folder / experiment_id,
            seconds=seconds,
        )
        with self._registry.lock:
            for each in self.of(owner):
                if _goes_on(each) and each.plan == plan and not each.steps_done:
                    return each
            self._check_number(owner)
            try:
                store.write_new_experiment(experiment, text)
            except UserError:
                store.delete_folder(experiment.folder)
                raise
            self._all[experiment_id] = experiment
            self._arrange(experiment)
        return experiment

    def control(self, experiment: Experiment, action: ExperimentAction) -> None:
        """Pause an experiment, let it go on, or stop it; one that is finished stays so.

        Raises:
            EngineError: if its student has another one that goes on.
        """
        with self._registry.lock:
            if experiment.state is ExperimentState.FINISHED:
                return
            if action == "resume":
                if experiment.state.can_go_on:
                    self._check_number(experiment.owner)
                for name, run in experiment.runs.items():
                    if run.status in _STUCK and name not in experiment.diverged:
                        run.died_at.clear()
                        run.revives = True
            self._stand(experiment, _STANDS_AFTER[action])
            self._arrange(experiment)

    def adopt(self, *, owner: str, before: str) -> None:
        """Give a student the experiments that were another's, both by fingerprint; not the runs."""
        with self._registry.lock:
            for experiment in self.of(before):
                experiment.owner = owner
                if experiment.text_owner == before:
                    experiment.text_owner = owner
                with suppress(UserError):  # a full disk: after a restart it is as before
                    store.write_state(experiment)

    def remove(self, experiment_id: str, *, only_idle: bool = False) -> bool:
        """Forget an experiment and its runs; False if it is not idle, where it is to be.

        Its folder stays; whoever deletes that first sees that no worker has its runs.
        """
        with self._registry.lock:
            experiment = self._all.get(experiment_id)
            if experiment is None or (only_idle and not _is_idle(experiment)):
                return False
            del self._all[experiment_id]
            for run in experiment.runs.values():
                self._registry.remove(run.id)
            return True

    # What nobody presses a button for.

    def take_care(self) -> None:
        """See that the runs go on that should, and only these."""
        for experiment in list(self._all.values()):
            self._look_after(experiment)

    def busy(self, unseen_since: float) -> list[Experiment]:
        """List those that go on, or that somebody has looked at since then."""
        alive = list(self._all.values())
        return [each for each in alive if not _is_idle(each) or each.seen_at >= unseen_since]

    def _look_after(self, experiment: Experiment) -> None:
        unwatched = self._limits.unwatched_experiment_seconds
        with self._registry.lock:
            if _goes_on(experiment) and time.monotonic() - experiment.seen_at > unwatched:
                minutes = f"{unwatched / 60:.0f} minutes"
                why = f"Paused, since nobody looked at it for {minutes}; press Go on."
                self._stand(experiment, ExperimentState.PAUSED, why)
            self._arrange(experiment)
        experiment.note_pace()

    def _check_number(self, owner: str) -> None:
        n_live, most = sum(map(_goes_on, self.of(owner))), self._limits.live_experiments_a_student
        if n_live >= most:
            raise EngineError(
                f"You have {n_live} experiment{'s' * (n_live > 1)} going, the most that one "
                f"student may have at once {self._limits.place}; pause or stop one of them first."
            )

    def _arrange(self, experiment: Experiment) -> None:
        """Tell the runs that stand otherwise than they should."""
        with self._registry.lock:
            if experiment.revives or experiment.id not in self._all:
                return
            self._note_divergences(experiment)
            if experiment.state is ExperimentState.RUNNING:
                with suppress(EngineError):  # no worker can be started now: it is tried again
                    self._go_on(experiment)
            if experiment.state is not ExperimentState.RUNNING:
                self._hold(experiment)

    def _go_on(self, experiment: Experiment) -> None:
        """Let the runs go on whose turn it is; where one cannot, the experiment waits."""
        try:
            self._choose_rates(experiment)
            wanted = experiment.wanted(self._limits.experiment_runs_at_once)
            for planned in wanted:
                run = experiment.runs.get(planned.name) or self._begin(experiment, planned)
                if run.status in _STUCK and not run.revives:
                    why = f"{words_of(planned)}: {run.message}"
                    self._stand(experiment, ExperimentState.PAUSED, why)
                    return
                if not run.is_moving:
                    self._move_on(experiment, planned, run)
        except EngineError:
            raise  # no worker can be started now
        except UserError as error:
            self._stand(experiment, ExperimentState.PAUSED, str(error))
        else:
            if not wanted:
                self._stand(experiment, ExperimentState.FINISHED)

    def _choose_rates(self, experiment: Experiment) -> None:
        """Choose each side's learning rate, once all have been tried."""
        if experiment.rates is None and all(map(experiment.is_over, experiment.trials)):
            plan = experiment.plan
            trials = [read_outcome(experiment.folder, each, plan.measure) for each in plan.trials]
            experiment.take_rates(best_rates(plan, trials))

    def _begin(self, experiment: Experiment, planned: Planned) -> Run:
        """Take in a run, which stands still as yet.

        Raises:
            CheckpointError: if the disk is full, or the student's own text is missing.
        """
        run = Run(
            id=experiment.run_id(planned.name),
            setup=planned.setup,
            owner=experiment.owner,
            text_owner=experiment.text_owner,
            folder=experiment.folder / planned.name,
            name=words_of(planned),
            experiment=experiment.id,
            status=RunState.INTERRUPTED,
            revives=True,
            has_history=True,
        )
        store.write_record(run)
        store.write_name(run)
        if experiment.text_owner:
            store.copy_text(experiment, run)
        experiment.runs[planned.name] = run
        self._registry.add(run)
        return run

    def _move_on(self, experiment: Experiment, planned: Planned, run: Run) -> None:
        """Let a run go on, out of its worker's memory or from its folder."""
        in_step = experiment.goes_in_step(self._limits.experiment_runs_at_once)
        run.group = f"{experiment.id}.{planned.seed}" * (in_step and not planned.is_trial)
        self._registry.say(run, "")
        if run.worker is not None:
            self._dispatch.tell(run, "resume")
            return
        run.revives = False
        try:
            self._dispatch.launch(run)
        except EngineError:
            run.revives = True
            raise

    def _hold(self, experiment: Experiment) -> None:
        """Let no run go on, and have those of a stopped one leave the memory."""
        is_stopped = experiment.state is not ExperimentState.PAUSED
        for run in experiment.runs.values():
            if run.status is RunState.WAITING or (is_stopped and run.status is RunState.PAUSED):
                if run.worker is None:
                    self._registry.move(run, RunState.STOPPED, "")
                else:
                    self._dispatch.tell(run, "stop")
            elif run.is_moving:
                self._dispatch.tell(run, "stop" if is_stopped else "pause")

    def _note_divergences(self, experiment: Experiment) -> None:
        for name, run in experiment.runs.items():
            is_new = run.status is RunState.FAILED and name not in experiment.diverged
            if is_new and (run.folder / DIVERGED).is_file():
                experiment.diverged.add(name)

    def _stand(self, experiment: Experiment, state: ExperimentState, why: str = "") -> None:
        """Let an experiment stand otherwise from now on, also for a server to come."""
        if (experiment.state, experiment.message) != (state, why):
            experiment.state, experiment.message = state, why
            with suppress(UserError):  # a full disk: after a restart it stands as before
                store.write_state(experiment)


_STUCK = (RunState.FAILED, RunState.INTERRUPTED)


def _goes_on(experiment: Experiment) -> bool:
    return experiment.state is ExperimentState.RUNNING and not experiment.revives


def _is_idle(experiment: Experiment) -> bool:
    is_held = any(run.worker or run.is_moving for run in experiment.runs.values())
    return not (is_held or _goes_on(experiment))
