"""The progress of an experiment, row by row and run by run: for people or as JSON lines."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import typer

from fetal_iqa_training.cli.experiment_devices import is_one_of_several
from fetal_iqa_training.experiments.tables.runner import RunPosition
from fetal_iqa_training.progress import Bars, JsonLines, Progress, Report
from napari_fetal_iqa.finetuning.events import fields_of


class ExperimentProgress:
    """Reports which row and run an experiment has reached, and how far that run is.

    Parameters
    ----------
    json_progress : bool
        JSON lines on standard output instead of lines and bars on standard error. A line of
        progress has ``row``, ``number``, ``rows``, ``run`` and ``runs`` too; further events are
        ``run`` when one begins, ``failed`` with ``row`` and ``message``, and ``done`` with
        ``files``.
    json_out : bool
        At the end one JSON document on standard output: ``files``, ``failed`` (why, by row) and
        ``notes``. Of several processes of ``--devices`` the first alone writes it.
    """

    def __init__(self, json_progress: bool, json_out: bool = False) -> None:
        self._lines = JsonLines() if json_progress else None
        self._json_out = json_out
        self._failed: dict[str, str] = {}
        self._notes: list[str] = []
        self._bars = Bars()

    def begin_run(self, position: RunPosition) -> Report:
        """Report that a run begins; return the listener of its progress."""
        if self._lines is None:
            self._bars.close()
            typer.echo(str(position), err=True)
            return self._bars
        where = asdict(position)
        write = self._lines.line
        write(event="run", **where)

        def report(progress: Progress) -> None:
            write(**fields_of(progress), **where)

        return report

    def begin_named(self, encoder: str, setting: str, fold: int) -> Report:
        """Report that a fold of planes begins; return the listener of its progress."""
        if self._lines is None:
            self._bars.close()
            typer.echo(f"{encoder}, {setting}: fold {fold}", err=True)
            return self._bars
        where = {"encoder": encoder, "setting": setting, "fold": fold}
        write = self._lines.line
        write(event="run", **where)

        def report(progress: Progress) -> None:
            write(**fields_of(progress), **where)

        return report

    @property
    def report(self) -> Report:
        """The listener of work beside the runs."""
        return self._lines or self._bars

    def failed(self, row: str, message: str) -> None:
        """Name a row that could not be finished."""
        self._failed[row] = message
        self._bars.close()
        if self._lines is not None:
            self._lines.line(event="failed", row=row, message=message)
        typer.echo(f"{row}: {message}", err=True)

    def note(self, message: str) -> None:
        """Say something that is no failure."""
        self._notes.append(message)
        self._bars.close()
        if self._lines is not None:
            self._lines.line(event="note", message=message)
        typer.echo(message, err=True)

    def done(self, files: list[str]) -> None:
        """Report which files were written."""
        if is_one_of_several():
            return
        if self._json_out:
            found = {"files": files, "failed": self._failed, "notes": self._notes}
            typer.echo(json.dumps(found, indent=2))
        elif self._lines is not None:
            self._lines.line(event="done", files=files)
        else:
            typer.echo("\n".join(files))

    def close(self) -> None:
        """Leave the last bar as it is."""
        self._bars.close()


@contextmanager
def experiment_progress(
    json_progress: bool, json_out: bool = False
) -> Iterator[ExperimentProgress]:
    """Yield the progress of one experiment; its bars end with the work.

    Raises
    ------
    typer.BadParameter
        Where one document and lines are asked for at once.
    """
    if json_progress and json_out:
        raise typer.BadParameter("give --json or --json-progress", param_hint="--json")
    progress = ExperimentProgress(json_progress, json_out)
    try:
        yield progress
    finally:
        progress.close()
