"""How far a training is: one kind of event, for the terminal, the window and the tests."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TextIO

from tqdm import tqdm


@dataclass(frozen=True)
class Progress:
    """One thing that happened.

    Parameters
    ----------
    event : str
        ``"writing"`` of phantoms, ``"reading"`` while frames are read, ``"step"`` after a
        training step, ``"validation"`` after a pass over the validation frames,
        ``"encoding"`` while a frozen encoder sees the frames,
        ``"evaluating"`` while a model is judged.
    done, total : int
        Of sweeps while reading or evaluating, of frames while encoding, else of training
        steps; total is 0 where it is not known.
    loss : float, optional
        Of a step, or the mean over the validation frames.
    metrics : dict
        Of a validation, by name.
    """

    event: str
    done: int
    total: int = 0
    loss: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)


Report = Callable[[Progress], None]
"""Whoever wants to know; called in the training process, often, so it must be quick."""


def silent(progress: Progress) -> None:
    """Tell nobody."""


class JsonLines:
    """Write each event as one JSON line, for other programs.

    Lines are ``{"event": "reading" | "encoding" | "step" | "validation" | "evaluating",
    "done", "total", "loss", "metrics"}``, before a fine-tuning ``{"event": "summary", ...}`` of
    what there is to learn from, and from the commands one last ``{"event": "done", "model",
    "hash", "metrics"}`` or ``{"event": "error", "message"}``.

    Parameters
    ----------
    stream : text stream, optional
        Standard output by default.
    task : str, optional
        Named in every line.
    """

    def __init__(self, stream: TextIO | None = None, task: str | None = None) -> None:
        self._stream = stream or sys.stdout
        self._task = {} if task is None else {"task": task}

    def __call__(self, progress: Progress) -> None:
        """Write one event."""
        self.line(**asdict(progress))

    def line(self, **fields: object) -> None:
        """Write one line at once, whatever reads it."""
        self._stream.write(json.dumps(fields | self._task) + "\n")
        self._stream.flush()


class Bars:
    """Draw a bar for each phase, for people.

    Parameters
    ----------
    stream : text stream, optional
        Standard error by default; nothing is drawn where it is no terminal.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._phase = ""
        self._bar: tqdm | None = None

    def __call__(self, progress: Progress) -> None:
        """Move the bar of the event's phase; a new phase gets a new bar."""
        if not self._stream.isatty():
            return
        if progress.event == "validation":
            if self._bar is not None:
                figures = {"validation": progress.loss, **progress.metrics}
                self._bar.set_postfix({k: v for k, v in figures.items() if v is not None})
            return
        if progress.event != self._phase or self._bar is None or progress.done < self._bar.n:
            self.close()
            self._phase = progress.event
            words = {
                "writing": "Writing",
                "reading": "Reading",
                "encoding": "Encoding",
                "step": "Learning",
                "evaluating": "Judging",
            }
            self._bar = tqdm(
                desc=words.get(progress.event, progress.event),
                total=progress.total or None,
                file=self._stream,
            )
        self._bar.update(progress.done - self._bar.n)

    def close(self) -> None:
        """Leave the last bar as it is and start a new line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
