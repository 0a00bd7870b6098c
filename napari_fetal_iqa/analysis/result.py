"""What the networks say of a sweep: quality, masks, circumference, and the best frame."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.thresholds import AREA_THRESHOLD, QUALITY_THRESHOLD
from napari_fetal_iqa.analysis.best_frame import best_frame
from napari_fetal_iqa.geometry.biometry import AbdomenMeasurement, measure_abdomen
from napari_fetal_iqa.geometry.mask_codec import decode_mask
from napari_fetal_iqa.sweep import SweepVolume

NOT_COMPUTED = -1
NO_PLANE = -1


@dataclass(frozen=True)
class ModelRef:
    """Which model it was: enough to name, verify and reproduce it.

    Parameters
    ----------
    id : str
        Short, for people: ``"cls-7f3a"``.
    hash : str
        sha256 of the model folder.
    name : str
    demo : bool
        Trained on phantoms only: not for clinical use.
    encoder_weights : str or None
        sha256 of the encoder's pretrained weights, where the model folder does not hold them.
    """

    id: str
    hash: str
    name: str
    demo: bool = False
    encoder_weights: str | None = None


@dataclass(frozen=True)
class Thresholds:
    """From which values on a frame counts as one that shows the abdomen.

    ``quality`` is a probability to exceed; ``area`` the least share of the padded square that
    the mask must cover.
    """

    quality: float = QUALITY_THRESHOLD
    area: float = AREA_THRESHOLD


@dataclass(frozen=True)
class AnalysisSetup:
    """Who speaks, from when on it counts, and where it is computed.

    Parameters
    ----------
    cls_model, seg_model : ModelRef or None
    thresholds : Thresholds
    device, precision : str
        As ``"cuda"`` and ``"bfloat16"``.
    engine : str
        What computes: ``"torch"`` or ``"openvino"``.
    planes : tuple of str
        The classes that the classifier tells apart, in words; none where it only scores.
    notices : tuple of str
        What must be known of the models, beside what ``demo`` says.
    names : tuple of str
        What each model is called, in the order of ``models``: a built-in one by its name, others
        by their id.
    good_for : tuple of str
        Which frames each of them knows, in a line.
    cascade : float or None
        Least quality of a frame that the segmenter sees; None where it sees all.
    """

    cls_model: ModelRef | None = None
    seg_model: ModelRef | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    device: str = "cpu"
    precision: str = "float32"
    engine: str = "torch"
    planes: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    good_for: tuple[str, ...] = ()
    cascade: float | None = None

    @property
    def models(self) -> tuple[ModelRef, ...]:
        """The models that speak."""
        return tuple(model for model in (self.cls_model, self.seg_model) if model)

    def about(self) -> list[str]:
        """Say of each model which it is and what it is good for, a line each."""
        known = zip(self.names, self.models, self.good_for, strict=False)
        return [
            f"{name}{'' if name == model.id else f' ({model.id})'}: good for {good_for}"
            for name, model, good_for in known
        ]

    @property
    def demo(self) -> bool:
        """Whether any of them is a demo model: not for clinical use."""
        return any(model.demo for model in self.models)


@dataclass(frozen=True)
class FrameResults:
    """Results of some frames; all that crosses from the worker to the window.

    Parameters
    ----------
    frames : (n,) int array
    quality : (n,) float32 array or None
        CLS probability; None without a classifier.
    area_fraction : (n,) float32 array or None
        Share of the padded square that the mask covers; None without a segmenter. nan where the
        cascade spared it the frame, whose mask then says nothing.
    masks : tuple of bytes or None
        Packed (H, W) masks, see :mod:`napari_fetal_iqa.geometry.mask_codec`.
    ac_mm : (n,) float64 array
        Abdominal circumference; nan without a mask or a spacing.
    non_black : (n,) bool array
        Whether the frame shows anything at all.
    seconds : dict
        Time spent by stage.
    device, precision, engine : str or None
        Where these frames were computed, if it is known.
    plane : (n,) int array or None
        Which of the classifier's classes is the most probable, by its place in the setup's
        ``planes``; None where it only scores.
    """

    frames: NDArray[np.int64]
    quality: NDArray[np.float32] | None
    area_fraction: NDArray[np.float32] | None
    masks: tuple[bytes, ...] | None
    ac_mm: NDArray[np.float64]
    non_black: NDArray[np.bool_]
    seconds: dict[str, float]
    device: str | None = None
    precision: str | None = None
    engine: str | None = None
    plane: NDArray[np.integer] | None = None


class Analysis:
    """Results of a whole sweep, filled frame by frame.

    Parameters
    ----------
    sweep : SweepVolume
    setup : AnalysisSetup, optional
        By default nobody has spoken.

    Attributes
    ----------
    quality, area_fraction : (T,) float32
        nan where not computed.
    ac_mm : (T,) float64
        nan where there is no mask or no spacing.
    planes : (T,) int16
        Most probable class of each frame, by its place in the setup's ``planes``; -1 where none
        is known.
    computed, non_black : (T,) bool
        Frames that are done; frames that show anything at all.
    seconds : dict
        Time spent by stage.
    """

    def __init__(self, sweep: SweepVolume, setup: AnalysisSetup | None = None) -> None:
        self.sweep = sweep
        self.setup = setup or AnalysisSetup()
        self.seconds: dict[str, float] = {}
        n_frames = len(sweep)
        self.quality = np.full(n_frames, np.nan, np.float32)
        self.area_fraction = np.full(n_frames, np.nan, np.float32)
        self.ac_mm = np.full(n_frames, np.nan)
        self.planes = np.full(n_frames, NO_PLANE, np.int16)
        self.computed = np.zeros(n_frames, bool)
        self.non_black = np.zeros(n_frames, bool)
        self._masks: dict[int, bytes] = {}

    @property
    def complete(self) -> bool:
        """Whether every frame has its results, but for outlines that the cascade spares."""
        return bool(self.computed.all()) and not self.lacking.any()

    @property
    def spared(self) -> NDArray[np.bool_]:
        """(T,) bool: frames that were scored, and that the segmenter did not see."""
        if not self.setup.seg_model:
            return np.zeros(len(self.computed), bool)
        return self.computed & np.isnan(self.area_fraction)

    @property
    def lacking(self) -> NDArray[np.bool_]:
        """(T,) bool: frames of which the setup wants an outline that was not looked for."""
        bound = self.setup.cascade
        return self.spared if bound is None else self.spared & (self.quality >= bound)

    def add(self, results: FrameResults) -> None:
        """Take in the results of some frames."""
        frames = results.frames
        if results.quality is not None:
            self.quality[frames] = results.quality
        if results.plane is not None:
            self.planes[frames] = results.plane
        if results.area_fraction is not None and results.masks is not None:
            seen = np.flatnonzero(np.isfinite(results.area_fraction))
            self.area_fraction[frames[seen]] = results.area_fraction[seen]
            self._masks.update({int(frames[row]): results.masks[row] for row in seen})
        self.ac_mm[frames] = results.ac_mm
        self.non_black[frames] = results.non_black
        self.computed[frames] = True
        self.setup = replace(
            self.setup,
            device=results.device or self.setup.device,
            precision=results.precision or self.setup.precision,
            engine=results.engine or self.setup.engine,
        )
        for stage, seconds in results.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def results(self, frames: NDArray[np.integer]) -> FrameResults:
        """Return what is known of computed frames, but for their masks."""
        return FrameResults(
            frames=np.asarray(frames, np.int64),
            quality=self.quality[frames] if self.setup.cls_model else None,
            area_fraction=self.area_fraction[frames] if self.setup.seg_model else None,
            masks=None,
            ac_mm=self.ac_mm[frames],
            non_black=self.non_black[frames],
            seconds={},
            plane=self.planes[frames] if self.setup.planes else None,
        )

    def scores(self, frame: int) -> tuple[float | None, float | None]:
        """Return quality and area fraction of a frame; None where not computed."""
        scores = (float(self.quality[frame]), float(self.area_fraction[frame]))
        quality, area = (score if np.isfinite(score) else None for score in scores)
        return quality, area

    def plane(self, frame: int) -> str:
        """Return the class that a frame most probably is of, in words; empty where none is known.

        Nothing is said of a black frame.
        """
        place = int(self.planes[frame])
        known = self.non_black[frame] and 0 <= place < len(self.setup.planes)
        return self.setup.planes[place] if known else ""

    def speakers(self, frames: Sequence[int], *which: str) -> str | None:
        """Name the models whose results of all these frames are there, by id and hash.

        Parameters
        ----------
        frames : sequence of int
        which : {"cls_model", "seg_model"}
            Models to name, where they spoke.

        Returns
        -------
        str or None
            None where a frame was not computed or none of these models spoke.
        """
        if not self.computed[list(frames)].all():
            return None
        models = [getattr(self.setup, name) for name in which]
        return ", ".join(f"{model.id} {model.hash}" for model in models if model) or None

    def set_thresholds(self, thresholds: Thresholds) -> tuple[int, ...]:
        """Count frames as positive from other scores on; return those whose label changed."""
        before = self.labels()
        self.setup = replace(self.setup, thresholds=thresholds)
        return tuple(np.flatnonzero(self.labels() != before).tolist())

    def packed_mask(self, frame: int) -> bytes | None:
        """Return the model's mask of a frame as it is kept, or None where there is none."""
        return self._masks.get(frame)

    def mask(self, frame: int) -> NDArray[np.bool_]:
        """Return the model's mask of a frame, (H, W); empty where none was computed."""
        shape = self.sweep.shape[1:]
        code = self._masks.get(frame)
        return np.zeros(shape, bool) if code is None else decode_mask(code, shape)

    def measure(self, frame: int) -> AbdomenMeasurement | None:
        """Measure the model's mask of a frame; None without a mask or a spacing."""
        if self.sweep.spacing_mm is None or frame not in self._masks:
            return None
        return measure_abdomen(self.mask(frame), self.sweep.spacing_mm, self.sweep.field_of_view)

    def labels(self) -> NDArray[np.int8]:
        """Label every frame by the thresholds.

        Returns
        -------
        (T,) int8 : 1 where every model that spoke finds the abdomen, 0 where not, -1 where
        nothing was computed. A black frame never shows an abdomen. Where the cascade spared a
        frame the outline, a quality below its threshold says 0; another leaves it open, -1.
        """
        positive = self.non_black.copy()
        if self.setup.cls_model:
            positive &= np.nan_to_num(self.quality) > self.setup.thresholds.quality
        if self.setup.seg_model:
            positive &= np.nan_to_num(self.area_fraction) >= self.setup.thresholds.area
        labels = positive.astype(np.int8)
        spared = self.spared
        if spared.any():
            labels[spared & (self.quality > self.setup.thresholds.quality)] = NOT_COMPUTED
        labels[~self.computed] = NOT_COMPUTED
        return labels

    @property
    def score(self) -> NDArray[np.float32]:
        """(T,) float32: what frames are compared by; nan where not computed.

        The quality where there is a classifier, else the area. A black frame counts 0.
        """
        score = self.quality if self.setup.cls_model else self.area_fraction
        return np.where(self.computed & ~self.non_black, np.float32(0), score)

    def best_frame(self) -> int:
        """Return the frame to measure, or -1 where none shows the abdomen; see ``best_frame``."""
        return best_frame(self.score, self.labels() == 1, self.sweep.bounds)
