"""Run compiled models over frames: OpenVINO on the CPU, without torch."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.batching import AIMS
from fetal_iqa_models.batchwise import BatchwisePredictor
from fetal_iqa_models.compiled.graph_folder import GRAPH_FILE, CompiledModel
from fetal_iqa_models.compiled.restoring import restored
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.prediction_batch import STAGES, PredictionBatch


class CompiledPredictor(BatchwisePredictor):
    """Scores and outlines frames as :class:`~fetal_iqa_models.FramePredictor` does.

    In single precision, so that results are those of torch but for rounding.

    Parameters
    ----------
    cls, seg : CompiledModel, optional
        One of the two at least.
    batch_size : int, optional
        Frames per batch to begin with; found by itself by default.
    cache : Path, optional
        Where OpenVINO keeps what it prepared for this processor, to begin sooner next time.

    Raises
    ------
    ModelError
        Without any model, or where OpenVINO cannot read a graph.
    """

    engine = "openvino"
    device = "cpu"

    def __init__(
        self,
        cls: CompiledModel | None = None,
        seg: CompiledModel | None = None,
        batch_size: int | None = None,
        cache: Path | None = None,
    ) -> None:
        if cls is None and seg is None:
            raise ModelError("nothing to predict with: give a classifier, a segmenter, or both")
        super().__init__(AIMS["cpu"], batch_size)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        self._cores = cores or 1
        self._threads = self._cores
        self._classifier = None if cls is None else _Graph(cls, cache)
        self._segmenter = None if seg is None else _Graph(seg, cache)
        for graph in (self._classifier, self._segmenter):
            if graph is not None:
                graph.ready(self._threads)

    @property
    def precision(self) -> str:
        """Number format of the arithmetic: that of the graphs."""
        return "float32"

    def use_cores(self, half: bool) -> None:
        """Compute with all cores, or with half of them, from now on."""
        self._threads = max(1, self._cores // 2) if half else self._cores

    def _predict_batch(
        self, numbers: NDArray[np.int64], images: NDArray[np.uint8], read_seconds: float
    ) -> PredictionBatch:
        seconds = dict.fromkeys(STAGES, 0.0) | {"read": read_seconds}
        quality = logits = plane = area_fraction = masks = None
        if self._classifier is not None:
            told = self._classifier.run(images, self._threads, seconds)
            quality, logits, plane = told["quality"], told["logits"], told.get("plane")
        if self._segmenter is not None:
            told = self._segmenter.run(images, self._threads, seconds)
            area_fraction = told["area_fraction"]
            begun = time.perf_counter()
            threshold = self._segmenter.model.card.mask_threshold
            shape = (images.shape[1], images.shape[2])
            masks = restored(told["probability"], shape, threshold)
            seconds["restore"] = time.perf_counter() - begun
        return PredictionBatch(numbers, quality, area_fraction, masks, seconds, logits, plane)


class _Graph:
    """A graph, prepared for each number of threads that it is asked for."""

    def __init__(self, model: CompiledModel, cache: Path | None) -> None:
        import openvino

        self.model = model
        self._core = openvino.Core()
        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if cache is not None:
            self._settings["CACHE_DIR"] = str(cache)
        self._prepared: dict[int, Any] = {}

    def ready(self, threads: int) -> Any:
        if threads not in self._prepared:
            settings = {**self._settings, "INFERENCE_NUM_THREADS": threads}
            try:
                self._prepared[threads] = self._core.compile_model(
                    self.model.folder / GRAPH_FILE, "CPU", settings
                )
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[-1]
                raise ModelError(
                    f"{self.model.folder}: OpenVINO cannot use this graph ({reason})"
                ) from error
        return self._prepared[threads]

    def run(
        self, images: NDArray[np.uint8], threads: int, seconds: dict[str, float]
    ) -> dict[str, NDArray[Any]]:
        begun = time.perf_counter()
        prepared = self.ready(threads)
        found = prepared(np.ascontiguousarray(images))
        told = {name: found[name] for output in prepared.outputs for name in output.names}
        seconds[self.model.card.task] = time.perf_counter() - begun
        return told
