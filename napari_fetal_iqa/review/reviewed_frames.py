"""What counts of each frame of a sweep: the expert's word, or else the models'."""

from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.analysis.best_frame import best_frame
from napari_fetal_iqa.analysis.result import NOT_COMPUTED, Analysis
from napari_fetal_iqa.corrections import (
    CorrectionStore,
    FrameCorrection,
    History,
    Label,
    PlacedCaliper,
)
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.geometry.biometry import AbdomenMeasurement, is_in_pieces, measure_abdomen
from napari_fetal_iqa.geometry.mask_codec import decode_mask
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.review.frame_view import FrameView, Source
from napari_fetal_iqa.sweep import SweepVolume


class ReviewedFrames:
    """What the models say of the frames of a sweep, overruled by what one reviewer says.

    Parameters
    ----------
    sweep : SweepVolume
    store : CorrectionStore
    reviewer : str

    Attributes
    ----------
    analysis : Analysis or None
        What the models say.
    """

    def __init__(self, sweep: SweepVolume, store: CorrectionStore, reviewer: str) -> None:
        self.sweep = sweep
        self.analysis: Analysis | None = None
        self._store = store
        self._shown = reviewer

    @property
    def shown(self) -> str:
        """Whose corrections are shown; only the reviewer's own can be changed."""
        return self._shown

    def corrections(self) -> dict[int, FrameCorrection]:
        """Return the corrections of the shown reviewer, by frame number."""
        return self._store.corrections(self.sweep.identity, self._shown)

    @property
    def _history(self) -> History:
        return self._store.history(self.sweep.identity, self._shown)

    def _correction(self, frame: int) -> FrameCorrection | None:
        return self._history.frame(frame)

    def verdicts(self, frame: int) -> dict[Criterion, bool]:
        """Return what the shown reviewer says of the criteria of a frame."""
        return self._history.verdicts(frame)

    def all_verdicts(self) -> dict[int, dict[Criterion, bool]]:
        """Return the same of every frame of which anything is said, by frame number."""
        return self._history.all_verdicts()

    def calipers(self) -> tuple[PlacedCaliper, ...]:
        """Return the shown reviewer's free calipers, by frame."""
        return self._history.calipers()

    @property
    def age(self) -> Dating | None:
        """How far the pregnancy was by dates, as somebody entered it."""
        return self._store.age(self.sweep.identity)

    def mask_source(self, frame: int) -> Source:
        """Return who drew the mask of a frame that counts."""
        correction = self._correction(frame)
        if correction and (correction.mask is not None or _says_none(correction)):
            return Source.EXPERT
        if self.analysis and self.analysis.packed_mask(frame) is not None:
            return Source.MODEL
        return Source.NOBODY

    def packed_mask(self, frame: int) -> bytes | None:
        """Return the mask of a frame that counts as it is kept; None where nobody drew one."""
        correction = self._correction(frame)
        if correction and _says_none(correction):
            return None
        if correction and correction.mask is not None:
            return correction.mask
        return self.analysis.packed_mask(frame) if self.analysis else None

    def mask(self, frame: int) -> NDArray[np.bool_]:
        """Return the mask of a frame that counts, (H, W); empty where nobody drew one.

        Empty, too, where the expert says that there is no abdomen, whatever was outlined before.
        """
        correction = self._correction(frame)
        if correction and _says_none(correction):
            return np.zeros(self.sweep.shape[1:], bool)
        if correction and correction.mask is not None:
            return decode_mask(correction.mask, self.sweep.shape[1:])
        if self.analysis:
            return self.analysis.mask(frame)
        return np.zeros(self.sweep.shape[1:], bool)

    def labels(self) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        """Return the label of every frame that counts, and which of them the expert set.

        Returns
        -------
        labels : (T,) int8
            :class:`Label` values; -1 where there is no label, and where the expert outlined what
            the models take for no abdomen, without saying yet which plane it is.
        by_expert : (T,) bool
            Frames with an expert's label or mask.
        """
        nobody = np.full(len(self.sweep), -1, np.int8)
        labels = self.analysis.labels() if self.analysis else nobody
        by_expert = np.zeros(len(labels), bool)
        for frame, correction in self.corrections().items():
            by_expert[frame] = True
            label = self._expert_label(correction)
            if label is not None:
                labels[frame] = label
            elif labels[frame] == Label.NONE and correction.mask is not None:
                labels[frame] = NOT_COMPUTED
        return labels, by_expert

    def _expert_label(self, correction: FrameCorrection) -> Label | None:
        """Return the expert's label: a mask that was cleared says that there is no abdomen."""
        if correction.label is None and self._is_cleared(correction):
            return Label.NONE
        return correction.label

    def _is_cleared(self, correction: FrameCorrection) -> bool:
        if correction.mask is None:
            return False
        return not _has_abdomen(correction.mask, self.sweep.shape[1:])

    def view(self, frame: int) -> FrameView:
        """Return all there is to show of one frame."""
        sweep, frame_in_sweep = self.sweep.locate(frame)
        correction = self._correction(frame)
        label, label_source = self._label(frame, correction)
        scores = self.analysis.scores(frame) if self.analysis else (None, None)
        return FrameView(
            frame=frame,
            sweep=sweep,
            frame_in_sweep=frame_in_sweep,
            quality=scores[0],
            area_fraction=scores[1],
            label=label,
            label_source=label_source,
            mask_source=self.mask_source(frame),
            measure=partial(self._measure, frame),
            plane=self._plane(frame),
        )

    def _plane(self, frame: int) -> str | None:
        if self.analysis is None or not self.analysis.setup.planes:
            return None
        return self.analysis.plane(frame)

    def models_mask(self, frame: int) -> NDArray[np.bool_] | None:
        """Return the model's mask of a frame, (H, W), whoever corrected it; None without one."""
        if self.analysis is None or self.analysis.packed_mask(frame) is None:
            return None
        return self.analysis.mask(frame)

    def models_view(self, frame: int) -> FrameView:
        """Return all there is to show of one frame as it was before the expert corrected it."""
        label, label_source = self._label(frame, None)
        mask = self.models_mask(frame)
        return replace(
            self.view(frame),
            label=label,
            label_source=label_source,
            mask_source=Source.NOBODY if mask is None else Source.MODEL,
            measure=partial(self._measure_mask, label, mask),
        )

    def _label(self, frame: int, correction: FrameCorrection | None) -> tuple[Label | None, Source]:
        if correction and (label := self._expert_label(correction)) is not None:
            return label, Source.EXPERT
        if self.analysis and self.analysis.computed[frame]:
            found = int(self.analysis.labels()[frame])
            if found == NOT_COMPUTED:  # its quality would do, and nobody looked for the outline
                return None, Source.NOBODY
            label = Label(found)
            outlined = correction is not None and correction.mask is not None
            if not (outlined and label is Label.NONE):  # who outlines it does not say "none"
                return label, Source.MODEL
        return None, Source.NOBODY

    def _measure(self, frame: int) -> AbdomenMeasurement | str:
        if self._is_spared(frame) and self._correction(frame) is None:
            return "not outlined, as the quality is low"
        label, _ = self._label(frame, self._correction(frame))
        if label is Label.NONE:
            return self._measure_mask(label, None)
        mask = self.mask(frame)
        if self.mask_source(frame) is Source.MODEL and mask.any() and self._is_too_small(frame):
            return "the model's outline is below the area threshold"
        return self._measure_mask(label, mask)

    def _is_spared(self, frame: int) -> bool:
        return self.analysis is not None and bool(self.analysis.spared[frame])

    def _is_too_small(self, frame: int) -> bool:
        return self.analysis is not None and not self._large_enough(self.analysis)[frame]

    @staticmethod
    def _large_enough(analysis: Analysis) -> NDArray[np.bool_]:
        """Frames whose outline by the model reaches the threshold, whatever their label, (T,)."""
        area = np.nan_to_num(analysis.area_fraction)
        return (area > 0) & (area >= analysis.setup.thresholds.area)

    def _measure_mask(
        self, label: Label | None, mask: NDArray[np.bool_] | None
    ) -> AbdomenMeasurement | str:
        if label is Label.NONE:
            return "no abdomen here"
        if mask is None or not mask.any():
            return "no outline"
        if self.sweep.spacing_mm is None:
            return "the sweep has no spacing"
        if is_in_pieces(mask):
            return "the outline is in pieces"
        measured = measure_abdomen(mask, self.sweep.spacing_mm, self.sweep.field_of_view)
        return measured or "too little of the outline is in view"

    def best_frame(self) -> int:
        """Return the frame to measure, or -1: the models' choice among what the expert left."""
        if self.analysis is None:
            return -1
        return best_frame(self.analysis.score, self.measurable(), self.sweep.bounds)

    def best_frames(self) -> list[int]:
        """Return the frame to measure of each sweep that has one."""
        if self.analysis is None:
            return []
        score, measurable = self.analysis.score, self.measurable()
        frames = (best_frame(score, measurable, [bound]) for bound in self.sweep.bounds)
        return [frame for frame in frames if frame >= 0]

    def measurable(self) -> NDArray[np.bool_]:
        """Frames of the optimal plane that have an outline to measure, (T,)."""
        return (self.labels()[0] == Label.OPTIMAL) & self.outlined()

    def outlined(self) -> NDArray[np.bool_]:
        """Frames with an outline to measure, (T,); all of them where nothing outlines.

        The expert's is not empty, and the model's reaches the area threshold: a label alone does
        not make a speck an abdomen.
        """
        if self.analysis is None or not self.analysis.setup.seg_model:
            return np.ones(len(self.sweep), bool)
        outlined = self._large_enough(self.analysis)
        for frame, correction in self.corrections().items():
            if _says_none(correction):
                outlined[frame] = False
            elif correction.mask is not None:
                outlined[frame] = not self._is_cleared(correction)
        return outlined

    def models_outline_counts(self) -> NDArray[np.bool_]:
        """Frames whose abdomen is measured by the model's outline, (T,); accepted ones, too."""
        counts = self.outlined() & (self.labels()[0] > Label.NONE)
        for frame, correction in self.corrections().items():
            models = self.analysis.packed_mask(frame) if self.analysis else None
            counts[frame] &= correction.mask in (None, models)
        return counts


def _says_none(correction: FrameCorrection) -> bool:
    """Whether the expert's label takes the outline away; one drawn later took the label back."""
    return correction.label is Label.NONE


@lru_cache(maxsize=4096)
def _has_abdomen(code: bytes, shape: tuple[int, int]) -> bool:
    return bool(decode_mask(code, shape).any())
