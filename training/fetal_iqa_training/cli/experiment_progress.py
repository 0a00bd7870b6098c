"""What an experiment says while it runs: row and run, for people or as JSON lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import typer

from fetal_iqa_training.experiments.tables.runner import Place
from fetal_iqa_training.progress import Bars, JsonLines, Progress, Report
from napari_fetal_iqa.finetuning.events import fields_of


class Teller:
    """Says on which row and run an experiment is, and how far.

    Parameters
    ----------
    json_progress : bool
        JSON lines on standard output instead of lines and bars on standard error. A line of
        progress has ``row``, ``number``, ``rows``, ``run`` and ``runs`` too; further events are
        ``run`` when one begins, ``failed`` with ``row`` and ``message``, and ``done`` with
        ``files``.
    """

    def __init__(self, json_progress: bool) -> None:
        self._lines = JsonLines() if json_progress else None
        self._bars = Bars()

    def listen(self, place: Place) -> Report:
        """Say that a run begins; return who hears how far it is."""
        if self._lines is None:
            self._bars.close()
            typer.echo(str(place), err=True)
            return self._bars
        where = asdict(place)
        write = self._lines.line
        write(event="run", **where)

        def tell(progress: Progress) -> None:
            write(**fields_of(progress), **where)

        return tell

    @property
    def report(self) -> Report:
        """Who hears of work beside the runs."""
        return self._lines or self._bars

    def failed(self, row: str, message: str) -> None:
        """Name a row that could not be finished."""
        self._bars.close()
        if self._lines is not None:
            self._lines.line(event="failed", row=row, message=message)
        typer.echo(f"{row}: {message}", err=True)

    def done(self, files: list[str]) -> None:
        """Say what was written."""
        if self._lines is not None:
            self._lines.line(event="done", files=files)
        else:
            typer.echo("\n".join(files))

    def close(self) -> None:
        """Leave the last bar as it is."""
        self._bars.close()


@contextmanager
def telling(json_progress: bool) -> Iterator[Teller]:
    """Return a teller; its bars end with the work."""
    teller = Teller(json_progress)
    try:
        yield teller
    finally:
        teller.close()
