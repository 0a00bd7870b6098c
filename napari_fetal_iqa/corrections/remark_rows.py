"""Between the rows of remarks and the events that they are: criteria, and names of calipers."""

from collections.abc import Sequence
from typing import Any

from napari_fetal_iqa.corrections.events import Event, EventKind

REMARK_COLUMNS = "sweep, reviewer, kind, action, frame, mark, word, uid, time, tool"


def row_of_remark(event: Event) -> tuple[object, ...]:
    """Return the row of a criterion event or a naming, in the order of :data:`REMARK_COLUMNS`."""
    return (
        event.sweep,
        event.reviewer,
        event.kind.value,
        event.action,
        event.frame,
        event.mark,
        event.word,
        event.uid,
        event.time,
        event.tool,
    )


def remark_event_of_row(row: Sequence[Any]) -> Event:
    """Read a row of :data:`REMARK_COLUMNS`; whether it makes sense is another question.

    Raises
    ------
    ValueError
        Where it is an event of another table.
    """
    sweep, reviewer, kind, action, frame, mark, word, uid, time, tool = row
    if kind not in (EventKind.CRITERION, EventKind.NAMING):
        raise ValueError("a remark is a criterion or a naming")
    return Event(
        sweep=sweep,
        reviewer=reviewer,
        kind=kind,
        action=action,
        frame=frame,
        mark=mark,
        word=word,
        uid=uid,
        time=time,
        tool=tool,
    )
