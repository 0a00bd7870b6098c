"""The one door into a store: what an event, a sweep and a bookmark must be, whoever brings them.

Every writer (a call, a merge, a rescue, a migration) goes through it, so nothing is written that
cannot be read; and every reader, which passes over what an earlier version let in.
"""

import math
import operator
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.corrections.events import MET, NOT_MET, Event, EventKind
from napari_fetal_iqa.corrections.rows import Bookmark, SweepRecord
from napari_fetal_iqa.corrections.subjects import KEY_PATTERN, SALT_PATTERN, SweepSubject
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.foreign_text import is_shown
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperMeasure
from napari_fetal_iqa.geometry.mask_codec import check_code, encode_mask
from napari_fetal_iqa.growth.dating import BASES, LONGEST, Dating
from napari_fetal_iqa.labels import Label

CLOCK_SKEW = timedelta(days=1)
"""How far ahead of this machine's clock an event may be: a clock that shows local time as UTC is
up to 14 hours off."""

LONGEST_REVIEWER = 200
"""Characters; a name, not a letter."""

_LONGEST = {"sweep": 128, "reviewer": LONGEST_REVIEWER, "uid": 128, "action": 128}
"""Characters: identities and unique names have 64 and 32."""

_LONGEST_REMARK = 1000
"""Characters of what may be empty: the tool's version; two models, by id and hash."""

_LONGEST_AXIS = 1 << 20
_MOST_PIXELS = 1 << 24
"""Of a frame, as the readers of sweeps have it: a mask then takes 2 MB packed, 16 MB on screen."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00", re.ASCII)
"""As events are timed: the order of such texts is that of the times."""


_IDENTITY = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z_.-]{0,63}", re.ASCII)
"""A hash of 64 hexadecimal digits, or a shorter name: files may be named after it."""


def quoted(value: object) -> str:
    """Return a value as a message may have it: short, and without characters that steer."""
    text = ascii(value[:24] if isinstance(value, str | bytes) else value)
    return text if len(text) <= 64 else f"{text[:60]}..."


_WRITTEN = datetime(2026, 11, 1, tzinfo=UTC)
"""When this was written: a clock that shows less has lost its battery, and judges nobody."""


def last_time_to_believe() -> str:
    """Return the time after which no event can have been made, UTC, as events have it."""
    now = datetime.now(UTC)
    last = now + CLOCK_SKEW if now > _WRITTEN else datetime.max.replace(tzinfo=UTC)
    return last.isoformat(timespec="microseconds")


def check_text(value: object, what: str) -> None:
    """Raise ValueError where a value is no text."""
    if not isinstance(value, str):
        raise ValueError(f"expected text as {what}, found {type(value).__name__}")


def sound_text(value: object, what: str, longest: int) -> str:
    """Return a text that is there, not too long, and without control characters.

    Raises
    ------
    ValueError
    """
    check_text(value, what)
    assert isinstance(value, str)
    if not 0 < len(value) <= longest:
        raise ValueError(f"expected 1 to {longest} characters as {what}, found {len(value)}")
    if value.isspace():
        raise ValueError(f"expected more than blanks as {what}")
    if not (value.isascii() and value.isprintable()) and not all(map(is_shown, value)):
        raise ValueError(f"expected {what} without control characters")
    return str(value)


def sound_reviewer(name: object) -> str:
    """Return a reviewer's name that events may have; ValueError where it is none."""
    return sound_text(name, "reviewer", LONGEST_REVIEWER)


def sound_subject(subject: SweepSubject) -> SweepSubject:
    """Return whose sweep it is; ValueError where the key or its salt is no hash."""
    for value, pattern in ((subject.key, KEY_PATTERN), (subject.salt, SALT_PATTERN)):
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(f"expected a salted hash as subject, found {quoted(value)}")
    return subject


def sound_index(value: object, what: str) -> int:
    """Return a whole number as Python has it, be it numpy's.

    Raises
    ------
    ValueError
    """
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"expected a whole number as {what}, found {quoted(value)}") from None


def sound_frame(value: object, record: SweepRecord) -> int:
    """Return the number of a frame that a sweep has; ValueError where it has none of it."""
    frame, frames = sound_index(value, "frame"), record.shape[0]
    if not 0 <= frame < frames:
        raise ValueError(f"{_place(record, frame)}: the sweep has frames 0 to {frames - 1}")
    return frame


def sound_label(value: object) -> Label:
    """Return a label, be it given as a number of numpy's; ValueError where it is none."""
    number = sound_index(value, "label")
    if number not in list(Label):
        raise ValueError(f"expected a label of 0, 1 or 2, found {quoted(number)}")
    return Label(number)


def packed_mask(mask: NDArray[np.bool_], record: SweepRecord) -> bytes:
    """Pack a mask of a sweep's own size.

    Raises
    ------
    ValueError
        Where it has another size: packed, a mask of 24 x 32 looks like one of 32 x 24.
    """
    given = np.asarray(mask)
    if given.shape != record.shape[1:] or given.dtype.kind not in "biuf":
        rows, columns = record.shape[1:]
        raise ValueError(
            f"sweep {record.identity[:8]}: expected a mask of {rows} x {columns} pixels, found "
            f"{' x '.join(map(str, given.shape)) or 'one value'} of {given.dtype}"
        )
    if given.dtype.kind == "f" and not np.isin(given, (0, 1)).all():
        raise ValueError(
            f"sweep {record.identity[:8]}: expected a mask of 0 and 1, found other numbers; say "
            "from which probability on a pixel is inside"
        )
    return encode_mask(given)


def sound_event(event: Event, record: SweepRecord | None, not_after: str = "") -> Event:
    """Return an event as a store may hold it, its numbers as Python has them.

    Parameters
    ----------
    event : Event
    record : SweepRecord or None
        What the store knows of its sweep.
    not_after : str
        The last time to believe; by default a day from now.

    Raises
    ------
    ValueError
        Names what is wrong.
    """
    return event_of_its_sweep(readable_event(event), record, not_after)


def readable_event(event: Event) -> Event:
    """Return an event whose values are of the right kinds; ValueError names the one that is not."""
    for name, longest in _LONGEST.items():
        sound_text(getattr(event, name), name, longest)
    if event.tool != "":
        sound_text(event.tool, "tool", _LONGEST_REMARK)
    if event.answers not in (None, ""):
        sound_text(event.answers, "answers", _LONGEST_REMARK)
    if event.kind not in list(EventKind):
        raise ValueError(f"expected {', '.join(EventKind)} as kind, found {quoted(event.kind)}")
    kind = EventKind(event.kind)
    if event.accepted not in (False, True):
        raise ValueError(f"expected accepted as 0 or 1, found {quoted(event.accepted)}")
    if (event.label is not None and kind is not EventKind.LABEL) or (
        event.mask is not None and kind is not EventKind.MASK
    ):
        raise ValueError(f"expected no label or mask of this kind in an event of {kind.value}")
    _check_caliper(event, kind)
    _check_remark(event, kind)
    if event.mask is not None and not isinstance(event.mask, bytes):
        raise ValueError(f"expected a packed mask, found {type(event.mask).__name__}")
    return replace(
        event,
        kind=kind,
        frame=sound_index(event.frame, "frame"),
        label=None if event.label is None else sound_label(event.label),
        accepted=bool(event.accepted),
    )


def _check_caliper(event: Event, kind: EventKind) -> None:
    if kind is not EventKind.CALIPER:
        if (event.mark and kind not in _REMARKS) or event.caliper is not None:
            raise ValueError(f"expected no caliper in an event of {kind.value}")
        return
    sound_text(event.mark, "name of a caliper", _LONGEST["uid"])
    if event.answers is not None or event.accepted:
        raise ValueError("expected a caliper that answers no model")
    if event.caliper is not None and not isinstance(event.caliper, Caliper):
        raise ValueError(f"expected a caliper, found {type(event.caliper).__name__}")


_REMARKS = {
    EventKind.CRITERION: (MET, NOT_MET),
    EventKind.NAMING: tuple(measure.value for measure in CaliperMeasure),
}
"""Kinds that say a word on something, and which they may say."""


def _check_remark(event: Event, kind: EventKind) -> None:
    words = _REMARKS.get(kind)
    if words is None:
        if event.word is not None:
            raise ValueError(f"expected no word in an event of {kind.value}")
        return
    if event.answers is not None or event.accepted:
        raise ValueError(f"expected a {kind.value} that answers no model")
    if kind is EventKind.CRITERION and event.mark not in list(Criterion):
        raise ValueError(f"expected one of the six criteria, found {quoted(event.mark)}")
    sound_text(event.mark, "name of a caliper", _LONGEST["uid"])
    if event.word is not None and event.word not in words:
        raise ValueError(f"expected {' or '.join(words)}, found {quoted(event.word)}")


def sound_dating(dating: Dating) -> Dating:
    """Return an age by dates; ValueError where it is none that a pregnancy has."""
    if dating.basis not in BASES:
        raise ValueError(f"expected an age by {', '.join(BASES)}, found {quoted(dating.basis)}")
    days = sound_index(dating.days, "days of an age")
    if not 0 <= days <= LONGEST.days:
        raise ValueError(f"expected an age of 0 to {LONGEST.days} days, found {quoted(days)}")
    return Dating(dating.basis, days)


def event_of_its_sweep(event: Event, record: SweepRecord | None, not_after: str = "") -> Event:
    """Return a readable event that makes sense for its sweep; ValueError says why it does not."""
    check_time(event.time, not_after or last_time_to_believe())
    if record is None:
        raise ValueError(
            f"speaks of sweep {quoted(event.sweep[:8])[1:-1]}, which the store does not know"
        )
    if event.kind in (EventKind.UNDO, EventKind.REDO):
        if event.frame != -1:
            raise ValueError(f"expected no frame of an {event.kind}, found {quoted(event.frame)}")
        return event
    sound_frame(event.frame, record)
    if event.caliper is not None:
        _check_points(event.caliper, record, event.frame)
    if event.mask is not None:
        try:
            check_code(event.mask, record.shape[1:])
        except ValueError as error:
            raise ValueError(f"{_place(record, event.frame)}: {error}") from None
    return event


def _check_points(caliper: Caliper, record: SweepRecord, frame: int) -> None:
    """Let an ellipse reach beyond the frame, as abdomens do, but not out of all measure."""
    sides = record.shape[1:]
    for point in caliper.points_px:
        if any(not -side <= at <= 2 * side for at, side in zip(point, sides, strict=True)):
            raise ValueError(
                f"{_place(record, frame)}: expected a caliper on or near a frame of "
                f"{sides[0]} x {sides[1]} pixels, found {quoted(point)}"
            )


def _place(record: SweepRecord, frame: int) -> str:
    return f"sweep {record.identity[:8]}, frame {quoted(frame)}"


def check_time(value: object, not_after: str) -> None:
    """Raise ValueError where a time is none as events have it, or lies in the future."""
    time = value if isinstance(value, str) else ""
    try:
        sound = bool(_TIME.fullmatch(time))
        sound = sound and bool(datetime.fromisoformat(time))
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(f"expected a time in UTC, found {quoted(value)}")
    if time > not_after:
        raise ValueError(
            f"expected a time at most {CLOCK_SKEW.days} day ahead of this machine's clock, found "
            f"{time[:10]}; one of two clocks is wrong"
        )


def sound_sweep(record: SweepRecord) -> SweepRecord:
    """Return what is known of a sweep as a store may hold it, numbers as Python has them.

    Raises
    ------
    ValueError
        Names what is wrong.
    """
    identity = sound_text(record.identity, "identity of a sweep", _LONGEST["sweep"])
    if not _IDENTITY.fullmatch(identity):
        raise ValueError("expected letters, digits, '-', '_' and '.' as identity of a sweep")
    frames, rows, columns = (sound_index(length, "shape of a sweep") for length in record.shape)
    shape = frames, rows, columns
    if min(shape) < 1 or max(shape) > _LONGEST_AXIS or rows * columns > _MOST_PIXELS:
        raise ValueError(f"no sweep has a shape of {quoted(shape)}")
    bounds = tuple(
        (sound_index(start, "bound of a sweep"), sound_index(stop, "bound of a sweep"))
        for start, stop in record.bounds
    )
    edges = [0, *(stop for _, stop in bounds)]
    if bounds != tuple(pairwise(edges)) or edges != sorted({*edges, frames}) or edges[-1] != frames:
        raise ValueError(f"the bounds do not cover its {frames} frames one after the other")
    spacing = record.spacing_mm
    if spacing is not None:
        row_mm, column_mm = spacing
        spacing = _finite(row_mm, "spacing"), _finite(column_mm, "spacing")
        if min(spacing) <= 0:
            raise ValueError(f"expected a spacing of positive millimetres, found {quoted(spacing)}")
    return SweepRecord(identity, shape, spacing, bounds)


def sound_bookmark(bookmark: Bookmark, record: SweepRecord) -> Bookmark:
    """Return a bookmark as a store may hold it, numbers as Python has them.

    Raises
    ------
    ValueError
        Names what is wrong.
    """
    frame = sound_frame(bookmark.frame, record)
    thresholds = bookmark.thresholds
    if thresholds is not None:
        quality, area = thresholds
        thresholds = _finite(quality, "threshold"), _finite(area, "threshold")
    return Bookmark(frame, thresholds)


def _finite(value: object, what: str) -> float:
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number as {what}, found {quoted(value)}")
    return number
