"""The corrections store: what is said is on disk before the call returns."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.corrections import schema
from napari_fetal_iqa.corrections.events import Event, EventKind, Label, new_uid
from napari_fetal_iqa.corrections.history import FrameCorrection, History, latest
from napari_fetal_iqa.masks import encode_mask
from napari_fetal_iqa.sweep import SweepVolume

_EVENT_COLUMNS = (
    "sweep, reviewer, kind, action, frame, label, mask, accepted, answers, uid, time, tool"
)


@dataclass(frozen=True)
class SweepRecord:
    """What a store knows of a sweep: technical facts, no name, no path, no patient."""

    identity: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float] | None
    bounds: tuple[tuple[int, int], ...]


class CorrectionStore:
    """Append-only corrections of one review project, in one SQLite file.

    Each call that says something commits one transaction, synchronously: when it returns, the
    events survive a kill of the process and of the machine.

    Parameters
    ----------
    path : Path or str
        Made, with its folder, where there is none.

    Raises
    ------
    StoreError
        One line on what is wrong with the file; every method may raise it.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._connection = schema.connect(self.path)
        self._histories: dict[tuple[str, str], History] = {}

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What is known -------------------------------------------------------------------------

    def sweeps(self) -> list[SweepRecord]:
        """Give the sweeps of this store, in the order in which they were first opened."""
        with self._explaining():
            rows = self._connection.execute("SELECT * FROM sweep ORDER BY rowid").fetchall()
        return [
            SweepRecord(
                identity=identity,
                shape=(frames, height, width),
                spacing_mm=None if row_mm is None else (row_mm, column_mm),
                bounds=tuple((start, stop) for start, stop in json.loads(bounds)),
            )
            for identity, frames, height, width, row_mm, column_mm, bounds in rows
        ]

    def reviewers(self, sweep: str | None = None) -> list[str]:
        """Give everyone who said something, of one sweep or of any."""
        query = "SELECT DISTINCT reviewer FROM event WHERE ? IS NULL OR sweep = ? ORDER BY reviewer"
        with self._explaining():
            return [row[0] for row in self._connection.execute(query, (sweep, sweep))]

    def events(self, sweep: str | None = None, reviewer: str | None = None) -> list[Event]:
        """Give the events in the order of their writing, of one sweep and reviewer or of all."""
        query = (
            f"SELECT {_EVENT_COLUMNS} FROM event WHERE (:sweep IS NULL OR sweep = :sweep) "
            "AND (:reviewer IS NULL OR reviewer = :reviewer) ORDER BY number"
        )
        with self._explaining():
            rows = self._connection.execute(query, {"sweep": sweep, "reviewer": reviewer})
            return [_event(row) for row in rows]

    def history(self, sweep: str, reviewer: str) -> History:
        """Give the replayed history of one reviewer on one sweep; kept up to date by the store."""
        key = (sweep, reviewer)
        if key not in self._histories:
            self._histories[key] = History(self.events(sweep, reviewer))
        return self._histories[key]

    def corrections(self, sweep: str, reviewer: str | None = None) -> dict[int, FrameCorrection]:
        """Give the state of every corrected frame of a sweep, by frame number.

        Without a reviewer, the last word on the label and the last on the mask of a frame count,
        whoever spoke them.
        """
        if reviewer is not None:
            return self.history(sweep, reviewer).state()
        said: dict[int, list[FrameCorrection]] = {}
        for name in self.reviewers(sweep):
            for frame, state in self.history(sweep, name).state().items():
                said.setdefault(frame, []).append(state)
        return {frame: latest(said[frame]) for frame in sorted(said)}

    # What is said --------------------------------------------------------------------------

    def add_sweep(self, sweep: SweepVolume) -> None:
        """Make a sweep known to the store; must come before anything is said of it."""
        row_mm, column_mm = sweep.spacing_mm or (None, None)
        with self._writing():
            self._connection.execute(
                "INSERT OR IGNORE INTO sweep VALUES (?, ?, ?, ?, ?, ?, ?)",
                (sweep.identity, *sweep.shape, row_mm, column_mm, json.dumps(sweep.bounds)),
            )

    def set_label(
        self,
        sweep: str,
        frames: int | Iterable[int],
        label: Label | int | None,
        reviewer: str,
        answers: str | None = None,
    ) -> None:
        """Label one frame or a range, as one action; None goes back to the model's label."""
        frames = [frames] if isinstance(frames, int) else list(frames)
        value = None if label is None else Label(label)
        action = new_uid()
        self.append(
            Event(sweep, reviewer, EventKind.LABEL, action, frame, label=value, answers=answers)
            for frame in frames
        )

    def set_mask(
        self,
        sweep: str,
        frame: int,
        mask: NDArray[np.bool_] | None,
        reviewer: str,
        answers: str | None = None,
    ) -> None:
        """Outline the abdomen of a frame, (H, W) bool; None goes back to the model's mask."""
        code = None if mask is None else encode_mask(mask)
        event = Event(sweep, reviewer, EventKind.MASK, new_uid(), frame, mask=code, answers=answers)
        self.append([event])

    def accept(
        self,
        sweep: str,
        frame: int,
        reviewer: str,
        label: Label | int | None = None,
        mask: NDArray[np.bool_] | None = None,
        answers: str | None = None,
    ) -> None:
        """Confirm the label or the mask that the model gave a frame, or both, as one action."""
        confirm = partial(
            Event, sweep, reviewer, action=new_uid(), frame=frame, accepted=True, answers=answers
        )
        events = []
        if label is not None:
            events.append(confirm(kind=EventKind.LABEL, label=Label(label)))
        if mask is not None:
            events.append(confirm(kind=EventKind.MASK, mask=encode_mask(mask)))
        self.append(events)

    def revert(self, sweep: str, frame: int, reviewer: str) -> None:
        """Go back to the model's label and mask of a frame, as one action."""
        action = new_uid()
        self.append(
            Event(sweep, reviewer, kind, action, frame)
            for kind in (EventKind.LABEL, EventKind.MASK)
        )

    def undo(self, sweep: str, reviewer: str) -> list[int]:
        """Take back the reviewer's last action on a sweep; give the frames that changed."""
        return self._step(sweep, reviewer, EventKind.UNDO)

    def redo(self, sweep: str, reviewer: str) -> list[int]:
        """Bring back what was undone last; give the frames that changed."""
        return self._step(sweep, reviewer, EventKind.REDO)

    def _step(self, sweep: str, reviewer: str, kind: EventKind) -> list[int]:
        history = self.history(sweep, reviewer)
        action = history.next_undo if kind is EventKind.UNDO else history.next_redo
        if action is None:
            return []
        self.append([Event(sweep, reviewer, kind, action)])
        return history.frames_of(action)

    def append(self, events: Iterable[Event]) -> None:
        """Write events in one transaction; all of them are on disk afterwards, or none."""
        events = list(events)
        marks = ", ".join("?" * len(_EVENT_COLUMNS.split(",")))
        with self._writing():
            self._connection.executemany(
                f"INSERT INTO event ({_EVENT_COLUMNS}) VALUES ({marks})",
                [_row(event) for event in events],
            )
        for event in events:
            history = self._histories.get((event.sweep, event.reviewer))
            if history is not None:
                history.apply(event)

    # The database --------------------------------------------------------------------------

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise schema.explain(error, self.path) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._explaining():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _row(event: Event) -> tuple[object, ...]:
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


def _event(row: Sequence[Any]) -> Event:
    sweep, reviewer, kind, action, frame, label, mask, accepted, answers, uid, time, tool = row
    return Event(
        sweep=sweep,
        reviewer=reviewer,
        kind=EventKind(kind),
        action=action,
        frame=frame,
        label=None if label is None else Label(label),
        mask=mask,
        accepted=bool(accepted),
        answers=answers,
        uid=uid,
        time=time,
        tool=tool,
    )
