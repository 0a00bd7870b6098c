"""A training that runs in a process of its own, outlives the window, and is found again."""

import logging
import shutil
import subprocess
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ClassVar

import psutil

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.finetuning import process as processes
from napari_fetal_iqa.finetuning.event_log import EventLog
from napari_fetal_iqa.finetuning.events import Event
from napari_fetal_iqa.finetuning.outcome import Outcome, outcome_of
from napari_fetal_iqa.finetuning.record import (
    FILE_NAME,
    FinetuningError,
    JobRecord,
    jobs_folder,
    read_record,
)
from napari_fetal_iqa.finetuning.request import FinetuningRequest, models_folder, trainer_command
from napari_fetal_iqa.model_library.in_use import Task, locate, references_in_use

__all__ = ["FinetuningError", "FinetuningJob", "FinetuningRequest", "Outcome", "jobs_folder"]

logger = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
"""How long a training that is cancelled may take to end by itself."""


class FinetuningJob:
    """One training, by its folder: started by this window or by one that was closed since.

    The folder has ``job.json``, ``progress.jsonl`` (the trainer's events), ``errors.txt`` (its
    standard error), and the marks ``stop``, ``cancelled`` and ``seen``. Knows no Qt, and no call
    waits for the training.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    FinetuningError
        Where the folder holds no training.
    """

    _children: ClassVar[dict[Path, "subprocess.Popen[bytes]"]] = {}  # so that they are reaped

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = read_record(folder)
        self._log = EventLog(folder / "progress.jsonl")
        self._process: psutil.Process | None = None

    @classmethod
    def start(
        cls, request: FinetuningRequest, trainer: Sequence[str] | None = None
    ) -> "FinetuningJob":
        """Start a training, unless one is going on.

        Parameters
        ----------
        request : FinetuningRequest
        trainer : sequence of str, optional
            The command whose arguments the request gives.

        Raises
        ------
        FinetuningError
            Where one is going on, or the disk or the machine refuses.
        """
        for job in _unread():
            if job.running and job.cancelled:
                raise FinetuningError("the training that was cancelled still ends; try again soon")
            if job.running:
                raise FinetuningError("a model is learning already; stop or cancel it first")
        name = _free_name(request)
        folder = jobs_folder() / name
        out = models_folder() / name
        command = [
            *(trainer or trainer_command()),
            *request.arguments(out),
            *("--stop-file", str(folder / "stop")),
        ]
        try:
            folder.mkdir(parents=True)
            with (
                (folder / "progress.jsonl").open("wb") as events,
                (folder / "errors.txt").open("wb") as errors,
            ):
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=events,
                    stderr=errors,
                    **processes.apart(),
                )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise _refused(error) from None
        cls._children[folder] = process
        # from here, for preexec_fn may deadlock where the parent has threads, as the window has
        processes.give_way(process.pid)
        record = JobRecord(
            command=tuple(command),
            tasks=request.tasks,
            pid=process.pid,
            birth=processes.birth(process.pid),
            started=datetime.now(UTC),
            outs=request.outs(out),
            store=request.store,
        )
        try:
            record.write(folder)
        except OSError as error:
            process.kill()
            raise _refused(error) from None
        return cls(folder)

    @classmethod
    def unfinished_or_unread(cls) -> "FinetuningJob | None":
        """Find the training that goes on, else the latest whose outcome nobody looked at."""
        found = None
        for job in _unread():
            if job.cancelled:
                job.cancel()  # the window was closed before it had ended
            elif job.running:
                return job
            else:
                found = found or job
        return found

    # How far it is ---------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the process lives, and is the one that was started."""
        child = self._children.get(self.folder)
        if child is not None:
            return child.poll() is None
        process = self._found_process()
        return process is not None and processes.is_alive(process)

    def _found_process(self) -> psutil.Process | None:
        if self._process is None:
            self._process = processes.find(self.record.pid, self.record.birth)
        return self._process

    def events(self) -> list[Event]:
        """Return what the trainer reported since the last call, see :class:`EventLog`."""
        return self._log.new()

    def outcome(self) -> Outcome | None:
        """Return what came of it; None while it runs."""
        if self.running:
            return None
        if self.cancelled:
            return Outcome(cancelled=True)
        ends = self._log.every("done", "error")
        return outcome_of(ends, self.record.tasks, self.stopping, self.folder / "errors.txt")

    # What can be requested of it --------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether an early end was requested."""
        return self._is("stop")

    def stop(self) -> None:
        """Request an early end; what was trained so far is kept."""
        self._mark("stop")

    @property
    def cancelled(self) -> bool:
        """Whether nothing is to be kept."""
        return self._is("cancelled")

    def cancel(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """End it and keep nothing; where it does not end by itself, it is killed.

        Returns at once: a thread waits for the end and takes away what was made.
        """
        self._mark("cancelled")
        process = self._found_process() if self.running else None
        # told now, and not by the thread: this process may be gone before that begins
        tree = processes.terminate_tree(process) if process else []
        threading.Thread(target=partial(self._end, tree, grace_seconds), daemon=True).start()

    def _end(self, tree: list[psutil.Process], grace_seconds: float) -> None:
        ended = processes.await_end(tree, grace_seconds) if tree else not self.running
        if not ended:
            logger.warning("the training %s does not end", self.folder.name)
            return
        for out in self.record.outs.values():
            shutil.rmtree(out, ignore_errors=True)
        self.put_away()

    # What becomes of the new models ----------------------------------------------------------

    @property
    def undecided(self) -> tuple[Task, ...]:
        """Tasks whose new model was neither taken into use nor put away."""
        try:
            seen = (self.folder / "seen").read_text(encoding="utf-8").split()
        except OSError:
            seen = []
        return tuple(task for task in self.record.tasks if task not in seen)

    def put_away(self, *tasks: str) -> None:
        """Note that somebody looked at these tasks' outcome, or at all of it.

        What a training that died left half done goes: frames of patients are in it.
        """
        for task in tasks or self.record.tasks:
            out = self.record.outs["cls" if task == "cls" else "seg"]
            for left in out.parent.glob(f".{out.name}.*"):
                shutil.rmtree(left, ignore_errors=True)
        seen = [task for task in self.record.tasks if task not in self.undecided]
        try:
            text = "\n".join([*seen, *(tasks or self.record.tasks)])
            write_atomically(self.folder / "seen", text)
        except OSError:
            logger.warning("the training %s could not be put away", self.folder.name)

    def discard(self, task: Task) -> None:
        """Delete the new model of a task.

        Raises
        ------
        FinetuningError
            Where it is in use, or the disk refuses.
        """
        out = self.record.outs[task]
        if locate(str(out)) in map(locate, references_in_use()):
            raise FinetuningError(f"{out.name}: is in use; choose another model first")
        hidden = out.with_name(f".deleted-{out.name}")  # so that half a model is never listed
        try:
            out.rename(hidden)
            shutil.rmtree(hidden)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise FinetuningError(
                f"{out}: cannot be deleted ({error.strerror}); delete the folder yourself"
            ) from None
        self.put_away(task)

    def _is(self, mark: str) -> bool:
        return (self.folder / mark).exists()

    def _mark(self, mark: str) -> None:
        try:
            (self.folder / mark).touch()
        except OSError as error:
            raise _refused(error) from None


def _unread() -> list[FinetuningJob]:
    """Trainings whose outcome nobody looked at, the latest first."""
    jobs = []
    for path in jobs_folder().glob(f"*/{FILE_NAME}"):
        try:
            job = FinetuningJob(path.parent)
        except FinetuningError:
            logger.warning("the training %s is damaged and left alone", path.parent.name)
            continue
        if job.undecided:
            jobs.append(job)
    return sorted(jobs, key=lambda job: job.record.started, reverse=True)


def _free_name(request: FinetuningRequest) -> str:
    wished = f"{datetime.now():%Y%m%d-%H%M}-{request.preset}"
    name, number = wished, 1
    while (jobs_folder() / name).exists() or any(
        out.exists() for out in request.outs(models_folder() / name).values()
    ):
        number += 1
        name = f"{wished}-{number}"
    return name


def _refused(error: OSError) -> FinetuningError:
    return FinetuningError(
        f"{error.filename or 'the training'}: {error.strerror or error}; check the disk"
    )
