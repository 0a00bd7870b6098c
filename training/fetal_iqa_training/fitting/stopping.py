"""Ending a training in good order before its end: by a file, or by Ctrl-C."""

import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import lightning
from lightning.pytorch.callbacks import Callback
from pydantic import JsonValue

from fetal_iqa_training.fitting.processes import rank, under_torchrun

logger = logging.getLogger(__name__)


STOPPED = "stopped"
"""Its place in a card's ``training``."""


class Stopped(NamedTuple):
    """When a training was ended by somebody: after how many of its steps."""

    steps: int
    of: int

    def as_json(self) -> dict[str, JsonValue]:
        """Return it for a card."""
        return {"steps": self.steps, "of": self.of}


class Interrupts:
    """Whether Ctrl-C was pressed; the second one is Python's own again."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen; a process that was started without Ctrl-C stays without."""
        before = signal.getsignal(signal.SIGINT)
        alone = threading.current_thread() is threading.main_thread() and not under_torchrun()
        if before is signal.SIG_IGN or not alone:
            yield
            return

        def hear(number: int, frame: FrameType | None) -> None:
            self.asked = True
            signal.signal(signal.SIGINT, before)
            if rank() == 0:
                logger.warning(
                    "ending after this step, with the best epoch so far; "
                    "Ctrl-C again ends at once and keeps what the same command goes on with"
                )

        signal.signal(signal.SIGINT, hear)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGINT) is hear:
                signal.signal(signal.SIGINT, before)


class Stopping(Callback):
    """End after a step once it was asked for; Lightning then validates what there is.

    Parameters
    ----------
    file : Path, optional
        It is asked for once this file is there.
    interrupts : Interrupts
    checkpoints : sequence of Path
        Those that a training goes on with. What is validated after a stop is a part of an epoch,
        which the loop cannot go on with in the middle: these are put aside before it.

    Attributes
    ----------
    stopped : Stopped or None
        Whether it ended so, before its last step.
    """

    def __init__(
        self, file: Path | None, interrupts: Interrupts, checkpoints: Sequence[Path]
    ) -> None:
        self._file = file
        self._interrupts = interrupts
        self._whole = {path: path.with_suffix(".whole") for path in checkpoints}
        self.stopped: Stopped | None = None

    def on_train_batch_end(
        self, trainer: lightning.Trainer, learner: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        """Ask all processes: one that was asked ends all."""
        asked = self._interrupts.asked or (self._file is not None and self._file.exists())
        if trainer.strategy.reduce_boolean_decision(asked, all=False):
            if not trainer.should_stop and trainer.is_global_zero:
                for path, aside in self._whole.items():
                    _moved(path, aside)
            trainer.should_stop = True
            done, total = trainer.global_step, int(trainer.estimated_stepping_batches)
            self.stopped = Stopped(done, total) if done < total else None

    def where(self, checkpoint: Path) -> Path:
        """Return where a checkpoint lies now: it was put aside, and no better one was made."""
        return checkpoint if checkpoint.exists() else self._whole[checkpoint]

    def put_back(self) -> None:
        """Leave the checkpoints of whole epochs alone, for the same training to go on with."""
        if self.stopped is not None:
            for path, aside in self._whole.items():
                path.unlink(missing_ok=True)
                _moved(aside, path)


def _moved(path: Path, to: Path) -> None:
    if path.exists():
        path.replace(to)


def leave_interrupts(worker: int) -> None:
    """Let a loader's worker live on where Ctrl-C ends the training in good order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
