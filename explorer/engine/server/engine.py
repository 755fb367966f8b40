"""The engine as pages see it: plain values in, plain values and numpy arrays out.

Behind it stand worker processes on this machine; a cluster, or the student's own browser, can
stand behind the same face.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from explorer.engine import store
from explorer.engine.experiment import Experiment, ExperimentAction
from explorer.engine.limits import (
    MOST_NAME_LETTERS,
    check_experiment,
    check_lent,
    check_setup,
    check_text,
    limits,
    with_expected_vocabulary,
)
from explorer.engine.messages import Action, Checkpoint, Forget, Found, Lend, Repeat, Written
from explorer.engine.run import BROWSER, SERVER, Mark, Run
from explorer.engine.run_state import RunState
from explorer.engine.server.admission import Admission
from explorer.engine.server.answer_cache import Answer
from explorer.engine.server.caretaker import Caretaker
from explorer.engine.server.dispatch import Dispatch
from explorer.engine.server.errors import EngineError
from explorer.engine.server.experiments import Experiments
from explorer.engine.server.exports import Export, Exports
from explorer.engine.server.lost import Lost
from explorer.engine.server.pretrained import PRETRAINED, pretrained_run
from explorer.engine.server.questions import Questions
from explorer.engine.server.registry import Registry, Share
from explorer.engine.server.returned import read_returned
from tiny_llama.analyses import ANALYSES
from tiny_llama.comparing.durations import seconds_of_run
from tiny_llama.comparing.plan import Plan
from tiny_llama.comparing.plan_file import PlanFile, make_plan
from tiny_llama.errors import UserError
from tiny_llama.sample_config import SampleConfig
from tiny_llama.setup import TEXT, Setup, snapshot_steps

DELETED = "This run was deleted by its student; start a new one."


class Engine:
    """Starts, steers and keeps runs, and answers questions about models, in worker processes.

    Every method returns at once or within the time that a worker takes for one slice of
    training, and may be called from any thread.

    Args:
        folder: where run folders are; those that an earlier server left there are found again.
            None: where this app usually has them.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, allowed = folder or store.runs_folder(), limits()
        experiments = list(store.read_experiments(self.folder))
        within = [run for experiment in experiments for run in experiment.runs.values()]
        self.registry = Registry([*store.read_runs(self.folder), *within])
        self.admission = Admission(self.registry, allowed)
        self._dispatch = Dispatch(self.registry, self.admission)
        self._pool = self._dispatch.pool
        self._questions = Questions(self._pool, allowed.answer_bytes)
        self._exports = Exports(self._pool, self.folder)
        self._experiments = Experiments(
            self.registry, self._dispatch, folder=self.folder, limits=allowed, found=experiments
        )
        self.caretaker = Caretaker(
            self.registry, self._dispatch, self._experiments, folder=self.folder, limits=allowed
        )
        self._deleted = set(store.read_deleted(self.folder))

    # Runs: starting, looking at, steering, ending.

    def start(
        self,
        setup: Setup,
        *,
        owner: str,
        text: str | None = None,
        parent: str | None = None,
        place: str = SERVER,
    ) -> str:
        """Start a run and return its id; it reports itself as `starting` until it trains.

        Args:
            setup: what to run.
            owner: the secret of the student who starts it.
            text: the student's own text, where that is the corpus.
            parent: the run that this one is a change of, if any.
            place: where it trains: here, or in its owner's browser, for which it only gets ready.

        Raises:
            UserError: if the setup is over the limits of this app, there is no room for one more
                run, or the disk is full.
        """
        check_setup(setup)
        if text is not None:
            check_text(text)
        setup = with_expected_vocabulary(setup, text)
        if place == BROWSER:
            check_lent(setup)
        run = self._admit(setup, owner, parent, store.new_deed() if place == BROWSER else "")
        run.text_owner, run.place = run.owner if text is not None else "", place
        try:
            store.write_record(run)
            if text is not None:
                store.write_text(run, text)
            state = RunState.PAUSED if place == BROWSER else RunState.RUNNING
            self._dispatch.launch(run, state=state)
        except UserError:
            self.caretaker.delete(run)
            raise
        return run.id

    def start_once(
        self,
        setup: Setup,
        *,
        owner: str,
        text: str | None = None,
        parent: str | None = None,
        place: str = SERVER,
        within: float = 0.0,
    ) -> str:
        """Start a run as `start` does; but where this student's same run has not done a step yet,
        or was asked for less than `within` seconds ago, it is that one: a button that is pressed
        twice means one run.
        """
        text_mark = "" if text is None else store.fingerprint(text)
        with self.registry.lock:  # else two presses at once would both find none
            mark = store.fingerprint(owner)
            begun = self.registry.find_begun(setup, owner=mark, text_mark=text_mark, within=within)
            if begun and begun.place == place:
                return begun.id
            run_id = self.start(setup, owner=owner, text=text, parent=parent, place=place)
            self.registry.note_text(run_id, text_mark)
            return run_id

    def fork(self, run_id: str, *, owner: str, steps: int | None = None) -> str:
        """Start a copy of anybody's run that goes on by itself from where that one is now.

        Args:
            run_id: the run to copy; it goes on as if nothing had happened.
            owner: the secret of the student who starts the copy.
            steps: a new number of steps in all; None: as many as the run has.

        Raises:
            UserError: if the run has not begun, there is no room for one more, or the disk is full.
        """
        source = self._ready(run_id)
        if source.worker is not None:
            self._pool.ask(Checkpoint(run=run_id), source.worker)
        training = replace(source.setup.training, steps=steps or source.setup.training.steps)
        setup = replace(source.setup, training=training)
        check_setup(setup)
        run = self._admit(setup, owner, source.id)
        run.measured, run.text_owner = source.measured, source.text_owner
        try:
            store.copy_run(source.folder, run.folder, setup)
            store.write_record(run)
            store.read_history(run)
            self._dispatch.launch(run)
        except UserError:
            self.caretaker.delete(run)
            raise
        return run.id

    def poll(self, run_id: str) -> Run | None:
        """Look at a run or a pretrained model; None if there is none of that id.

        A run that somebody looks at goes on; one that trained when the server ended is taken up.
        """
        if run_id in PRETRAINED:
            return pretrained_run(run_id)
        run = self.registry.find(run_id)
        if run is not None:
            run.seen_at = time.monotonic()
            if run.experiment:
                self._experiments.find(run.experiment)  # which goes on with it, or not
            if not run.has_history:  # asked here, too, as most looks need no lock then
                self.registry.remember(run)
            if run.revives and not run.experiment:
                self._dispatch.revive(run)
        return run

    def runs_of(self, owner: str) -> list[Run]:
        """List a student's runs, newest first; without series and samples for which to `poll`.

        Those of experiments are not among them.
        """
        mark = store.fingerprint(owner)
        own = [run for run in self.registry.all() if run.owner == mark and not run.experiment]
        return sorted(own, key=lambda run: run.created, reverse=True)

    def text_of(self, run_id: str, *, owner: str) -> str:
        """Give the student's own text that a run learns from, be it somebody's copy of theirs.

        Raises:
            EngineError: if the text is another student's, or is missing.
        """
        run = self._known(run_id)
        if not store.is_text_owner(run, owner):
            raise EngineError(
                "The text of this run is another student's and stays theirs; paste one of your own."
            )
        try:
            return (run.folder / TEXT).read_text(encoding="utf-8")
        except OSError:
            raise EngineError("The text of this run is missing; paste it again.") from None

    def is_owner(self, one: Run | Experiment, owner: str) -> bool:
        """Tell whether a student may steer a run, or an experiment."""
        return store.is_owner(one, owner)

    def is_text_owner(self, run: Run, owner: str) -> bool:
        """Tell whether the own text that a run learns from is this student's."""
        return store.is_text_owner(run, owner)

    def adopt(self, *, owner: str, before: str) -> None:
        """Give a student what they started before their browser had said who they are.

        Args:
            owner: the secret by which they are known from now on.
            before: the one by which they were known so far in this tab.
        """
        mark, old = store.fingerprint(owner), store.fingerprint(before)
        with self.registry.lock:
            for run in self.registry.all():
                if run.owner == old:
                    run.owner = mark
                    run.text_owner = mark if run.text_owner == old else run.text_owner
                    self.registry.note_change(run)
            self._experiments.adopt(owner=mark, before=old)

    def share(self, run: Run) -> Share:
        """Say how many runs take turns where this one does."""
        return self.registry.share(run)

    def control(self, run_id: str, action: Action, *, owner: str) -> None:
        """Pause, resume, single-step or stop a run; one that has left the memory comes back.

        Raises:
            EngineError: if the run is another student's, or the worker refuses.
        """
        run = _by_itself(_readable(self._own(run_id, owner)))
        if action == "resume":
            self.admission.check_turns(run.owner)
            self.registry.say(run, "")
        self._dispatch.steer(run, action)

    # A run that trains in its owner's browser.

    def lend(self, run_id: str, *, owner: str, borrower: str = "") -> Found:
        """Give a browser what it needs to train a run; whoever had it before has it no more.

        Args:
            run_id: the run.
            owner: the secret of its student.
            borrower: by which the tab is known that asks: one that asks twice, as an answer may
                be late, goes on with what it got first.

        Raises:
            EngineError: if the run is another student's, trains here, or there is no memory now.
        """
        run = self._own_browser_run(run_id, owner)
        found = self._dispatch.visit(run, Lend(run=run_id))
        run.loan = borrower or store.new_run_id()
        return replace(found, values={**found.values, "loan": run.loan, "deed": run.deed})

    def has_taken(self, run_id: str, *, step: int, stops: bool, owner: str) -> bool:
        """Tell whether all that a browser has made of a run is here already.

        Args:
            run_id: the run.
            step: the last one that the browser has done.
            stops: whether its student has stopped it there.
            owner: the secret of the student whose browser it is.

        Raises:
            EngineError: if the run is unknown, another student's, or trains here.
        """
        run = self._own_browser_run(run_id, owner)
        has_ended = run.status is not RunState.PAUSED
        return run.status is RunState.FINISHED or (
            0 <= step < run.next_row and (has_ended or not stops)
        )

    def take_back(
        self, run_id: str, returned: Mapping[str, Any], *, owner: str, mark: str = ""
    ) -> None:
        """Keep what a browser has made of a run so far; whatever is wrong with it, nothing is lost.

        Args:
            run_id: the run.
            returned: what the browser says; see `explorer.engine.server.returned`.
            owner: the secret of the student whose browser it is.
            mark: of the text that the run must have; see `read_returned`.

        Raises:
            EngineError: if it is not what a browser can have made of this run, or as by `lend`.
        """
        run = self._own_browser_run(run_id, owner)
        self._dispatch.visit(run, read_returned(returned, run, mark))
        with self.registry.lock:
            self.registry.note_change(run)

    def is_deleted(self, run_id: str) -> bool:
        """Tell whether a run's student has deleted it, as far as this server knows."""
        return run_id in self._deleted

    def bring_back(self, lost: Lost, *, owner: str) -> None:
        """Make a run anew that this server has lost, from what its owner's browser has kept of it.

        Args:
            lost: the run; by its deed, it is this browser's.
            owner: the secret of the student whose browser it is.

        Raises:
            UserError: if there is such a run, or its student has deleted it; if it is not what a
                browser can have made of it; or as by `start`.
        """
        setup = with_expected_vocabulary(lost.setup, lost.text)
        with self.registry.lock:
            self._check_lost(lost.run)
            run = self._admit(setup, owner, None, lost.deed)
            run.text_owner, run.place = run.owner if lost.text is not None else "", BROWSER
        try:
            store.write_record(run)
            if lost.text is not None:
                store.write_text(run, lost.text)
            self._dispatch.launch(run, state=RunState.PAUSED)
            if run.worker is None:
                raise EngineError(
                    "There is no memory now to bring this run back, as the models that train take "
                    "all that there is; try again in a minute."
                )
            self._pool.ask(Checkpoint(run=run.id), run.worker)  # waits until it is there
            if run.status is not RunState.PAUSED:
                raise EngineError(run.message or "This run could not be prepared; try again.")
            self.take_back(run.id, lost.returned, owner=owner, mark=lost.mark)
        except UserError:
            with suppress(UserError):
                self._let_go(run)
            self.caretaker.delete(run)
            raise

    def _check_lost(self, run_id: str) -> None:
        if self.is_deleted(run_id):
            raise EngineError(DELETED)
        is_here = run_id in PRETRAINED or self.experiment(run_id) or self.registry.find(run_id)
        if is_here or (self.folder / run_id).exists():
            raise EngineError("This run is on the server; reload the page to see it.")

    def repeat(self, run_id: str, *, steps: int, owner: str) -> np.ndarray:
        """Train the first steps of a run that a browser trains here, too; give their losses.

        Args:
            run_id: the run, which stays as it is.
            steps: so many, or as many as it has.
            owner: the secret of its student.

        Raises:
            EngineError: as by `lend`, or if the run has ended.
        """
        run = self._own_browser_run(run_id, owner)
        if run.status is not RunState.PAUSED:
            raise EngineError("This run has ended; start it once more to compute it twice.")
        request = Repeat(run=run_id, student=run.owner, steps=steps)
        return self._dispatch.visit(run, request).arrays["losses"]

    def bring_home(self, run_id: str, *, owner: str) -> None:
        """Let a run that trained in a browser go on here, from what that has given back.

        Raises:
            EngineError: as by `control`.
        """
        run = self._own_browser_run(run_id, owner)
        self.registry.place(run, SERVER)
        self.control(run_id, "resume", owner=owner)

    def rename(self, run_id: str, name: str, *, owner: str) -> None:
        """Call a run something; what is too long is cut, and an empty name is none.

        Raises:
            EngineError: if the run is another student's.
            CheckpointError: if the disk is full.
        """
        run = self._own(run_id, owner)
        run.name = " ".join(name.split())[:MOST_NAME_LETTERS]
        store.write_name(run)

    def mark(self, run_id: str, mark: Mark, *, owner: str) -> None:
        """Pin a run to the top of its student's lists, hide it from them, or neither.

        Raises:
            EngineError: if the run is another student's.
            CheckpointError: if the disk is full.
        """
        run = self._own(run_id, owner)
        run.mark = mark
        store.write_mark(run)

    def delete(self, run_id: str, *, owner: str) -> None:
        """Delete a run and all that it has learned.

        Raises:
            EngineError: if the run is another student's.
        """
        run = _by_itself(self._own(run_id, owner))
        self._let_go(run)
        if run.deed:  # a browser may have kept it
            self._deleted.add(run.id)
            with suppress(UserError):  # a full disk: this server knows, and the page says it
                store.note_deleted(self.folder, run.id)
        self.caretaker.delete(run)

    # Experiments: many runs by one plan.

    def make_plan(self, values: Mapping[str, Any], *, owner: str, text: str | None = None) -> Plan:
        """Make the plan of an experiment, its sides matched, out of what a TOML file would say.

        Args:
            values: as `tiny_llama.comparing.plan_file` takes them.
            owner: the secret of the student who asks.
            text: the student's own text; the settings then say `own-text` as their corpus.

        Raises:
            UserError: for what is unknown, missing or does not go together.
        """

        def vocabulary(setup: Setup) -> Setup:
            check_setup(with_expected_vocabulary(setup, text))
            kind = setup.tokenizer
            found = self.analyse(
                *("", "cuts"),
                owner=owner,
                texts=[],
                corpus=setup.corpus,
                own=text or "",
                vocab_size=setup.vocab_size,
                kinds=[kind],
            )
            model = replace(setup.model, vocab_size=found["sizes"][kind])
            return replace(setup, model=model)

        if text is not None:
            check_text(text)
        return make_plan(PlanFile(values=values, text=None), vocabulary)

    def seconds_a_run(self, plan: Plan, *, owner: str) -> dict[str, float]:
        """Measure how long a run of each side would take here, alone.

        Raises:
            EngineError: if the worker is too busy to say.
        """
        return {name: self._seconds_of(side.setup, owner) for name, side in plan.sides.items()}

    def start_experiment(self, plan: Plan, *, owner: str, text: str | None = None) -> str:
        """Start an experiment and return its id; its first runs begin at once.

        Args:
            plan: what it runs.
            owner: the secret of the student who starts it.
            text: the student's own text, where that is the corpus.

        Raises:
            UserError: if it, or a run of it, is over the limits of this app, if the student has
                another one that goes on, or the disk is full.
        """
        for side in plan.sides.values():
            check_setup(with_expected_vocabulary(side.setup, text))
        if text is not None:
            check_text(text)
        seconds = self.seconds_a_run(plan, owner=owner)
        check_experiment(plan, seconds)
        mark = store.fingerprint(owner)
        return self._experiments.start(plan, owner=mark, text=text, seconds=seconds).id

    def experiment(self, experiment_id: str) -> Experiment | None:
        """Look at an experiment; None if there is none of that id. One that is seen goes on."""
        return self._experiments.find(experiment_id)

    def experiments_of(self, owner: str) -> list[Experiment]:
        """List a student's experiments, newest first."""
        return self._experiments.of(store.fingerprint(owner))

    def control_experiment(
        self, experiment_id: str, action: ExperimentAction, *, owner: str
    ) -> None:
        """Pause an experiment, let it go on, or stop it.

        Raises:
            EngineError: if it is another student's, or this student has another one that goes on.
        """
        self._experiments.control(self._own_experiment(experiment_id, owner), action)

    def delete_experiment(self, experiment_id: str, *, owner: str) -> None:
        """Delete an experiment, its runs and all that these have learned.

        Raises:
            EngineError: if it is another student's.
        """
        experiment = self._own_experiment(experiment_id, owner)
        self._experiments.control(experiment, "stop")
        for run in experiment.runs.values():
            if run.worker is not None:
                self._pool.ask(Forget(run=run.id), run.worker)
        self.caretaker.delete_experiment(experiment)

    # Questions.

    def generate(
        self, run_id: str, prompt: str, settings: SampleConfig, *, owner: str = ""
    ) -> Written:
        """Let the model of a run, as it stands, write on from a prompt.

        Args:
            run_id: anybody's run, or a pretrained model.
            prompt: how the text begins.
            settings: how it is written.
            owner: the secret of the student who asks, whose share of the worker it comes out of.

        Raises:
            EngineError: if the prompt cannot be used.
        """
        student = store.fingerprint(owner)
        return self._questions.generate(self._ready(run_id), prompt, settings, student=student)

    def analyse(
        self,
        run_id: str,
        analysis: str,
        *,
        step: int | None = None,
        owner: str = "",
        **values: Any,
    ) -> Answer:
        """Find out what `tiny_llama.analyses.ANALYSES` can tell of a run's model.

        Args:
            run_id: anybody's run, or a pretrained model; not used by an analysis that needs none.
            analysis: its name.
            step: the model after this step, if it can still be had, as `Answer.step` then says:
                the step of an earlier answer, or one of `snapshot_steps`. None: as it stands.
            owner: the secret of the student who asks, whose share of the worker it comes out of.
            values: what it wants to know, in plain values.

        Raises:
            EngineError: if the text or another value cannot be used.
        """
        run = self._ready(run_id) if ANALYSES[analysis].needs_model else None
        student = store.fingerprint(owner)
        return self._questions.analyse(run, analysis, values, step, student=student)

    def snapshot_steps(self, run: Run) -> list[int]:
        """List the steps at which a run's model can be looked at again, in order."""
        return snapshot_steps(run.folder)

    def export(self, run_id: str, form: Export, *, owner: str = "") -> bytes:
        """Pack what a run has learned and logged so far.

        Args:
            run_id: anybody's run, or a pretrained model.
            owner: the secret of the student who asks; a text that is another's is left out.
            form: `folder`: a zip file of the run folder, which the command line resumes, without
                snapshots where they would make it too large;
                `hugging_face`: a zip file of a folder that `transformers` opens; `metrics`: every
                step as a line of comma-separated values.

        Raises:
            EngineError: if there is nothing yet, or Hugging Face has no class for the model.
        """
        run = self._ready(run_id)
        return self._exports.pack(run, form, with_text=store.is_text_owner(run, owner))

    # Workers.

    def warm_up(self) -> None:
        """Start a worker now, so that nobody waits for PyTorch to be imported."""
        self._pool.idlest()

    @property
    def worker_pids(self) -> list[int]:
        """The process ids of the workers."""
        return self._pool.pids

    def close(self) -> None:
        """End the workers; runs keep their checkpoints."""
        self.caretaker.retire()
        self._pool.close()
        self.caretaker.close()

    def _admit(self, setup: Setup, owner: str, parent: str | None, deed: str = "") -> Run:
        """Take in one more run, of which there is no folder yet; its id is that of a deed, if any.

        Raises:
            EngineError: if there is no room.
        """
        run_id = store.id_of_deed(deed) if deed else store.new_run_id()
        run = Run(
            id=run_id,
            deed=deed,
            setup=setup,
            owner=store.fingerprint(owner),
            folder=self.folder / run_id,
            parent=parent or "",
            has_history=True,
        )
        self.admission.admit(run)
        return run

    def _let_go(self, run: Run) -> None:
        """Have a run's worker forget it, before its folder goes."""
        if run.worker is not None:
            self._pool.ask(Forget(run=run.id), run.worker)

    def _known(self, run_id: str) -> Run:
        if self.is_deleted(run_id):
            raise EngineError(DELETED)
        if (run := self.poll(run_id)) is None:
            raise EngineError("This run is not on this server any more; start one of your own.")
        return run

    def _own(self, run_id: str, owner: str) -> Run:
        run = self._known(run_id)
        if not store.is_owner(run, owner):
            raise EngineError("This run belongs to another student; start your own to steer it.")
        return run

    def _own_experiment(self, experiment_id: str, owner: str) -> Experiment:
        if (experiment := self.experiment(experiment_id)) is None:
            raise EngineError("This experiment is not on this server any more; start a new one.")
        if not store.is_owner(experiment, owner):
            raise EngineError("This experiment is another student's; start your own to steer it.")
        return experiment

    def _seconds_of(self, setup: Setup, owner: str) -> float:
        """Say how long a run takes, by what its parts took when they were measured here."""
        training = setup.training
        like = replace(training, steps=Setup().training.steps, seed=0, data_seed=None)
        asked = replace(setup, training=like, corpus=Setup().corpus).as_dict()
        took = self.analyse("", "pace", owner=owner, setup=asked)
        parts = {name: float(took[name]) for name in ("step", "look", "sample")}
        return seconds_of_run(training, **parts)

    def _own_browser_run(self, run_id: str, owner: str) -> Run:
        run = _readable(self._own(run_id, owner))
        if run.place != BROWSER:
            raise EngineError("This run trains on the server, so that no browser can change it.")
        if run.status is RunState.STARTING:
            raise EngineError("This run is still being prepared; try again in a moment.")
        return run

    def _ready(self, run_id: str) -> Run:
        run = _readable(self._known(run_id))
        if run.status is RunState.STARTING:
            raise EngineError("This run is still being prepared; try again in a moment.")
        if run.status is RunState.WAITING and not run.step:
            raise EngineError("This run waits for memory; look at it when it has started.")
        return run


def _by_itself(run: Run) -> Run:
    if run.experiment:
        raise EngineError(
            "This run is one of an experiment's; pause, stop or delete that as a whole, on Compare."
        )
    return run


def _readable(run: Run) -> Run:
    if not run.is_readable:
        raise EngineError(run.message)
    return run
