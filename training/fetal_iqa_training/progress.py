"""How far a training is: one protocol, for the terminal, the window and the tests."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TextIO

from tqdm import tqdm

from napari_fetal_iqa.finetuning.events import Event, Progress, line_of

__all__ = ["Bars", "JsonLines", "Progress", "Report", "silent"]

Report = Callable[[Progress], None]
"""Whoever wants to know; called in the training process, often, so it must be quick."""


def silent(progress: Progress) -> None:
    """Report to nobody."""


class JsonLines:
    """Write each event as one JSON line, for other programs.

    The events of a fit and of a fine-tuning are those of
    :mod:`napari_fetal_iqa.finetuning.events`; other commands end with a ``done`` of their own.

    Parameters
    ----------
    stream : text stream, optional
        Standard output by default.
    task : str, optional
        Named in every line of progress.
    """

    def __init__(self, stream: TextIO | None = None, task: str | None = None) -> None:
        self._stream = stream or sys.stdout
        self._task = task

    def __call__(self, progress: Progress) -> None:
        """Write how far the work is."""
        self.write(replace(progress, task=self._task))

    def write(self, event: Event) -> None:
        """Write one event at once, whatever reads it."""
        self._write(line_of(event))

    def line(self, **fields: object) -> None:
        """Write an event of another command than fit and finetune."""
        self._write(json.dumps(fields))

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
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
                numbers = {"validation": progress.loss, **progress.metrics}
                self._bar.set_postfix({k: v for k, v in numbers.items() if v is not None})
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
