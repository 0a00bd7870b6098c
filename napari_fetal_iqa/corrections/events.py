"""One event: what one expert says of one frame, or of a free caliper on it."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from napari_fetal_iqa.geometry.caliper import Caliper
from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.version import TOOL_VERSION


class EventKind(StrEnum):
    """What an event speaks of."""

    LABEL = "label"
    MASK = "mask"
    UNDO = "undo"
    REDO = "redo"
    CALIPER = "caliper"
    CRITERION = "criterion"
    NAMING = "naming"


MET, NOT_MET = "met", "not met"
"""What is said of a criterion."""


def new_uid() -> str:
    """Name an event or an action, unique among all machines."""
    return uuid.uuid4().hex


def now() -> str:
    """Return the time, UTC, as events have it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def timed_after(time: str, before: str) -> str:
    """Return a time that comes after ``before``, UTC: itself, or a microsecond after it.

    So that a reviewer's events have one order, also where the clock went back.
    """
    if time > before:
        return time
    later = datetime.fromisoformat(before) + timedelta(microseconds=1)
    return later.isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Event:
    """One row of the store; never changed once written.

    Parameters
    ----------
    sweep : str
        Content identity of the sweep.
    reviewer : str
    kind : EventKind
    action : str
        Shared by the events of one user action (a range of labels is one action); undo and
        redo name the action that they speak of.
    frame : int
        0-based; -1 for undo and redo.
    label : Label, optional
        Of a label event; None takes the reviewer's label back to the model's.
    mask : bytes, optional
        Of a mask event, packed by :func:`~napari_fetal_iqa.geometry.mask_codec.encode_mask`; None
        takes the reviewer's mask back to the model's.
    accepted : bool
        The reviewer confirmed the model's prediction instead of changing it.
    answers : str, optional
        Model whose prediction was on the screen, by id and hash.
    mark : str
        Of a caliper event and of a naming: the caliper's own name, which stays where it is moved;
        of a criterion event: which of the six; else empty.
    caliper : Caliper, optional
        Of a caliper event; None takes the caliper away.
    word : str, optional
        Of a criterion event :data:`MET` or :data:`NOT_MET`; of a naming what the caliper measures,
        a :class:`~napari_fetal_iqa.geometry.caliper.CaliperMeasure`. None takes it back.
    uid : str
        Unique among all machines.
    time : str
        UTC, ISO 8601 to the microsecond; what one reviewer says is replayed in this order.
    tool : str
        Version of napari-fetal-iqa.
    """

    sweep: str
    reviewer: str
    kind: EventKind
    action: str
    frame: int = -1
    label: Label | None = None
    mask: bytes | None = None
    accepted: bool = False
    answers: str | None = None
    mark: str = ""
    caliper: Caliper | None = None
    word: str | None = None
    uid: str = field(default_factory=new_uid)
    time: str = field(default_factory=now)
    tool: str = TOOL_VERSION
