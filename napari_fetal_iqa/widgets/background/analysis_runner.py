"""Runs the analysis from a worker thread and hands its results to the window."""

import logging
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_fetal_iqa.analysis.frame_order import FrameQueue
from napari_fetal_iqa.analysis.result import Analysis, FrameResults
from napari_fetal_iqa.analysis.worker_client import RemoteAnalyser
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.model_library.automatic import models_for
from napari_fetal_iqa.storage.settings import Settings
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.background.tasks import analyse, outline
from napari_fetal_iqa.widgets.background.threads import ANALYSING

logger = logging.getLogger(__name__)


class AnalysisRunner(QObject):
    """At most one analysis at a time; keeps the models loaded for the next.

    ``loading`` tells that models are needed, as no analysis is kept that is complete; ``started``
    gives the empty analysis, ``results`` some frames' results, ``ended`` whether
    all frames were done, ``failed`` one line for the person at the desk.
    """

    loading = Signal()
    started = Signal(object)
    results = Signal(object)
    ended = Signal(bool)
    failed = Signal(str)
    outlined = Signal(object, object)
    """An analysis, and results of one frame of it that the cascade had spared the outline."""
    _needs_models = Signal(object)  # FrameQueue, from another thread

    def __init__(self, analyser: RemoteAnalyser, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.analyser = analyser
        self._worker: Any = None
        self._queue: FrameQueue | None = None
        self._loading: tuple[str, ...] | None = None
        self._outlining: tuple[Analysis, int] | None = None
        self._needs_models.connect(self._tell_loading)

    @property
    def running(self) -> bool:
        """Whether an analysis is going on."""
        return self._worker is not None

    def start(self, sweep: SweepVolume, settings: Settings, looked_at: int) -> None:
        """Analyse a sweep with the models of the settings, from the frame being looked at."""
        self.cancel()
        self._queue = queue = FrameQueue(len(sweep), looked_at, sweep.bounds)
        models = models_for(settings, sweep.simulated)
        worker: Any = ANALYSING.worker(
            analyse,
            self.analyser,
            sweep,
            queue,
            *models,
            settings.engine,
            settings.precision,
            settings.cascade_by,
            lambda: self._needs_models.emit(queue),
        )
        worker.yielded.connect(lambda item: self._take(worker, item))
        worker.returned.connect(lambda _: self._finish(worker, complete=True))
        worker.errored.connect(lambda error: self._fail(worker, error))
        self._worker = worker
        ANALYSING.start(worker)

    def start_ahead(self) -> None:
        """Start the process of the networks, so that it is there when a sweep is."""
        ANALYSING.start(ANALYSING.worker(self.analyser.start_ahead))

    def load(self, settings: Settings, simulated: bool = False) -> None:
        """Load the models for a sweep, or a phantom, in the background.

        What is wrong with them is shown at the analysis.
        """
        request = (*models_for(settings, simulated), "auto", settings.engine, settings.precision)
        if request == self._loading:
            return
        self._loading = request
        worker = ANALYSING.worker(self.analyser.load, *request)
        worker.finished.connect(self._loaded)
        ANALYSING.start(worker)

    def _loaded(self) -> None:
        self._loading = None

    def outline(self, analysis: Analysis, settings: Settings, frame: int) -> None:
        """Outline a frame that the cascade spared, unless an analysis goes on, which does it."""
        if self.running or self._outlining == (analysis, frame):
            return
        self._outlining = (analysis, frame)
        models = models_for(settings, analysis.sweep.simulated)
        worker: Any = ANALYSING.worker(
            outline, self.analyser, analysis, frame, *models, settings.engine, settings.precision
        )
        worker.returned.connect(lambda results: self._outlined(analysis, results))
        worker.errored.connect(lambda error: logger.error("no outline", exc_info=error))
        ANALYSING.start(worker)

    def _outlined(self, analysis: Analysis, results: FrameResults | None) -> None:
        if results is not None:
            self.outlined.emit(analysis, results)

    def look_at(self, frame: int) -> None:
        """Let the frames around this one come next."""
        if self._queue is not None:
            self._queue.look_at(frame)

    def cancel(self) -> None:
        """Stop; the results of the batch that is being computed are not waited for."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            worker.quit()
            self.ended.emit(False)

    def release(self) -> None:
        """Stop and free the memory of the models until the next analysis."""
        self.cancel()
        ANALYSING.start(ANALYSING.worker(self.analyser.release))

    def close(self) -> None:
        """Stop and end the process that holds the models."""
        self.cancel()
        self.analyser.close()

    def _tell_loading(self, queue: FrameQueue) -> None:
        if self._worker is not None and queue is self._queue:
            self.loading.emit()

    def _take(self, worker: object, item: Analysis | FrameResults) -> None:
        if worker is self._worker:
            (self.started if isinstance(item, Analysis) else self.results).emit(item)

    def _finish(self, worker: object, complete: bool) -> None:
        if worker is self._worker:
            self._worker = None
            self.ended.emit(complete)

    def _fail(self, worker: object, error: Exception) -> None:
        if worker is not self._worker:
            return
        self._finish(worker, complete=False)
        if isinstance(error, FetalIqaError):
            self.failed.emit(error.in_window)
        else:
            logger.error("analysis failed", exc_info=error)
            self.failed.emit(f"The analysis failed: {type(error).__name__}: {error}")
