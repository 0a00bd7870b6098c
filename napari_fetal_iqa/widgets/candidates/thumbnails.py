"""Small pictures of frames, made in a thread when they are first looked at."""

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QImage

from napari_fetal_iqa.review.candidate_strip import Candidate, circumference
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.background.threads import THUMBNAILS

logger = logging.getLogger(__name__)

WIDTH, HEIGHT = 104, 78
"""Pixels, at most: four to three, as frames of ultrasound are."""


class Thumbnails(QObject):
    """Pictures and circumferences of one sweep's candidates; ``made`` tells of which frame.

    A frame is read once, and a mask is measured once. Memory is bounded by the frames that are
    ever candidates, 8 kB each.

    Parameters
    ----------
    sweep : SweepVolume
    """

    made = Signal(int)

    def __init__(self, sweep: SweepVolume, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sweep = sweep
        self._pictures: dict[int, QImage] = {}
        self._measured: dict[tuple[int, bytes], float | None] = {}
        self._waiting: dict[int, Candidate] = {}
        self._working = False

    def picture(self, candidate: Candidate) -> QImage | None:
        """Return the small picture of a frame; None until it is made."""
        self._want(candidate)
        return self._pictures.get(candidate.frame)

    def ac_mm(self, candidate: Candidate) -> float | None:
        """Return the circumference of a candidate; None until it is measured, or where it is not.

        See :meth:`is_measured`.
        """
        if candidate.mask is None:
            return None
        return self._measured.get((candidate.frame, candidate.mask))

    def is_measured(self, candidate: Candidate) -> bool:
        """Whether its circumference was looked for."""
        return candidate.mask is None or (candidate.frame, candidate.mask) in self._measured

    def stop(self) -> None:
        """Make no more."""
        self._waiting = {}

    def _want(self, candidate: Candidate) -> None:
        if candidate.frame in self._pictures and self.is_measured(candidate):
            return
        self._waiting[candidate.frame] = candidate
        if not self._working:
            self._begin()

    def _begin(self) -> None:
        self._working = True
        worker = THUMBNAILS.worker(self._make)
        worker.yielded.connect(self._take)
        worker.errored.connect(self._fail)
        worker.finished.connect(self._end)
        THUMBNAILS.start(worker)

    def _make(self) -> Iterator[tuple[Candidate, QImage | None, float | None]]:
        """Runs in a thread; what waits is taken one by one, so that what is added comes, too."""
        while self._waiting:
            try:
                frame = next(iter(self._waiting))
                candidate = self._waiting.pop(frame)
            except (StopIteration, KeyError, RuntimeError):
                continue  # the window's thread changed it in this very moment
            picture = None
            if frame not in self._pictures:
                picture = _image(small(np.asarray(self._sweep.frames[frame])))
            ac_mm = None
            if candidate.mask is not None and not self.is_measured(candidate):
                ac_mm = circumference(candidate.mask, self._sweep)
            yield candidate, picture, ac_mm

    def _take(self, made: tuple[Candidate, QImage | None, float | None]) -> None:
        candidate, picture, ac_mm = made
        if picture is not None:
            self._pictures[candidate.frame] = picture
        if candidate.mask is not None and not self.is_measured(candidate):
            self._measured[candidate.frame, candidate.mask] = ac_mm
        self.made.emit(candidate.frame)

    def _fail(self, error: Exception) -> None:
        self._waiting = {}  # a sweep that was shortened is told elsewhere; no circle here
        logger.info("no small pictures: %s", error)

    def _end(self) -> None:
        self._working = False
        if self._waiting:
            self._begin()


def small(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink a frame by whole steps to at most :data:`WIDTH` x :data:`HEIGHT`, each a mean."""
    rows, columns = frame.shape
    step = max(1, -(-rows // HEIGHT), -(-columns // WIDTH))
    rows, columns = max(1, rows // step), max(1, columns // step)
    whole = frame[: rows * step, : columns * step]
    if whole.size < rows * columns * step * step:  # thinner than one step
        return np.ascontiguousarray(frame[:: max(step, 1), :: max(step, 1)])
    blocks = whole.reshape(rows, step, columns, step)
    return np.ascontiguousarray(blocks.mean((1, 3)).astype(np.uint8))


def _image(grey: NDArray[np.uint8]) -> QImage:
    rows, columns = grey.shape
    image = QImage(grey.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
    return image.copy()  # of its own memory
