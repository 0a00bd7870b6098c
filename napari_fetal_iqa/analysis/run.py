"""Both networks over one sweep, in batches, in any order of frames."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import fetal_iqa_models
from napari_fetal_iqa.analysis import cache
from napari_fetal_iqa.analysis.frame_order import coarse_to_fine
from napari_fetal_iqa.analysis.models import ChosenModel, choose_models
from napari_fetal_iqa.analysis.result import Analysis, AnalysisSetup, FrameResults
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import SweepVolume

if TYPE_CHECKING:
    from fetal_iqa_models import PredictionBatch

Progress = Callable[[int, int], None]
"""Called with frames done and frames in all."""


class Analyser:
    """Two loaded models on a device, ready for one sweep after the other.

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

    Attributes
    ----------
    setup : AnalysisSetup
        Which models speak, with which thresholds, and on which device they now run.

    Raises
    ------
    AnalysisError
        Without any model, or with one of the wrong task.
    fetal_iqa_models.ModelError
        Where a model cannot be loaded.
    """

    def __init__(
        self,
        cls_model: str | Path | None = "demo-cls",
        seg_model: str | Path | None = "demo-seg",
        device: str = "auto",
        batch_size: int | None = None,
        encoder_weights: Path | None = None,
    ) -> None:
        chosen = choose_models(cls_model, seg_model, encoder_weights)
        self._predictor = fetal_iqa_models.FramePredictor(
            _load(chosen.cls, encoder_weights),
            _load(chosen.seg, encoder_weights),
            device=device,
            batch_size=batch_size,
        )
        self._chosen = chosen

    @property
    def setup(self) -> AnalysisSetup:
        """Who speaks; the device may have become the CPU since the last batch."""
        return self._chosen.setup(str(self._predictor.device), self._predictor.precision)

    def run(self, sweep: SweepVolume, order: Sequence[int] | None = None) -> Iterator[FrameResults]:
        """Analyse frames batch by batch; closing the iterator cancels between batches.

        Parameters
        ----------
        sweep : SweepVolume
        order : sequence of int, optional
            Which frames, in which order; coarse to fine by default.
        """
        frames = coarse_to_fine(len(sweep)) if order is None else order
        for batch in self._predictor.predict(sweep.frames, frames):
            images = (sweep.frames[int(frame)] for frame in batch.frames)
            yield self._told(measured(batch, images, sweep.spacing_mm, sweep.field_of_view))

    def run_batch(
        self,
        numbers: NDArray[np.int64],
        images: NDArray[np.uint8],
        spacing_mm: tuple[float, float] | None,
        field_of_view: NDArray[np.bool_],
    ) -> FrameResults:
        """Analyse frames that are at hand, (n, H, W), under the numbers that they have."""
        parts = list(self._predictor.predict(images))
        places = np.concatenate([part.frames for part in parts])
        seconds = {stage: sum(part.seconds[stage] for part in parts) for stage in parts[0].seconds}
        batch = fetal_iqa_models.PredictionBatch(
            frames=numbers[places],
            quality=_joined([part.quality for part in parts]),
            area_fraction=_joined([part.area_fraction for part in parts]),
            masks=_joined([part.masks for part in parts]),
            seconds=seconds,
        )
        return self._told(measured(batch, images, spacing_mm, field_of_view))

    def _told(self, results: FrameResults) -> FrameResults:
        setup = self.setup
        return replace(results, device=setup.device, precision=setup.precision)


def analyse_sweep(
    sweep: SweepVolume,
    cls_model: str | Path | None = "demo-cls",
    seg_model: str | Path | None = "demo-seg",
    *,
    device: str = "auto",
    batch_size: int | None = None,
    frames: Sequence[int] | None = None,
    encoder_weights: Path | None = None,
    progress: Progress | None = None,
    use_cache: bool = True,
) -> Analysis:
    """Run the networks over a sweep.

    Parameters
    ----------
    sweep : SweepVolume
    cls_model, seg_model, device, batch_size, encoder_weights
        See :class:`Analyser`.
    frames : sequence of int, optional
        Only these; all of them, coarse to fine, by default.
    progress : callable, optional
        Called with frames done and frames in all after each batch.
    use_cache : bool
        Give what these models said of the whole sweep before, and keep what they say now.

    Raises
    ------
    AnalysisError
        Without any model, or where a frame number is not of this sweep.
    fetal_iqa_models.ModelError
        Where a model cannot be loaded.
    """
    order = coarse_to_fine(len(sweep)) if frames is None else list(frames)
    foreign = [frame for frame in order if not 0 <= frame < len(sweep)]
    if foreign:
        raise AnalysisError(f"{sweep.name} has frames 0 to {len(sweep) - 1}, not {foreign[0]}")
    use_cache = use_cache and frames is None
    if use_cache:
        setup = choose_models(cls_model, seg_model, encoder_weights).setup()
        if (cached := cache.load(sweep, setup)) is not None:
            if progress:
                progress(len(order), len(order))
            return cached
    analyser = Analyser(cls_model, seg_model, device, batch_size, encoder_weights)
    analysis = Analysis(sweep, analyser.setup)
    done = 0
    for results in analyser.run(sweep, order):
        analysis.add(results)
        done += len(results.frames)
        if progress:
            progress(done, len(order))
    if use_cache:
        cache.save(analysis)
    return analysis


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
    )


def _load(model: ChosenModel | None, encoder_weights: Path | None) -> Any:
    """Load the network, a FrameClassifier or FrameSegmenter by its task."""
    if model is None:
        return None
    own = model.card.encoder_weights == "own"
    given = None if own else encoder_weights
    return fetal_iqa_models.load_model(model.folder, given, weights_folder=paths.weights())


def _joined(parts: list[NDArray | None]) -> NDArray | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None
