"""A training that runs in a process of its own, outlives the window, and is found again."""

import logging
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.finetuning import process as processes
from napari_fetal_iqa.finetuning.progress import event_of
from napari_fetal_iqa.finetuning.request import LearningRequest, models_folder, trainer_command
from napari_fetal_iqa.model_library.in_use import Task, locate, references_in_use
from napari_fetal_iqa.storage import paths

__all__ = ["LearningError", "LearningJob", "LearningRequest", "Outcome"]

logger = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
"""How long a training that is cancelled may take to end by itself."""
_READ_BYTES = 256 * 1024
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)

Event = Mapping[str, Any]


class LearningError(FetalIqaError):
    """A training cannot be started, or what it made cannot be taken away."""


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Parameters
    ----------
    done : tuple of dict
        The ``done`` event of each task that has a new model.
    error : str or None
        One sentence on what went wrong.
    cancelled : bool
        Nothing was to be kept.
    """

    done: tuple[Event, ...] = ()
    error: str | None = None
    cancelled: bool = False


class JobRecord(BaseModel):
    """What ``job.json`` says of a training; no sweep is named."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    command: tuple[str, ...]
    tasks: tuple[Task, ...]
    pid: int
    birth: str | None
    started: datetime
    outs: dict[Task, Path]
    store: Path


class LearningJob:
    """One training, by its folder: started by this window or by one that was closed since.

    The folder has ``job.json``, ``progress.jsonl`` (what the trainer says), ``errors.txt`` (its
    standard error), and the marks ``stop``, ``cancelled`` and ``seen``. Knows no Qt, and no call
    waits for the training.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    LearningError
        Where the folder holds no training.
    """

    _children: ClassVar[dict[Path, "subprocess.Popen[bytes]"]] = {}  # so that they are reaped

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read = 0
        try:
            text = (folder / "job.json").read_text(encoding="utf-8")
            self.record = JobRecord.model_validate_json(text)
        except (OSError, ValidationError):
            raise LearningError(f"{folder}: holds no training") from None

    @classmethod
    def start(cls, request: LearningRequest, trainer: Sequence[str] | None = None) -> "LearningJob":
        """Start a training, unless one is going on.

        Parameters
        ----------
        request : LearningRequest
        trainer : sequence of str, optional
            The command whose arguments the request gives.

        Raises
        ------
        LearningError
            Where one is going on, or the disk or the machine refuses.
        """
        for job in _unread():
            if job.running and job.cancelled:
                raise LearningError("the training that was cancelled still ends; try again soon")
            if job.running:
                raise LearningError("a model is learning already; stop or cancel it first")
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
                (folder / "progress.jsonl").open("wb") as said,
                (folder / "errors.txt").open("wb") as errors,
            ):
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=errors,
                    **processes.apart(),
                )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise _refused(error) from None
        cls._children[folder] = process
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
            write_atomically(folder / "job.json", record.model_dump_json(indent=1))
        except OSError as error:
            process.kill()
            raise _refused(error) from None
        return cls(folder)

    @classmethod
    def unfinished_or_unread(cls) -> "LearningJob | None":
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
        return self.record.birth is not None and self.record.birth == processes.birth(
            self.record.pid
        )

    def events(self) -> list[Event]:
        """Return what the trainer said since the last call; at most some hundred kilobytes of it.

        A last line that is half written waits for the next call; a line that is no event is
        left out.
        """
        size = _READ_BYTES
        try:
            with (self.folder / "progress.jsonl").open("rb") as file:
                while True:
                    file.seek(self._read)
                    chunk = file.read(size)
                    lines, newline, _ = chunk.rpartition(b"\n")
                    if newline or len(chunk) < size:
                        break
                    size *= 2
        except OSError:
            return []
        self._read += len(lines) + len(newline)
        return [event for line in lines.split(b"\n") if (event := event_of(line)) is not None]

    def outcome(self) -> Outcome | None:
        """Say what came of it; None while it runs."""
        if self.running:
            return None
        if self.cancelled:
            return Outcome(cancelled=True)
        done: dict[str, Event] = {}
        error = None
        for event in self._all_events("done", "error"):
            if event.get("event") == "error":
                error = str(event.get("message"))
            elif event.get("event") == "done" and event.get("task") in self.record.tasks:
                done[event["task"]] = event
        if error is None and len(done) < len(self.record.tasks) and not (done and self.stopping):
            error = self._no_word()
        return Outcome(tuple(done.values()), error)

    def _all_events(self, *names: str) -> list[Event]:
        try:
            lines = (self.folder / "progress.jsonl").read_bytes().split(b"\n")
        except OSError:
            return []
        wanted = [line for line in lines if any(f'"{name}"'.encode() in line for name in names)]
        return [event for line in wanted if (event := event_of(line)) is not None]

    def _no_word(self) -> str:
        try:
            said = (self.folder / "errors.txt").read_text(encoding="utf-8", errors="replace")
        except OSError:
            said = ""
        last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
        words = f"; its last words: {last[:200]}" if last else ""
        return (
            "The training ended without a result, perhaps for want of memory; close other "
            f"programs and start it again{words}"
        )

    # What can be asked of it -----------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether an early end was asked for."""
        return self._is("stop")

    def stop(self) -> None:
        """Ask for an early end; what was learnt so far is kept."""
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
        if self.running:
            processes.signal_group(self.record.pid, signal.SIGTERM)
        threading.Thread(target=self._end, args=(grace_seconds,), daemon=True).start()

    def _end(self, grace_seconds: float) -> None:
        if not self._ended_within(grace_seconds):
            processes.signal_group(self.record.pid, _KILL)
            if not self._ended_within(grace_seconds):
                logger.warning("the training %s does not end", self.folder.name)
                return
        for out in self.record.outs.values():
            shutil.rmtree(out, ignore_errors=True)
        self.put_away()

    def _ended_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self.running and time.monotonic() < end:
            time.sleep(0.05)
        return not self.running

    # What becomes of what was learnt ---------------------------------------------------------

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
        LearningError
            Where it is in use, or the disk refuses.
        """
        out = self.record.outs[task]
        if locate(str(out)) in map(locate, references_in_use()):
            raise LearningError(f"{out.name}: is in use; choose another model first")
        hidden = out.with_name(f".deleted-{out.name}")  # so that half a model is never listed
        try:
            out.rename(hidden)
            shutil.rmtree(hidden)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise LearningError(
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


def jobs_folder() -> Path:
    """Folder of the trainings of this machine."""
    return paths.home().absolute() / "learning"


def _unread() -> list[LearningJob]:
    """Trainings whose outcome nobody looked at, the latest first."""
    jobs = []
    for path in jobs_folder().glob("*/job.json"):
        try:
            job = LearningJob(path.parent)
        except LearningError:
            logger.warning("the training %s is damaged and left alone", path.parent.name)
            continue
        if job.undecided:
            jobs.append(job)
    return sorted(jobs, key=lambda job: job.record.started, reverse=True)


def _free_name(request: LearningRequest) -> str:
    wished = f"{datetime.now():%Y%m%d-%H%M}-{request.preset}"
    name, number = wished, 1
    while (jobs_folder() / name).exists() or any(
        out.exists() for out in request.outs(models_folder() / name).values()
    ):
        number += 1
        name = f"{wished}-{number}"
    return name


def _refused(error: OSError) -> LearningError:
    return LearningError(
        f"{error.filename or 'the training'}: {error.strerror or error}; check the disk"
    )
