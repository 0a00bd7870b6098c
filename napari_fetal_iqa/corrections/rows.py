"""Between the rows of a store's tables and what they mean."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_fetal_iqa.corrections.events import Event, now
from napari_fetal_iqa.corrections.subjects import SweepSubject
from napari_fetal_iqa.growth.dating import Dating

EVENT_COLUMNS = (
    "sweep, reviewer, kind, action, frame, label, mask, accepted, answers, uid, time, tool"
)
SWEEP_COLUMNS = "identity, frames, height, width, row_mm, column_mm, bounds"

_LONGEST_BOUNDS = 1 << 20
"""Characters: more sweeps than anyone makes, and read in a blink."""


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


@dataclass(frozen=True)
class FullReview:
    """That a reviewer looked at every frame of a sweep, or does not say so any more.

    Parameters
    ----------
    sweep : str
        Content identity.
    reviewer : str
    reviewed : bool
    time : str
        When it was said, UTC.
    """

    sweep: str
    reviewer: str
    reviewed: bool = True
    time: str = field(default_factory=now)


@dataclass
class Unwritten:
    """What was said and is not in the file yet.

    Parameters
    ----------
    events : list of Event
        In the order in which they were said.
    sweeps : list of SweepRecord
        Likewise; they are written before all that speaks of them.
    reviews : dict of FullReview by (sweep, reviewer)
        The last word of each reviewer on each sweep.
    bookmarks : dict of Bookmark by (sweep, reviewer)
        Likewise.
    subjects : dict of SweepSubject or None by sweep
        Whose sweep it is, by the last word; None where it is not known any more.
    ages : dict of Dating or None by sweep
        Likewise, how far the pregnancy was.
    """

    events: list[Event] = field(default_factory=list)
    sweeps: list[SweepRecord] = field(default_factory=list)
    reviews: dict[tuple[str, str], FullReview] = field(default_factory=dict)
    bookmarks: dict[tuple[str, str], Bookmark] = field(default_factory=dict)
    subjects: dict[str, SweepSubject | None] = field(default_factory=dict)
    ages: dict[str, Dating | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        said = self.events, self.sweeps, self.reviews, self.bookmarks, self.subjects, self.ages
        return any(map(bool, said))

    def add(self, more: "Unwritten") -> None:
        """Let more wait; where a bookmark or a full review waits already, the newer counts."""
        self.events += more.events
        self.sweeps += more.sweeps
        self.reviews |= more.reviews
        self.bookmarks |= more.bookmarks
        self.subjects |= more.subjects
        self.ages |= more.ages


def row_of_sweep(record: SweepRecord) -> tuple[object, ...]:
    """Return the row of a sweep, in the order of :data:`SWEEP_COLUMNS`."""
    row_mm, column_mm = record.spacing_mm or (None, None)
    return (record.identity, *record.shape, row_mm, column_mm, json.dumps(record.bounds))


def sweep_of_row(row: Sequence[Any]) -> SweepRecord:
    """Read a row of :data:`SWEEP_COLUMNS`; whether it makes sense is another question.

    Raises
    ------
    ValueError, TypeError
        Where the row is none that a store writes.
    """
    identity, frames, height, width, row_mm, column_mm, bounds = row
    if (row_mm is None) != (column_mm is None):
        raise ValueError("only one half of the spacing is there")
    return SweepRecord(
        identity=identity,
        shape=(frames, height, width),
        spacing_mm=None if row_mm is None else (row_mm, column_mm),
        bounds=_bounds_of_text(bounds),
    )


def _bounds_of_text(text: object) -> tuple[tuple[int, int], ...]:
    if not isinstance(text, str) or len(text) > _LONGEST_BOUNDS:
        raise ValueError("the bounds are no text, or an endless one")
    try:
        return tuple((start, stop) for start, stop in json.loads(text))
    except (ValueError, TypeError, RecursionError):
        raise ValueError("the bounds are no list of pairs") from None


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
    """Read a row of :data:`EVENT_COLUMNS`; whether it makes sense is another question."""
    sweep, reviewer, kind, action, frame, label, mask, accepted, answers, uid, time, tool = row
    return Event(
        sweep=sweep,
        reviewer=reviewer,
        kind=kind,
        action=action,
        frame=frame,
        label=label,
        mask=mask,
        accepted=accepted,
        answers=answers,
        uid=uid,
        time=time,
        tool=tool,
    )


def row_of_bookmark(bookmark: Bookmark) -> tuple[object, ...]:
    """Return the row of a bookmark: frame, threshold of quality and of area."""
    return (bookmark.frame, *(bookmark.thresholds or (None, None)))


def bookmark_of_row(row: Sequence[Any]) -> Bookmark:
    """Read what :func:`row_of_bookmark` gave; whether it makes sense is another question."""
    frame, quality, area = row
    return Bookmark(frame, None if quality is None and area is None else (quality, area))
