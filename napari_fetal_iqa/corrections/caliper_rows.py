"""Between the rows of free calipers and the events that they are.

They have a table of their own, so that a store of an earlier version gains it without a row of it
being touched.
"""

import json
from collections.abc import Sequence
from typing import Any

from napari_fetal_iqa.corrections.events import Event, EventKind
from napari_fetal_iqa.geometry.caliper import Caliper

CALIPER_COLUMNS = "sweep, reviewer, action, frame, mark, points, uid, time, tool"

_LONGEST_POINTS = 1000
"""Characters: four points of two numbers, each as long as Python writes one."""


def row_of_caliper_event(event: Event) -> tuple[object, ...]:
    """Return the row of a caliper event, in the order of :data:`CALIPER_COLUMNS`."""
    points = None if event.caliper is None else json.dumps(event.caliper.points_px)
    return (
        event.sweep,
        event.reviewer,
        event.action,
        event.frame,
        event.mark,
        points,
        event.uid,
        event.time,
        event.tool,
    )


def caliper_event_of_row(row: Sequence[Any]) -> Event:
    """Read a row of :data:`CALIPER_COLUMNS`; whether it makes sense is another question.

    Raises
    ------
    ValueError
        Where its points are none that a caliper has.
    """
    sweep, reviewer, action, frame, mark, points, uid, time, tool = row
    return Event(
        sweep=sweep,
        reviewer=reviewer,
        kind=EventKind.CALIPER,
        action=action,
        frame=frame,
        mark=mark,
        caliper=None if points is None else _caliper_of_text(points),
        uid=uid,
        time=time,
        tool=tool,
    )


def _caliper_of_text(text: object) -> Caliper:
    if not isinstance(text, str) or len(text) > _LONGEST_POINTS:
        raise ValueError("the points of a caliper are no text, or an endless one")
    try:
        points = tuple((_number(row), _number(column)) for row, column in json.loads(text))
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise ValueError("the points of a caliper are no list of pairs") from None
    return Caliper(points)


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError("no number")
    return float(value)
