"""Two models on a device: loaded when they are needed, run over frames batch by batch."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

import fetal_iqa_models
from fetal_iqa_models.batchwise import BatchwisePredictor
from napari_fetal_iqa.analysis.cascade import Cascade
from napari_fetal_iqa.analysis.engine import Engine, make_predictor
from napari_fetal_iqa.analysis.frame_order import FrameQueue, coarse_to_fine
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.analysis.precisions import AskedPrecision
from napari_fetal_iqa.analysis.result import AnalysisSetup, FrameResults
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.model_library.zero_shot import made
from napari_fetal_iqa.sweep import SweepVolume

if TYPE_CHECKING:
    from fetal_iqa_models import PredictionBatch


class Analyser:
    """Two models on a device, for one sweep after the other; loaded by the first that needs them.

    Parameters
    ----------
    cls_model, seg_model : str or Path, optional
        Model folders or built-in names; at least one.
    device : str
        ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.
    batch_size : int, optional
        Found by itself by default.
    encoder_weights : Path, optional
        Pretrained weights of the encoder, where the model folders do not hold them; by default
        those that were fetched or imported on this machine.
    engine : "auto", "torch" or "openvino"
        What computes; see :func:`~napari_fetal_iqa.analysis.engine.make_predictor`.
    precision : "auto", "float32", "bf16" or "int8"
        In which OpenVINO computes; by itself the fastest that passed the gate.
    cascade : "auto", "off" or float
        Which frames the segmenter sees: all of them by default, as research figures want it; see
        :mod:`~napari_fetal_iqa.analysis.cascade`.

    Attributes
    ----------
    engine : "auto", "torch" or "openvino"
        As it was asked for.
    precision : "auto", "float32", "bf16" or "int8"
        As it was asked for.
    setup : AnalysisSetup
        Which models speak, with which thresholds, and on which device they now run.

    Raises
    ------
    AnalysisError
        Without any model, or with one of the wrong task.
    fetal_iqa_models.ModelError
        Where a folder is missing or no model.
    """

    def __init__(
        self,
        cls_model: str | Path | None = "demo-cls",
        seg_model: str | Path | None = "demo-seg",
        device: str = "auto",
        batch_size: int | None = None,
        encoder_weights: Path | None = None,
        engine: Engine = "auto",
        precision: AskedPrecision = "auto",
        cascade: Cascade = "off",
    ) -> None:
        self._chosen = choose_models(made(cls_model), seg_model, encoder_weights, cascade)
        self._device = device
        self._batch_size = batch_size
        self._encoder_weights = encoder_weights
        self.engine: Engine = engine
        self.precision: AskedPrecision = precision

    @property
    def loaded(self) -> bool:
        """Whether the networks are in memory."""
        return "_predictor" in self.__dict__

    def load(self) -> Self:
        """Load the networks, unless they are loaded already.

        Raises
        ------
        fetal_iqa_models.ModelError
            Where a model cannot be loaded, or the device is not there.
        """
        _ = self._predictor
        return self

    @cached_property
    def _predictor(self) -> BatchwisePredictor:
        return make_predictor(
            self._chosen,
            self._device,
            self._batch_size,
            self._encoder_weights,
            self.engine,
            self.precision,
        )

    @property
    def setup(self) -> AnalysisSetup:
        """Who speaks. No device before loading; it may have become the CPU since the last batch."""
        if not self.loaded:
            return self._chosen.setup()
        predictor = self._predictor
        return self._chosen.setup(str(predictor.device), predictor.precision, predictor.engine)

    def run(
        self, sweep: SweepVolume, order: Sequence[int] | FrameQueue | None = None
    ) -> Iterator[FrameResults]:
        """Analyse frames batch by batch; closing the iterator cancels between batches.

        Parameters
        ----------
        sweep : SweepVolume
        order : sequence of int, or FrameQueue, optional
            Which frames, in which order; coarse to fine by default.
        """
        frames = coarse_to_fine(len(sweep)) if order is None else order
        self._predictor.cascade = self._chosen.cascade
        for batch in self._predictor.predict(
            sweep.frames, frames.take if isinstance(frames, FrameQueue) else frames
        ):
            images = (sweep.frames[int(frame)] for frame in batch.frames)
            yield self._with_device(measured(batch, images, sweep.spacing_mm, sweep.field_of_view))

    def run_batch(
        self,
        numbers: NDArray[np.int64],
        images: NDArray[np.uint8],
        spacing_mm: tuple[float, float] | None,
        field_of_view: NDArray[np.bool_],
        cascade: float | None = None,
    ) -> FrameResults:
        """Analyse frames that are at hand, (n, H, W), under the numbers that they have.

        Those of at least the quality ``cascade`` are outlined; all where it is None.
        """
        self._predictor.cascade = cascade
        parts = list(self._predictor.predict(images))
        places = np.concatenate([part.frames for part in parts])
        seconds = {stage: sum(part.seconds[stage] for part in parts) for stage in parts[0].seconds}
        batch = fetal_iqa_models.PredictionBatch(
            frames=numbers[places],
            quality=_joined([part.quality for part in parts]),
            area_fraction=_joined([part.area_fraction for part in parts]),
            masks=_joined([part.masks for part in parts]),
            plane=_joined([part.plane for part in parts]),
            seconds=seconds,
        )
        return self._with_device(measured(batch, images, spacing_mm, field_of_view))

    def use_cores(self, half: bool) -> None:
        """Compute with all cores that the engine takes by itself, or with half of them."""
        self._predictor.use_cores(half)

    def _with_device(self, results: FrameResults) -> FrameResults:
        setup = self.setup
        return replace(results, device=setup.device, precision=setup.precision, engine=setup.engine)


def measured(
    batch: "PredictionBatch",
    images: Iterable[NDArray[np.uint8]],
    spacing_mm: tuple[float, float] | None,
    field_of_view: NDArray[np.bool_],
) -> FrameResults:
    """Turn masks into circumferences and into their compact form."""
    started = time.perf_counter()
    ac_mm = np.full(len(batch.frames), np.nan)
    packed = None
    if batch.masks is not None:
        packed = tuple(encode_mask(mask) for mask in batch.masks)
        if spacing_mm is not None:
            for place, mask in enumerate(batch.masks):
                measurement = measure_abdomen(mask, spacing_mm, field_of_view)
                ac_mm[place] = measurement.circumference_mm if measurement else np.nan
    return FrameResults(
        frames=batch.frames,
        quality=batch.quality,
        area_fraction=batch.area_fraction,
        masks=packed,
        ac_mm=ac_mm,
        non_black=np.array([bool(np.any(image)) for image in images]),
        seconds={**batch.seconds, "measure": time.perf_counter() - started},
        plane=batch.plane,
    )


def _joined(parts: list[NDArray | None]) -> NDArray | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None
