"""Between the rows of a store's tables and what they mean."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_fetal_iqa.corrections.events import Event, EventKind
from napari_fetal_iqa.labels import Label

EVENT_COLUMNS = (
    "sweep, reviewer, kind, action, frame, label, mask, accepted, answers, uid, time, tool"
)
SWEEP_COLUMNS = "identity, frames, height, width, row_mm, column_mm, bounds"

_LONGEST_AXIS = 1 << 20


@dataclass(frozen=True)
class SweepRecord:
    """What a store knows of a sweep: technical facts, no name, no path, no patient.

    Parameters
    ----------
    identity : str
        Content identity.
    shape : (T, H, W)
    spacing_mm : (float, float) or None
        Millimetres per pixel along rows and columns.
    bounds : tuple of (start, stop)
        Half-open frame range of each sweep.
    """

    identity: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float] | None
    bounds: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Bookmark:
    """Where the review of one sweep by one reviewer stands.

    Parameters
    ----------
    frame : int, optional
        The frame that was looked at last.
    thresholds : (float, float), optional
        Of quality and of area, where the reviewer chose other ones than the models'.
    """

    frame: int | None = None
    thresholds: tuple[float, float] | None = None


def row_of_sweep(record: SweepRecord) -> tuple[object, ...]:
    """Return the row of a sweep, in the order of :data:`SWEEP_COLUMNS`."""
    row_mm, column_mm = record.spacing_mm or (None, None)
    return (record.identity, *record.shape, row_mm, column_mm, json.dumps(record.bounds))


def sweep_of_row(row: Sequence[Any]) -> SweepRecord:
    """Read a row of :data:`SWEEP_COLUMNS`.

    Raises
    ------
    ValueError, TypeError
        Where the row is none that a store writes.
    """
    identity, frames, height, width, row_mm, column_mm, bounds = row
    shape = int(frames), int(height), int(width)
    if min(shape) < 1 or max(shape) > _LONGEST_AXIS:
        raise ValueError(f"no sweep has a shape of {shape}")
    return SweepRecord(
        identity=identity,
        shape=shape,
        spacing_mm=None if row_mm is None else (float(row_mm), float(column_mm)),
        bounds=tuple((int(start), int(stop)) for start, stop in json.loads(bounds)),
    )


def row_of_event(event: Event) -> tuple[object, ...]:
    """Return the row of an event, in the order of :data:`EVENT_COLUMNS`."""
    return (
        event.sweep,
        event.reviewer,
        event.kind.value,
        event.action,
        event.frame,
        None if event.label is None else int(event.label),
        event.mask,
        int(event.accepted),
        event.answers,
        event.uid,
        event.time,
        event.tool,
    )


def event_of_row(row: Sequence[Any]) -> Event:
    """Read a row of :data:`EVENT_COLUMNS`.

    Raises
    ------
    ValueError, TypeError
        Where the row is none that a store writes.
    """
    sweep, reviewer, kind, action, frame, label, mask, accepted, answers, uid, time, tool = row
    if not all(isinstance(text, str) for text in (sweep, reviewer, action, uid, time, tool)):
        raise TypeError("expected text, found something else")
    return Event(
        sweep=sweep,
        reviewer=reviewer,
        kind=EventKind(kind),
        action=action,
        frame=int(frame),
        label=None if label is None else Label(label),
        mask=None if mask is None else memoryview(mask).tobytes(),
        accepted=bool(accepted),
        answers=answers,
        uid=uid,
        time=time,
        tool=tool,
    )
