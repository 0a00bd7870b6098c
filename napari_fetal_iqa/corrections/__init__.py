"""Experts' corrections of frames: append-only events in one SQLite file per review project."""

from napari_fetal_iqa.corrections.events import Event, EventKind
from napari_fetal_iqa.corrections.history import FrameCorrection, History, PlacedCaliper, latest
from napari_fetal_iqa.corrections.merge import move_to_disk
from napari_fetal_iqa.corrections.rescuing import Unsaved, beyond_rescue, rescue, write_rescue
from napari_fetal_iqa.corrections.rows import Bookmark, SweepRecord
from napari_fetal_iqa.corrections.store import CorrectionStore
from napari_fetal_iqa.labels import Label

__all__ = [
    "Bookmark",
    "CorrectionStore",
    "Event",
    "EventKind",
    "FrameCorrection",
    "History",
    "Label",
    "PlacedCaliper",
    "SweepRecord",
    "Unsaved",
    "beyond_rescue",
    "latest",
    "move_to_disk",
    "rescue",
    "write_rescue",
]
