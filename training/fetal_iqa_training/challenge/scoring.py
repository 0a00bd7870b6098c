"""One case scored by the challenge's metrics: the chosen frame and its mask against the truth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_training.challenge.metrics import (
    frame_selection_score,
    hausdorff_px,
    normalised_absolute_error,
)
from fetal_iqa_training.challenge.organisers import organisers_circumference_px
from fetal_iqa_training.challenge.rules import TOLERANCE_FRAMES, WORST_HAUSDORFF_PX, Rules
from fetal_iqa_training.data.labelled_frames import filled
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.overlap import dice
from napari_fetal_iqa.labels import Label, best_label
from napari_fetal_iqa.sweep import Bounds, Frames


@dataclass(frozen=True, eq=False)
class CaseTruth:
    """The experts' annotations of one case.

    Parameters
    ----------
    masks : (T, H, W) uint8 array or array-like
        0 background, 1 optimal plane, 2 suboptimal plane. Read frame by frame: it may be
        memory-mapped or inflated on demand.
    ac_mm : sequence of (float or None)
        Abdominal circumference of each sweep in mm; None where not annotated.
    spacing_mm : (float, float) or None
        Millimetres per pixel along rows and columns; without it nothing is measured.
    bounds : tuple of (start, stop)
        Half-open frame range of each sweep.
    field_of_view : (H, W) bool array
        Masks count inside it only.

    Raises
    ------
    ValueError
        Where there is not one circumference a sweep, or the field of view is not on the grid.
    """

    masks: Frames
    ac_mm: Sequence[float | None]
    spacing_mm: tuple[float, float] | None
    bounds: Bounds
    field_of_view: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if len(self.ac_mm) != len(self.bounds):
            raise ValueError(f"{len(self.ac_mm)} circumferences of {len(self.bounds)} sweeps")
        if self.field_of_view.shape != tuple(self.masks.shape[1:]):
            raise ValueError(
                f"masks {self.masks.shape} and field of view {self.field_of_view.shape} differ"
            )

    @cached_property
    def planes(self) -> NDArray[np.uint8]:
        """(T,) uint8: the :class:`Label` of each frame, 0 where not annotated; reads all masks."""
        planes = np.zeros(len(self.masks), np.uint8)
        for frame, mask in enumerate(self.masks):
            planes[frame] = best_label(np.asarray(mask))
        return planes

    def sweep_of(self, frame: int) -> int | None:
        """Return the 0-based sweep that holds a frame; None where no sweep does."""
        for sweep, (start, stop) in enumerate(self.bounds):
            if start <= frame < stop:
                return sweep
        return None

    def abdomen(self, frame: int) -> NDArray[np.bool_]:
        """(H, W) bool: the annotated abdomen of a frame, optimal or not, beyond the view too."""
        return np.asarray(self.masks[frame]) > 0

    def filled_abdomen(self, frame: int) -> NDArray[np.bool_]:
        """(H, W) bool: the same, with what an outline encloses."""
        return filled(self.abdomen(frame)[None])[0]

    def annotated_near(self, frame: int) -> list[int]:
        """Return the other annotated frames of the same sweep within the tolerance, in order."""
        sweep = self.sweep_of(frame)
        if sweep is None:
            return []
        start, stop = self.bounds[sweep]
        reach = range(max(start, frame - TOLERANCE_FRAMES), min(stop, frame + TOLERANCE_FRAMES + 1))
        return [other for other in reach if other != frame and self.planes[other]]


@dataclass(frozen=True)
class CaseScore:
    """How well the chosen frame of one case and its mask are.

    Parameters
    ----------
    frame : int
        Chosen; -1 for none.
    compared_frame : int
        Whose annotation the mask was compared with; -1 where there was none.
    ac_mm, true_ac_mm : float or None
        Circumference of the mask and of the sweep that holds the frame.
    nae, wfss, dsc_soft, hausdorff_px, score : float
        See :func:`score_case`.
    hollow : bool
        That annotation is an outline that is not filled, or has holes.
    """

    frame: int
    compared_frame: int
    ac_mm: float | None
    true_ac_mm: float | None
    nae: float
    wfss: float
    dsc_soft: float
    hausdorff_px: float
    score: float
    hollow: bool = False


def score_case(
    truth: CaseTruth,
    frame: int,
    mask: NDArray[Any] | None = None,
    rules: Rules = "corrected",
) -> CaseScore:
    """Score the choice of a frame and its mask.

    ``score = 0.5 (1 - NAE) + 0.25 DSC_soft + 0.25 WFSS``, where

    - NAE compares the circumference of the mask, measured inside the field of view, with that of
      the sweep which holds the frame (:func:`~.metrics.normalised_absolute_error`);
    - WFSS weighs the choice (:func:`~.metrics.frame_selection_score`);
    - DSC_soft is Dice with the annotated abdomen of the same frame inside the field of view; where
      that is empty, Dice with the nearest annotated frame of the same sweep within 15 frames,
      times ``1 - |distance| / 15``; else 0.

    The Hausdorff distance (pixels, not in the score) is that of the same two masks, times the
    distance in frames off the frame; 744 x 15 where there is nothing to compare.

    Parameters
    ----------
    truth : CaseTruth
    frame : int
        0-based; -1 for none.
    mask : (H, W) array, optional
        Abdomen where it is not 0; not looked at where no frame is chosen.
    rules : {"corrected", "literal"}
        See :data:`~.rules.Rules` for what the challenge's own evaluation does otherwise.

    Returns
    -------
    CaseScore
        Under ``corrected`` all but the Hausdorff distance lie in 0 to 1.

    Raises
    ------
    ValueError
        Where the case has no such frame, the mask is not on its grid, or the pixels are not
        square and the rules literal: the published evaluation knows one size of a pixel.

    References
    ----------
    Sappia et al., Medical Image Analysis 105 (2025) 103640, and the challenge's public evaluation
    (github.com/DIAGNijmegen/ACOUSLIC-AI-evaluation-method).
    """
    if not -1 <= frame < len(truth.masks):
        raise ValueError(f"expected a frame of 0 to {len(truth.masks) - 1} or -1, found {frame}")
    grid = truth.field_of_view.shape
    found = np.zeros(grid, bool) if mask is None or frame < 0 else np.asarray(mask) != 0
    if found.shape != grid:
        raise ValueError(f"expected a mask on the grid {grid}, found {found.shape}")
    found &= truth.field_of_view

    sweep = truth.sweep_of(frame)
    true_ac_mm = None if sweep is None else truth.ac_mm[sweep]
    ac_mm = _circumference(found, truth, rules)
    nae = normalised_absolute_error(true_ac_mm, ac_mm)
    wfss = frame_selection_score(
        0 if frame < 0 else int(truth.planes[frame]),
        case_has_optimal=bool((truth.planes == Label.OPTIMAL).any()),
    )
    compared, dsc_soft, distance_px = _overlap(truth, frame, found, rules)
    score = 0.5 * (1 - nae) + 0.25 * dsc_soft + 0.25 * wfss
    if rules == "corrected":
        score = min(max(score, 0.0), 1.0)
    hollow = compared >= 0 and bool(
        (truth.filled_abdomen(compared) != truth.abdomen(compared)).any()
    )
    return CaseScore(
        frame, compared, ac_mm, true_ac_mm, nae, wfss, dsc_soft, distance_px, score, hollow
    )


def _circumference(found: NDArray[np.bool_], truth: CaseTruth, rules: Rules) -> float | None:
    if truth.spacing_mm is None:
        return None
    if rules == "literal":
        height_mm, width_mm = truth.spacing_mm
        if not math.isclose(height_mm, width_mm, rel_tol=1e-6):
            raise ValueError(
                f"expected square pixels, found {height_mm:g} x {width_mm:g} mm; score by the "
                "corrected rules"
            )
        length_px = organisers_circumference_px(found, truth.field_of_view)
        return None if length_px is None else length_px * height_mm
    measured = measure_abdomen(found, truth.spacing_mm, truth.field_of_view)
    return measured.circumference_mm if measured else None


def _overlap(
    truth: CaseTruth, frame: int, found: NDArray[np.bool_], rules: Rules
) -> tuple[int, float, float]:
    """Return the frame compared with, DSC_soft and the Hausdorff distance."""
    abdomen = truth.abdomen if rules == "literal" else truth.filled_abdomen
    has_frame = frame >= 0 or rules == "literal"  # whose -1 is the last frame
    there = abdomen(frame) & truth.field_of_view if has_frame else np.zeros_like(found)
    if not found.any():
        if there.any():
            return frame, 0.0, WORST_HAUSDORFF_PX
        return -1, _dice_of_nothing(truth, rules), WORST_HAUSDORFF_PX
    if there.any():
        return frame, dice(there, found, of_nothing=math.inf), hausdorff_px(there, found)
    other = _frame_to_compare(truth, frame, rules)
    if other is None:
        return -1, 0.0, WORST_HAUSDORFF_PX
    there = abdomen(other)
    if rules == "corrected":
        there &= truth.field_of_view
        if not there.any():
            return -1, 0.0, WORST_HAUSDORFF_PX
    nearness = 1 - abs(other - frame) / TOLERANCE_FRAMES
    frames_apart = other - frame if rules == "literal" else abs(other - frame)
    dsc_soft = dice(there, found, of_nothing=math.inf) * nearness
    return other, dsc_soft, hausdorff_px(there, found) * frames_apart


def _dice_of_nothing(truth: CaseTruth, rules: Rules) -> float:
    if rules == "literal":
        return math.inf
    return 0.0 if truth.planes.any() else 1.0


def _frame_to_compare(truth: CaseTruth, frame: int, rules: Rules) -> int | None:
    near = truth.annotated_near(frame)
    if rules == "literal":
        before = [other for other in near if other < frame]
        return before[-1] if before else next(iter(near), None)
    return min(near, key=lambda other: (abs(other - frame), other), default=None)
