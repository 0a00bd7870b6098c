"""What came of a training that ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_fetal_iqa.finetuning.events import DoneEvent, ErrorEvent, Event


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Parameters
    ----------
    done : tuple of DoneEvent
        Of each task that has a new model.
    error : str or None
        One sentence on what went wrong.
    cancelled : bool
        Nothing was to be kept.
    """

    done: tuple[DoneEvent, ...] = ()
    error: str | None = None
    cancelled: bool = False


def outcome_of(
    events: Sequence[Event], tasks: Sequence[str], stopped_early: bool, errors: Path
) -> Outcome:
    """Work out what came of a training from the events that it ended with.

    Parameters
    ----------
    events : sequence of Event
        Those of its models and of what went wrong, at least.
    tasks : sequence of str
        What was to be trained.
    stopped_early : bool
        Then the tasks that were not begun are not missed.
    errors : Path
        The trainer's standard error, whose last line explains a sudden death.
    """
    done: dict[str, DoneEvent] = {}
    error = None
    for event in events:
        if isinstance(event, ErrorEvent):
            error = event.message
        elif isinstance(event, DoneEvent) and event.task is not None and event.task in tasks:
            done[event.task] = event
    if error is None and len(done) < len(tasks) and not (done and stopped_early):
        error = _sudden_end(errors)
    return Outcome(tuple(done.values()), error)


def _sudden_end(errors: Path) -> str:
    try:
        output = errors.read_text(encoding="utf-8", errors="replace")
    except OSError:
        output = ""
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
    words = f"; its last words: {last[:200]}" if last else ""
    return (
        "The training ended without a result, perhaps for want of memory; close other "
        f"programs and start it again{words}"
    )
