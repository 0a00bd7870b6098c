"""How the commands tell how far they are and how they ended: bars for people, lines for others."""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from fetal_iqa_training.progress import Bars, JsonLines, Report


@contextmanager
def reporting(json_progress: bool, task: str | None = None) -> Iterator[Report]:
    """Give the listener of a piece of work; lines name the task where it is given."""
    if json_progress:
        yield JsonLines(task=task)
        return
    bars = Bars()
    try:
        yield bars
    finally:
        bars.close()


def finish(
    out: Path, metrics: Mapping[str, Any], json_progress: bool, task: str | None = None
) -> None:
    """Say which model was made, and how well it does."""
    from fetal_iqa_models import model_hash

    if json_progress:
        line = JsonLines(task=task).line
        line(event="done", model=str(out), hash=model_hash(out), metrics=metrics)
    else:
        typer.echo(f"{out}: {json.dumps(metrics, indent=2)}")


def command_line() -> str:
    """Give the command that runs, for a model's card."""
    return shlex.join(["fetal-iqa-train", *sys.argv[1:]])
