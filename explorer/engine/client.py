"""The engine as pages see it: plain values in, plain values and numpy arrays out.

Behind it stand worker processes on this machine; a cluster, or the student's own browser, can
stand behind the same face.
"""

import csv
import io
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from explorer.engine import store
from explorer.engine.answers import Answer, Answers, key_of
from explorer.engine.limits import (
    MOST_PACKED_BYTES,
    check_setup,
    check_text,
    held_bytes,
    limits,
)
from explorer.engine.pool import EngineError, Pool
from explorer.engine.process import WorkerProcess
from explorer.engine.run import Run
from explorer.engine.shipped import SHIPPED, shipped_run
from tiny_llama.analyses import ANALYSES
from tiny_llama.errors import UserError
from tiny_llama.metrics import read_metrics
from tiny_llama.sample_config import SampleConfig
from tiny_llama.setup import TEXT, Setup, snapshot_steps

Action = Literal["pause", "resume", "step", "stop"]
Export = Literal["folder", "hugging_face", "metrics"]

CARE_SECONDS = 1.0
"""How often the engine looks after runs that nobody looks at."""
CLEAR_SECONDS = 60.0
"""How often it looks for run folders that have to go."""
DEATH_SECONDS = 120
"""A run in whose turn the worker ends twice within this is not taken up again by itself."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """How a run's worker is shared."""

    n_runs: int
    """Runs that take turns on the worker, this one included."""
    n_workers: int
    """Workers in all."""
    n_all_runs: int
    """Runs that take turns on any worker."""


class Engine:
    """Starts, steers and keeps runs, and answers questions about models, in worker processes.

    Every method returns at once or within the time that a worker takes for one slice of
    training, and may be called from any thread.

    Args:
        folder: where run folders are; those that an earlier server left there are found again.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or store.runs_folder()
        self.runs = {run.id: run for run in store.read_runs(self.folder)}
        for run in self.runs.values():
            _wake_up(run)
        self._pool = Pool(self._take_news, self._note_death)
        self._answers = Answers(limits().answer_bytes)
        self._unsaved: set[str] = set()
        self._lock = threading.RLock()
        self._closed, self._hurry = threading.Event(), threading.Event()
        threading.Thread(target=self._take_care, daemon=True).start()

    # Runs: starting, looking at, steering, ending.

    def start(
        self, setup: Setup, *, owner: str, text: str | None = None, parent: str | None = None
    ) -> str:
        """Start a run and return its id; it reports itself as `starting` until it trains.

        Args:
            setup: what to run.
            owner: the secret of the student who starts it.
            text: the student's own text, where that is the corpus.
            parent: the run that this one is a change of, if any.

        Raises:
            UserError: if the setup is over the limits of this app, there is no room for one more
                run, or the disk is full.
        """
        check_setup(setup)
        if text is not None:
            check_text(text)
        run = self._new_run(setup, owner, parent)
        try:
            store.write_record(run)
            if text is not None:
                store.write_text(run, text)
        except UserError:
            self._drop(run)
            raise
        self._launch(run)
        return run.id

    def fork(self, run_id: str, *, owner: str, steps: int | None = None) -> str:
        """Start a copy of anybody's run that goes on by itself from where that one is now.

        Args:
            run_id: the run to copy; it goes on as if nothing had happened.
            owner: the secret of the student who starts the copy.
            steps: a new number of steps in all; None: as many as the run has.

        Raises:
            UserError: if the run has not begun, there is no room for one more, or the disk is full.
        """
        source = self._known(run_id)
        if source.status == "starting":
            raise EngineError("This run is still being prepared; try again in a moment.")
        if source.worker is not None:
            self._pool.ask("checkpoint", {"run": run_id}, source.worker)
        training = replace(source.setup.training, steps=steps or source.setup.training.steps)
        setup = replace(source.setup, training=training)
        check_setup(setup)
        run = self._new_run(setup, owner, source.id)
        try:
            store.copy_run(source.folder, run.folder, setup)
            store.write_record(run)
        except UserError:
            self._drop(run)
            raise
        run.measured = source.measured
        store.read_history(run)
        self._launch(run)
        return run.id

    def poll(self, run_id: str) -> Run | None:
        """Look at a run or a shipped model; None if there is none of that id.

        A run that somebody looks at goes on; one that trained when the server ended is taken up.
        """
        if run_id in SHIPPED:
            return shipped_run(run_id)
        run = self.runs.get(run_id)
        if run is None:
            return None
        run.seen_at = time.monotonic()
        with self._lock:
            if not run.has_history:
                store.read_history(run)
            if run.revives:
                run.revives = False
                self._launch(run, note="The server was started anew.")
        return run

    def runs_of(self, owner: str) -> list[Run]:
        """The runs of a student, newest first; without series and samples for which to `poll`."""
        mark = store.fingerprint(owner)
        own = [run for run in list(self.runs.values()) if run.owner == mark]
        return sorted(own, key=lambda run: run.created, reverse=True)

    def text_of(self, run_id: str, *, owner: str) -> str:
        """The student's own text that a run of theirs was started with.

        Raises:
            EngineError: if the run is another student's, or has no text of its own.
        """
        run = self._own(run_id, owner)
        try:
            return (run.folder / TEXT).read_text(encoding="utf-8")
        except OSError:
            raise EngineError("The text of this run is missing; paste it again.") from None

    def is_owner(self, run: Run, owner: str) -> bool:
        """Whether a student may steer a run."""
        return store.is_owner(run, owner)

    def share(self, run: Run) -> Share:
        """How many runs take turns where this one does."""
        moving = [other for other in list(self.runs.values()) if other.is_moving]
        return Share(
            n_runs=sum(other.worker is run.worker for other in moving),
            n_workers=max(1, len({id(other.worker) for other in moving})),
            n_all_runs=len(moving),
        )

    def control(self, run_id: str, action: Action, *, owner: str) -> None:
        """Pause, resume, single-step or stop a run; one that has left the memory comes back.

        Raises:
            EngineError: if the run is another student's, or the worker refuses.
        """
        run = self._own(run_id, owner)
        if action == "resume":
            self._check_turns(run.owner)
            run.message = ""
        if run.worker is None:
            self._control_from_folder(run, action)
        else:
            self._pool.ask("control", {"run": run_id, "action": action}, run.worker)

    def delete(self, run_id: str, *, owner: str) -> None:
        """Delete a run and all that it has learned.

        Raises:
            EngineError: if the run is another student's.
        """
        run = self._own(run_id, owner)
        if run.worker is not None:
            self._pool.ask("forget", {"run": run_id}, run.worker)
        self._drop(run)

    # Questions.

    def generate(self, run_id: str, prompt: str, settings: SampleConfig) -> str:
        """Let the model of a run, as it stands, write on from a prompt.

        Raises:
            EngineError: if the prompt cannot be used.
        """
        run = self._ready(run_id)
        values = {"prompt": prompt, "settings": asdict(settings)}
        return str(self._pool.ask("generate", _place(run) | values, run.worker).values["text"])

    def analyse(
        self, run_id: str, analysis: str, *, step: int | None = None, **values: Any
    ) -> Answer:
        """Find out what `tiny_llama.analyses.ANALYSES` can tell of a run's model.

        Args:
            run_id: anybody's run, or a shipped model; not used by an analysis that needs no model.
            analysis: its name.
            step: the model after this step, if it can still be had, as `Answer.step` then says:
                the step of an earlier answer, or one of `snapshot_steps`. None: as it stands.
            values: what it wants to know, in plain values.

        Raises:
            EngineError: if the text or another value cannot be used.
        """
        if not ANALYSES[analysis].needs_model:
            return self._asked(analysis, values, {"run": ""}, 0, None)
        run = self._ready(run_id)
        place = _place(run, step)
        return self._asked(analysis, values, place, place["step"], run.worker)

    def snapshot_steps(self, run: Run) -> list[int]:
        """The steps at which a run's model can be looked at again, in order."""
        return snapshot_steps(run.folder)

    def _asked(
        self,
        view: str,
        values: Mapping[str, Any],
        place: Mapping[str, Any],
        step: int | None,
        worker: WorkerProcess | None,
    ) -> Answer:
        """The answer of a worker, or the same one as before."""
        if step is not None:
            kept = self._answers.find(key_of(place["run"], step, view, values))
            if kept is not None:
                return kept
        asked = {**place, "view": view, "values": values}
        frame = self._pool.ask("view", asked, worker)
        for array in frame.arrays.values():
            array.flags.writeable = False
        answer = Answer(step=frame.values["step"], found={**frame.values["found"], **frame.arrays})
        self._answers.keep(key_of(place["run"], answer.step, view, values), answer)
        return answer

    def export(self, run_id: str, form: Export) -> bytes:
        """Pack what a run has learned and logged so far.

        Args:
            run_id: anybody's run, or a shipped model.
            form: `folder`: a zip file of the run folder, which the command line resumes, without
                snapshots where they would make it too large;
                `hugging_face`: a zip file of a folder that `transformers` opens; `metrics`: every
                step as a line of comma-separated values.

        Raises:
            EngineError: if there is nothing yet, or Hugging Face has no class for the model.
        """
        run = self._ready(run_id)
        if form == "hugging_face":
            with TemporaryDirectory(dir=self.folder) as target:
                self._pool.ask("export", _place(run) | {"target": target}, run.worker)
                return store.zip_folder(Path(target), most_bytes=MOST_PACKED_BYTES)
        if run.worker is not None:
            with suppress(EngineError):  # where nothing more can be written, take what there is
                self._pool.ask("checkpoint", {"run": run_id}, run.worker)
        if form == "metrics":
            return _as_csv(run.folder)
        return store.zip_folder(run.folder, most_bytes=MOST_PACKED_BYTES)

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
        self._closed.set()
        self._hurry.set()
        self._pool.close()
        self._save_records()

    def _new_run(self, setup: Setup, owner: str, parent: str | None) -> Run:
        """Make a folder for one more run, if there is room.

        Raises:
            UserError: if there is none, or the disk is full.
        """
        mark, run_id = store.fingerprint(owner), store.new_run_id()
        self._check_turns(mark)
        self._check_memory(setup)
        run = Run(
            id=run_id,
            setup=setup,
            owner=mark,
            folder=self.folder / run_id,
            parent=parent or "",
            has_history=True,
        )
        with self._lock:
            self.runs[run_id] = run
        return run

    def _check_turns(self, mark: str) -> None:
        here = limits()
        n_moving = sum(run.is_moving and run.owner == mark for run in list(self.runs.values()))
        if n_moving >= here.live_runs_a_student:
            raise EngineError(
                f"You have {n_moving} run{'s' * (n_moving > 1)} going, the most that one student "
                f"may have at once {here.place}; pause or stop one of them first."
            )

    def _check_memory(self, setup: Setup) -> None:
        here = limits()
        held = sum(held_bytes(run.setup) for run in list(self.runs.values()) if run.worker)
        if held + held_bytes(setup) > here.training_bytes:
            raise EngineError(
                f"The models that train now hold {held / 1e6:,.0f} MB; with this one they would "
                f"need more than the {here.training_bytes / 1e6:,.0f} MB that they may have "
                f"{here.place}: choose a smaller model, or try again when a run has ended."
            )

    def _launch(self, run: Run, *, status: str = "running", note: str = "") -> None:
        """Send a run to a worker, new or from its last checkpoint, without waiting for it."""
        run.status, run.message = "starting", ""
        busy = [other.worker for other in list(self.runs.values()) if other.is_moving]
        run.worker = worker = self._pool.idlest(busy)
        values = {"run": run.id, "folder": str(run.folder), "status": status}
        answer = worker.ask("start", values)
        answer.add_done_callback(lambda done: self._note_start(run, done.result().values, note))

    def _control_from_folder(self, run: Run, action: Action) -> None:
        """Steer a run of which only the folder is left."""
        if action == "stop":
            run.status, run.message = "stopped", ""
            self._save_soon(run)
        elif action in ("resume", "step") and run.status != "finished":
            self._check_memory(run.setup)
            self._launch(run, status="running" if action == "resume" else "paused")
            if action == "step":
                self._pool.ask("control", {"run": run.id, "action": "step"}, run.worker)

    def _known(self, run_id: str) -> Run:
        if (run := self.poll(run_id)) is None:
            raise EngineError("This run is not on this server any more; start one of your own.")
        return run

    def _own(self, run_id: str, owner: str) -> Run:
        run = self._known(run_id)
        if not store.is_owner(run, owner):
            raise EngineError("This run belongs to another student; start your own to steer it.")
        return run

    def _ready(self, run_id: str) -> Run:
        run = self._known(run_id)
        if run.status == "starting":
            raise EngineError("This run is still being prepared; try again in a moment.")
        return run

    # News: these run in the threads that listen to workers.

    def _note_start(self, run: Run, values: Mapping[str, Any], note: str) -> None:
        if values.get("died"):
            return  # whoever notes the death knows what to do
        if error := values.get("error"):
            run.status, run.message, run.worker = "failed", error, None
        elif values.get("is_done"):
            run.status, run.message, run.worker = "finished", "", None
        else:
            model = replace(run.setup.model, vocab_size=values["vocab_size"])
            run.setup = replace(run.setup, model=model)
            run.forget_from(values["next_step"])
            run.message = _what_happened(note, values["note"], values["next_step"])
        self._save_soon(run)

    def _take_news(self, news: Mapping[str, Any]) -> None:
        run = self.runs.get(news["news"])
        if run is None:
            return
        if "measured" in news:
            run.measured = news["measured"]
            return
        for row in news["rows"]:
            run.take_row(row)
        run.note_pace()
        if news["message"]:
            run.message = news["message"]
        if news["status"] != run.status:
            run.status = news["status"]
            run.paces.clear()
            self._save_soon(run)
        if not run.is_live:
            run.worker = None

    def _note_death(self, worker: WorkerProcess) -> None:
        """Take up the runs of a worker that has ended, except one that may be the cause."""
        now = time.monotonic()
        with self._lock:
            orphans = [run for run in self.runs.values() if run.worker is worker]
            for run in orphans:
                run.worker = None
        for run in orphans:
            is_suspect = run.id == worker.turn or run.status == "starting"
            died_before = now - run.died_at < DEATH_SECONDS
            if is_suspect:
                run.died_at = now
            if not run.is_moving:
                continue  # a paused run has its checkpoint
            if worker.is_ready and not (is_suspect and died_before):
                self._launch(run, note="The worker process ended unexpectedly.")
            else:
                run.status, run.message = "interrupted", _WHY_INTERRUPTED[worker.is_ready]
                self._save_soon(run)

    # Care: this runs in a thread of its own.

    def _take_care(self) -> None:
        cleared_at = time.monotonic()
        while True:
            self._hurry.wait(CARE_SECONDS)
            self._hurry.clear()
            if self._closed.is_set():
                return
            self._save_records()
            for worker in {run.worker for run in list(self.runs.values()) if run.worker}:
                if not worker.is_alive:  # it died while a run was being sent to it
                    self._note_death(worker)
            for run in list(self.runs.values()):
                with suppress(UserError):
                    self._care_for(run)
            if time.monotonic() - cleared_at > CLEAR_SECONDS:
                cleared_at = time.monotonic()
                with suppress(OSError):
                    self.clear_old_runs()

    def _care_for(self, run: Run) -> None:
        """Let what nobody looks at pause, and leave the memory."""
        here, unseen = limits(), time.monotonic() - run.seen_at
        if run.status == "running" and unseen > here.unwatched_seconds:
            self._pool.ask("control", {"run": run.id, "action": "pause"}, run.worker)
            run.message = (
                f"Paused, since nobody looked at it for {here.unwatched_seconds / 60:.0f} minutes; "
                f"press Go on."
            )
        elif run.status == "paused" and run.worker and unseen > here.unloaded_seconds:
            self._pool.ask("unload", {"run": run.id}, run.worker)
            run.worker = None
        elif run.worker is None and run.has_history and unseen > here.unwatched_seconds:
            run.forget_history()

    def _save_soon(self, run: Run) -> None:
        """Let the caring thread note how a run stands, at once: a crash may come next."""
        self._unsaved.add(run.id)
        self._hurry.set()

    def _save_records(self) -> None:
        while self._unsaved:
            run = self.runs.get(self._unsaved.pop())
            if run is not None:
                with suppress(UserError):  # a full disk: the worker says so where it matters
                    store.write_record(run)

    def clear_old_runs(self) -> None:
        """Delete the run folders that are too old or too much, but none that somebody looks at."""
        here, now = limits(), time.monotonic()
        for run in list(self.runs.values()):
            if run.is_moving or now - run.seen_at < here.unwatched_seconds:
                store.touch(run)
        busy = {run.id for run in list(self.runs.values()) if run.worker or run.is_moving}
        uses = [use for use in store.folder_uses(self.folder) if use.name not in busy]
        for name in store.to_clear(
            uses, most_bytes=here.folder_bytes, most_seconds=here.forgotten_seconds
        ):
            with self._lock:
                self.runs.pop(name, None)
            store.delete_folder(self.folder / name)

    def _drop(self, run: Run) -> None:
        with self._lock:
            self.runs.pop(run.id, None)
        self._unsaved.discard(run.id)
        store.delete_folder(run.folder)


_WHY_INTERRUPTED = {
    True: (
        "The worker process ended twice while this run had its turn, so it does not go on by "
        "itself; press Go on to try from its last checkpoint, or start a smaller one."
    ),
    False: (
        "The worker process could not start, which the server's log explains; press Go on to try "
        "again from the last checkpoint."
    ),
}


def _wake_up(run: Run) -> None:
    """Set a run found in a folder to what it is without a worker."""
    run.revives = run.is_moving
    run.seen_at = -inf
    if run.revives:
        run.status, run.message = "interrupted", "The server ended while this run trained."


def _what_happened(note: str, worker_note: str, next_step: int) -> str:
    """Say why a run is where it is; nothing where nothing happened to it."""
    if not (note or worker_note):
        return ""
    place = f"from its last checkpoint, step {next_step - 1:,}" if next_step > 1 else "from step 0"
    return " ".join(filter(None, [note, worker_note, f"This run went on {place}."]))


def _place(run: Run, step: int | None = None) -> dict[str, Any]:
    """Where a worker finds the model of a run, after a step or as it stands."""
    if step is None and not run.is_moving:
        step = run.step
    return {"run": run.id, "folder": str(run.folder), "step": step}


def _as_csv(folder: Path) -> bytes:
    """The rows of a run as comma-separated values, a column for each name that occurs."""
    rows = read_metrics(folder)
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
