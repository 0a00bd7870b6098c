"""How the commands report progress and their end: bars for people, JSON lines for programs."""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from pydantic import JsonValue

from fetal_iqa_models import ModelCard
from fetal_iqa_training.fitting.processes import rank
from fetal_iqa_training.progress import Bars, JsonLines, Report, silent
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.finetuning.events import DoneEvent
from napari_fetal_iqa.model_library.comparison import ModelComparison


@contextmanager
def reporting(json_progress: bool, task: str | None = None) -> Iterator[Report]:
    """Yield the listener of a piece of work; lines name the task where it is given.

    Of several processes of one training the first alone reports.
    """
    if rank():
        yield silent
        return
    if json_progress:
        yield JsonLines(task=task)
        return
    bars = Bars()
    try:
        yield bars
    finally:
        bars.close()


def finish(made: Mapping[Path, Mapping[str, Any]], json_progress: bool) -> None:
    """Report which models were made, and how well they do, as one JSON document on stdout.

    With JSON lines, each was reported by :func:`report_done` when it was made.
    """
    from fetal_iqa_models import model_hash

    found = [
        {"model": str(out), "hash": model_hash(out), "metrics": metrics}
        for out, metrics in made.items()
    ]
    if found and not json_progress:
        typer.echo(json.dumps(found[0] if len(found) == 1 else found, indent=2))


def report_done(out: Path, metrics: Mapping[str, Any], task: str | None = None) -> None:
    """Write the JSON line of a model that was made."""
    from fetal_iqa_models import model_hash

    done = DoneEvent(model=str(out), hash=model_hash(out), metrics=dict(metrics), task=task)
    JsonLines().write(done)


def warn_of_known_frames(judged_on: JsonValue) -> None:
    """Say on stderr what a model knew of the frames that it was judged or calibrated on."""
    if not isinstance(judged_on, dict):
        return
    shares = {"learnt_from": "taught it or an ancestor", "chosen_by": "chose its epoch"}
    for name, words in shares.items():
        share = judged_on.get(name)
        if isinstance(share, float) and share > 0:
            typer.echo(f"{share:.0%} of these frames {words} ({judged_on['what']})", err=True)
    if not judged_on.get("recorded", True):
        typer.echo(
            "what taught the model or an ancestor is not all in its card: it may know these frames",
            err=True,
        )


def warn_of_frames_that_teach(training: Mapping[str, JsonValue]) -> None:
    """Say on stderr how many frames of a fit's other parts taught it, under whatever name."""
    from fetal_iqa_training.fitting.taught_too import TAUGHT_TOO

    found = training.get(TAUGHT_TOO)
    for part, count in found.items() if isinstance(found, dict) else ():
        if isinstance(count, int) and count:
            typer.echo(
                f"{counted(count, 'frame')} of the {part} part taught the model, too: cases of "
                "several subjects hold the same frames",
                err=True,
            )


def tell_of_stop(training: Mapping[str, JsonValue]) -> None:
    """Say on stderr where a fit was ended early, and what it has left."""
    from fetal_iqa_training.fitting.stopping import STOPPED

    stopped = training.get(STOPPED)
    if isinstance(stopped, dict):
        typer.echo(
            f"stopped after {stopped['steps']} of {stopped['of']} steps: the model is that of the "
            "best epoch so far",
            err=True,
        )


def tell_of_folders(card: ModelCard, reference: Path | None, rehearse: Path | None) -> None:
    """Say on stderr how much of the folders that somebody gave a fine-tuning has used."""
    part = "of those with an abdomen all, of the others as many, evenly over each sweep"
    if rehearse is not None:
        count = card.training.get("rehearsed")
        typer.echo(f"{rehearse}: {count} frames and copies rehearsed; {part}", err=True)
    judged = ModelComparison.model_validate(card.metrics).child
    if reference is None or judged is None or judged.reference is None:
        return
    frames, positives = (judged.reference.get(name) for name in ("frames", "positives"))
    without = card.training.get("reference_without")
    left_out = (
        f"; {without} of its cases left out: they teach, or taught the base" if without else ""
    )
    typer.echo(
        f"{reference}: {frames} frames judge, {positives} with an abdomen; {part}{left_out}",
        err=True,
    )


def command_line() -> str:
    """Return the command that runs, for a model's card: without places and people.

    Models are passed on, and a folder may be called after a patient. What is a path, or names a
    reviewer, is written as its option in capitals.
    """
    words = ["fetal-iqa-train"]
    option = ""
    for word in sys.argv[1:]:
        if word.startswith("-"):
            option, equals, value = word.partition("=")
            words.append(option + equals + _shown(option, value))
        else:
            words.append(_shown(option, word))
    return shlex.join(words)


def _shown(option: str, value: str) -> str:
    a_place = "/" in value or "\\" in value or os.path.exists(value)
    private = a_place or (option == "--reviewer" and value)
    return (option.strip("-").upper() or "PATH") if private else value
