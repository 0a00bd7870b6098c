"""The next sweep of the worklist, read and analysed while this one is reviewed."""

import logging
import threading
from collections.abc import Callable, Generator
from enum import Enum, auto

import psutil
from qtpy.QtCore import QObject, Signal

from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.analysis import cache
from napari_fetal_iqa.analysis.cascade import Cascade
from napari_fetal_iqa.analysis.engine import Engine
from napari_fetal_iqa.analysis.frame_order import FrameQueue
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.analysis.precisions import AskedPrecision
from napari_fetal_iqa.analysis.run import begin_analysis
from napari_fetal_iqa.analysis.worker_client import RemoteAnalyser, RemoteModels
from napari_fetal_iqa.errors import FetalIqaError, words_in_window
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.io.frames.lazy_inflate import InflatingFrames
from napari_fetal_iqa.io.read import read_source
from napari_fetal_iqa.model_library.automatic import models_for
from napari_fetal_iqa.storage.settings import Settings
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.background.analysis_runner import AnalysisRunner
from napari_fetal_iqa.widgets.background.tasks import prepare_sweep
from napari_fetal_iqa.widgets.background.threads import AHEAD

logger = logging.getLogger(__name__)

MOST_BYTES = 2 << 30
"""A case of ACOUSLIC-AI has 351 MB inflated; a sweep of more is not kept beside the open one."""
_PART_OF_FREE_MEMORY = 0.5


class Outcome(Enum):
    """What came of the analysis of the next sweep."""

    ANALYSED = auto()
    GAVE_WAY = auto()  # to the sweep on the screen; it goes on later
    LEFT = auto()  # not wanted, or not possible


class ReadAhead(QObject):
    """Keeps at most one sweep ready; ``read`` tells which, ``failed`` that it cannot be read.

    ``left`` tells that there is no room for it beside the one on the screen.
    ``gave_way`` tells that its analysis waits for the one of the sweep on the screen, as it
    does whenever that is analysed. Its analysis goes into the cache. It stops when another sweep is
    wanted.

    Parameters
    ----------
    runner : AnalysisRunner
        Of the sweep on the screen; its process of the networks is used.
    """

    read = Signal(object)  # SweepSource
    analysed = Signal(object)  # SweepSource
    gave_way = Signal()
    failed = Signal(object, str)  # SweepSource, why
    left = Signal(object)  # SweepSource

    def __init__(self, runner: AnalysisRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._stop = threading.Event()
        self._source: SweepSource | None = None
        self._sweep: SweepVolume | None = None
        self._begun = False

    def begin(self, source: SweepSource, settings: Settings) -> None:
        """Read a sweep, and analyse it where sweeps are analysed when they are opened."""
        if source == self._source and (self._sweep is None or not self._stop.is_set()):
            return  # being read, or analysed, or ready
        kept = self._sweep if source == self._source else None
        self.stop(forget=kept is None)
        self._source, self._stop, self._begun = source, threading.Event(), False
        stop = self._stop
        worker = AHEAD.worker(
            prepare,
            source,
            kept,
            self._runner.analyser,
            settings if settings.analyse_on_open else None,
            stop.is_set,
            lambda: self._runner.running,
        )
        worker.started.connect(lambda: self._note_begun(stop))
        worker.yielded.connect(lambda sweep: self._take(stop, sweep))
        worker.returned.connect(lambda outcome: self._end(stop, outcome))
        worker.errored.connect(lambda error: self._fail(stop, error))
        AHEAD.start(worker)

    @property
    def has_read(self) -> bool:
        """Whether a sweep is ready here."""
        return self._sweep is not None

    def is_reading(self, source: SweepSource) -> bool:
        """Whether this sweep is being read right now, and does not wait behind another's models."""
        wanted = source == self._source and self._sweep is None
        return wanted and self._begun and not self._stop.is_set()

    def take(self, source: SweepSource) -> SweepVolume | None:
        """Return a sweep that was read ahead, which is not kept here any more; else None."""
        sweep = self._sweep if source == self._source else None
        self.stop()
        return sweep

    def stop(self, forget: bool = True) -> None:
        """Stop reading and analysing ahead, and keep nothing."""
        self._stop.set()
        if forget:
            self._source = self._sweep = None

    def _note_begun(self, stop: threading.Event) -> None:
        self._begun = self._begun or stop is self._stop

    def _take(self, stop: threading.Event, sweep: SweepVolume) -> None:
        if stop is self._stop and self._source is not None:
            self._sweep = sweep
            self.read.emit(self._source)

    def _end(self, stop: threading.Event, outcome: Outcome) -> None:
        if stop is not self._stop or self._source is None:
            return
        if outcome is Outcome.ANALYSED:
            self.analysed.emit(self._source)
        elif outcome is Outcome.GAVE_WAY:
            stop.set()  # may begin again
            self.gave_way.emit()
        elif self._sweep is None:
            source = self._source
            self.stop()
            self.left.emit(source)

    def _fail(self, stop: threading.Event, error: Exception) -> None:
        if not isinstance(error, FetalIqaError | ModelError):
            logger.error("reading ahead failed", exc_info=error)
        if stop is not self._stop or self._source is None:
            return
        if self._sweep is not None:  # read it is; the review says what its analysis lacks
            stop.set()
            return
        source = self._source
        self.stop()
        self.failed.emit(source, words_in_window(error))


def prepare(
    source: SweepSource,
    kept: SweepVolume | None,
    analyser: RemoteAnalyser,
    settings: Settings | None,
    stopped: Callable[[], bool],
    busy: Callable[[], bool],
) -> Generator[SweepVolume, None, Outcome]:
    """Give the sweep once it is read, and return what came of its analysis.

    Nothing where it is larger than there is room for, or another is wanted before; no analysis
    while the networks are busy with the sweep on the screen, and none without settings.
    """
    sweep = kept
    if sweep is None:
        sweep = read_source(source)
        frames, rows, columns = sweep.shape
        free = psutil.virtual_memory().available * _PART_OF_FREE_MEMORY
        if frames * rows * columns > min(MOST_BYTES, free):
            return Outcome.LEFT
        if isinstance(sweep.frames, InflatingFrames):
            for number in range(frames):  # bit by bit, so that it can be stopped
                _ = sweep.frames[number]
                if stopped():
                    return Outcome.LEFT
        prepare_sweep(sweep)
        yield sweep
    if settings is None or stopped():
        return Outcome.LEFT
    models = models_for(settings, sweep.simulated)
    by = settings.engine, settings.precision, settings.cascade_by
    complete = _analyse(sweep, analyser, models, *by, lambda: stopped() or busy())
    return Outcome.ANALYSED if complete else Outcome.GAVE_WAY


def _analyse(
    sweep: SweepVolume,
    analyser: RemoteAnalyser,
    models: tuple[str, str],
    engine: Engine,
    precision: AskedPrecision,
    cascade: Cascade,
    stop: Callable[[], bool],
) -> bool:
    def load() -> RemoteModels:
        return analyser.models(*models, "auto", engine, precision)

    if stop():
        return False
    setup = choose_models(*models, cascade=cascade).setup()
    queue = FrameQueue(len(sweep), None, sweep.bounds)
    analysis, results = begin_analysis(
        sweep, setup, load, queue, engine=engine, precision=precision, leave_out=queue.leave_out
    )
    if analysis.complete:
        return True
    try:
        for batch in results:
            analysis.add(batch)
            if stop():
                break
    finally:
        cache.save(analysis)  # of some frames, too
    return analysis.complete
