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
from fetal_iqa_models.compiled.memory_needed import check_memory
from fetal_iqa_models.compiled.restoring import restored
from fetal_iqa_models.compiled.splitting import split_at_input
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.prediction_batch import STAGES, PredictionBatch, nothing_outlined


class CompiledPredictor(BatchwisePredictor):
    """Scores and outlines frames as :class:`~fetal_iqa_models.FramePredictor` does.

    Each graph in its own precision: in float32 results are those of torch but for rounding, in
    less they are as near as the gate asks (:mod:`fetal_iqa_models.compiled.gate`).

    Parameters
    ----------
    cls, seg : CompiledModel, optional
        One of the two at least, or the graph of ``both``.
    batch_size : int, optional
        Frames per batch to begin with; found by itself by default.
    cache : Path, optional
        Where OpenVINO keeps what it prepared for this processor, to begin sooner next time.
    both : CompiledModel, optional
        Instead of the two: one graph of one encoder, which outlines every frame, whatever the
        cascade spares, as the decoder costs little.

    Raises
    ------
    ModelError
        Without any model, where OpenVINO cannot read a graph, or the memory is too little.
    """

    engine = "openvino"
    device = "cpu"

    def __init__(
        self,
        cls: CompiledModel | None = None,
        seg: CompiledModel | None = None,
        batch_size: int | None = None,
        cache: Path | None = None,
        both: CompiledModel | None = None,
    ) -> None:
        if cls is None and seg is None and both is None:
            raise ModelError("nothing to predict with: give a classifier, a segmenter, or both")
        super().__init__(AIMS["cpu"], batch_size)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        self._cores = cores or 1
        self._threads = self._cores
        self._classifier = None if cls is None else _Graph(cls, cache)
        self._segmenter = None if seg is None else _Graph(seg, cache)
        self._both = None if both is None else _Graph(both, cache)
        for graph in self._graphs:
            if graph is not None:
                graph.ready(self._threads)

    @property
    def _graphs(self) -> "tuple[_Graph | None, ...]":
        return self._classifier, self._segmenter, self._both

    @property
    def precision(self) -> str:
        """Number format of the arithmetic: that of the graphs, of each where they differ."""
        models = [one.model for one in self._graphs if one is not None]
        if len({model.precision for model in models}) == 1:
            return models[0].precision
        return ", ".join(f"{model.card.task} {model.precision}" for model in models)

    def use_cores(self, half: bool) -> None:
        """Compute with all cores, or with half of them, from now on."""
        self._threads = max(1, self._cores // 2) if half else self._cores

    def _predict_batch(
        self, numbers: NDArray[np.int64], images: NDArray[np.uint8], read_seconds: float
    ) -> PredictionBatch:
        seconds = dict.fromkeys(STAGES, 0.0) | {"read": read_seconds}
        quality = logits = plane = area_fraction = masks = None
        if self._both is not None:
            told = self._both.run(images, self._threads, seconds)
            quality, logits, plane = told["quality"], told["logits"], told.get("plane")
            area_fraction, masks = self._restored(self._both, told, images.shape, seconds)
        if self._classifier is not None:
            told = self._classifier.run(images, self._threads, seconds)
            quality, logits, plane = told["quality"], told["logits"], told.get("plane")
        if self._segmenter is not None:
            seen = self._seen_by_segmenter(quality)
            if seen is None:
                area_fraction, masks = self._outline(self._segmenter, images, seconds)
            else:
                area_fraction, masks = nothing_outlined(images.shape)
                if seen.any():
                    found = self._outline(self._segmenter, images[seen], seconds)
                    area_fraction[seen], masks[seen] = found
        return PredictionBatch(numbers, quality, area_fraction, masks, seconds, logits, plane)

    def _outline(
        self, segmenter: "_Graph", images: NDArray[np.uint8], seconds: dict[str, float]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return areas and masks."""
        told = segmenter.run(images, self._threads, seconds)
        return self._restored(segmenter, told, images.shape, seconds)

    def _restored(
        self,
        graph: "_Graph",
        told: dict[str, NDArray[Any]],
        shape: tuple[int, ...],
        seconds: dict[str, float],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        begun = time.perf_counter()
        card = graph.model.partner or graph.model.card
        masks = restored(told["probability"], (shape[1], shape[2]), card.mask_threshold)
        seconds["restore"] = time.perf_counter() - begun
        return told["area_fraction"], masks


_NEEDED = 2.5
"""Memory by the size of a graph's weights: OpenVINO maps the file and makes its own of them."""


class _Graph:
    """A graph, prepared for each number of threads that it is asked for."""

    def __init__(self, model: CompiledModel, cache: Path | None) -> None:
        import openvino

        check_memory(_NEEDED * model.weight_bytes, f"the compiled {model.card.task} model")
        self.model = model
        self._core = openvino.Core()
        self._settings = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if cache is not None:
            self._settings["CACHE_DIR"] = str(cache)
        self._prepared: dict[int, list[_Stage]] = {}

    def ready(self, threads: int) -> "list[_Stage]":
        if threads not in self._prepared:
            try:
                self._prepared[threads] = self._prepare(threads)
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[-1]
                raise ModelError(
                    f"{self.model.folder}: OpenVINO cannot use this graph ({reason})"
                ) from error
        return self._prepared[threads]

    def _prepare(self, threads: int) -> "list[_Stage]":
        settings = {**self._settings, "INFERENCE_NUM_THREADS": threads}
        graph: Any = self.model.folder / GRAPH_FILE
        # by itself OpenVINO takes bf16 wherever the processor has it
        full = {**settings, "INFERENCE_PRECISION_HINT": "f32"}
        if self.model.precision != "bf16":
            return [_Stage(self._core.compile_model(graph, "CPU", full))]
        before, network = split_at_input(self._core.read_model(graph))
        half = {**settings, "INFERENCE_PRECISION_HINT": "bf16"}
        return [
            _Stage(self._core.compile_model(before, "CPU", full)),
            _Stage(self._core.compile_model(network, "CPU", half)),
        ]

    def run(
        self, images: NDArray[np.uint8], threads: int, seconds: dict[str, float]
    ) -> dict[str, NDArray[Any]]:
        begun = time.perf_counter()
        # each frame by itself stays in a core's cache
        frames: list[list[NDArray[Any]]] = [[frame[None]] for frame in images]
        stages = self.ready(threads)
        for stage in stages:
            frames = stage.run([frame[0] for frame in frames])
        told = map(np.concatenate, zip(*frames, strict=True))
        named = zip(stages[-1].names, told, strict=True)
        seconds[self.model.card.task] = time.perf_counter() - begun
        return {name: array for names, array in named for name in names}


class _Stage:
    """A prepared graph of one input, which takes as many at a time as OpenVINO finds best."""

    def __init__(self, prepared: Any) -> None:
        import openvino

        # one output may have several names, where it is the same tensor
        self.names = [tuple(output.names) for output in prepared.outputs]
        self._queue = openvino.AsyncInferQueue(prepared)
        self._queue.set_callback(self._keep)
        self._found: list[list[NDArray[Any]]] = []

    def run(self, inputs: list[NDArray[Any]]) -> list[list[NDArray[Any]]]:
        """Return the outputs of each input."""
        self._found = [[] for _ in inputs]
        for place, one in enumerate(inputs):
            self._queue.start_async(np.ascontiguousarray(one), place)
        self._queue.wait_all()
        return self._found

    def _keep(self, request: Any, place: int) -> None:
        # the request's own memory is written over by its next input
        self._found[place] = [output.data.copy() for output in request.output_tensors]
