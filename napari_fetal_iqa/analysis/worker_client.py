"""The window's side of the analysis process."""

import logging
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from fetal_iqa_models.batching import WATCHED, BatchSize
from napari_fetal_iqa import process_priority
from napari_fetal_iqa.analysis import worker_process
from napari_fetal_iqa.analysis.engine import Engine
from napari_fetal_iqa.analysis.frame_order import FrameQueue
from napari_fetal_iqa.analysis.precisions import AskedPrecision
from napari_fetal_iqa.analysis.result import AnalysisSetup, FrameResults
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)

_Expected = TypeVar("_Expected", AnalysisSetup, FrameResults)


class RemoteAnalyser:
    """Runs models in a process of their own; started at first use, kept for the next sweep.

    Calls block, so they belong in a worker thread; :meth:`close` may come from any thread.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._loaded: worker_process.Load | None = None
        self._setup: AnalysisSetup | None = None
        self._one_at_a_time = threading.Lock()
        self._batches = BatchSize(WATCHED)
        self._closed = False

    def start_ahead(self) -> None:
        """Start the process, unless there is one: it imports what it needs, and waits."""
        with self._one_at_a_time:
            if not self._closed and not self._alive():
                self._start()

    def load(
        self,
        cls_model: str,
        seg_model: str,
        device: str = "auto",
        engine: Engine = "auto",
        precision: AskedPrecision = "auto",
    ) -> AnalysisSetup:
        """Load models, unless they are loaded already.

        Raises
        ------
        AnalysisError
            One line on what is wrong with a model or the machine.
        """
        request = worker_process.Load(cls_model, seg_model, device, engine, precision)
        with self._one_at_a_time:
            return self._load(request)

    def models(
        self,
        cls_model: str,
        seg_model: str,
        device: str = "auto",
        engine: Engine = "auto",
        precision: AskedPrecision = "auto",
    ) -> "RemoteModels":
        """Load models as :meth:`load` does, and return them, to run over a sweep."""
        setup = self.load(cls_model, seg_model, device, engine, precision)
        request = worker_process.Load(cls_model, seg_model, device, engine, precision)
        return RemoteModels(self, request, setup)

    def _load(self, request: worker_process.Load) -> AnalysisSetup:
        if self._setup is None or self._loaded != request or not self._alive():
            self._setup = self._loaded = None
            self._batches = BatchSize(WATCHED)
            if not self._alive():
                self._start()
            self._setup = self._ask(request, AnalysisSetup)
            self._loaded = request
        return self._setup

    def run(
        self, sweep: SweepVolume, queue: FrameQueue, by: worker_process.Load | None = None
    ) -> Iterator[FrameResults]:
        """Analyse the frames of a queue until it is empty; closing the iterator cancels.

        Parameters
        ----------
        sweep : SweepVolume
        queue : FrameQueue
        by : Load, optional
            The models of every batch: where those for another sweep were loaded since the last
            one, these are loaded again. By default those that are loaded.

        Raises
        ------
        AnalysisError
            Where the models fail or the process dies.
        """
        while (spared := queue.take_spared()) or (numbers := queue.take(self._batches.frames)):
            numbers = spared or numbers
            batch = worker_process.Batch(
                numbers=np.array(numbers),
                images=np.stack([np.asarray(sweep.frames[number]) for number in numbers]),
                spacing_mm=sweep.spacing_mm,
                field_of_view=sweep.field_of_view,
                half_the_cores=queue.scrubbed,
                cascade=None if spared else queue.cascade,
            )
            started = time.perf_counter()
            with self._one_at_a_time:
                if by is not None and by != self._loaded:
                    self._load(by)
                results = self._ask(batch, FrameResults)
            self._batches.took(len(numbers), time.perf_counter() - started)
            yield results

    def forget(self) -> None:
        """Load the models anew next time, even under the same names."""
        self._setup = None

    def release(self) -> None:
        """End the process, so that its memory is free; the next use starts another."""
        self.forget()
        self._end_process()

    def close(self) -> None:
        """End the process for good; a call in progress, or a later one, fails."""
        self._closed = True
        self._end_process()

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()  # reaps it, and closes the pipes

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        self._end_process()
        if self._closed:
            raise AnalysisError("the analysis was closed")
        self._process = subprocess.Popen(
            [sys.executable, "-m", worker_process.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **process_priority.popen_options(),
        )
        process_priority.give_way(self._process.pid)

    def _ask(self, request: worker_process.Request, expected: type[_Expected]) -> _Expected:
        try:
            answer = self._exchange(request)
        except (OSError, EOFError, pickle.UnpicklingError, ValueError):
            self._setup = None
            raise AnalysisError(
                "the analysis process ended unexpectedly, perhaps for want of memory; "
                "close other programs and analyse again"
            ) from None
        if isinstance(answer, worker_process.Failure):
            if answer.details:
                logger.error("%s\n%s", answer.message, answer.details)
            raise AnalysisError(answer.message)
        if not isinstance(answer, expected):
            raise AnalysisError(f"the analysis process answered with {type(answer).__name__}")
        return answer

    def _exchange(
        self, request: worker_process.Request
    ) -> worker_process.Request | worker_process.Answer:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise EOFError
        worker_process.send(process.stdin, request)
        return worker_process.receive(process.stdout)


class RemoteModels:
    """Models in the process of a :class:`RemoteAnalyser`; no others answer in their stead.

    Parameters
    ----------
    analyser : RemoteAnalyser
    request : Load
        What loaded them.
    setup : AnalysisSetup
        Who speaks.
    """

    def __init__(
        self, analyser: RemoteAnalyser, request: worker_process.Load, setup: AnalysisSetup
    ) -> None:
        self._analyser = analyser
        self._request = request
        self.setup = setup

    def run(self, sweep: SweepVolume, queue: FrameQueue, /) -> Iterator[FrameResults]:
        """Analyse the frames of a queue, see :meth:`RemoteAnalyser.run`."""
        return self._analyser.run(sweep, queue, self._request)
