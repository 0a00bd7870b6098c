"""What the timeline draws, and what it tells of a frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.thresholds import AREA_THRESHOLD, QUALITY_THRESHOLD
from napari_fetal_iqa.analysis.result import Analysis
from napari_fetal_iqa.review.plane_criteria import JudgedPlane
from napari_fetal_iqa.review.session import ReviewSession


@dataclass(frozen=True)
class TimelineData:
    """What the timeline draws.

    Parameters
    ----------
    bounds : sequence of (start, stop)
    quality, area_fraction : (T,) float
        nan where not computed.
    computed : (T,) bool
    ac_mm : (T,) float
        nan where not measured.
    labels : (T,) int8
        -1 where nobody labelled.
    by_expert : (T,) bool
    best : int
        -1 for none.
    quality_threshold, area_threshold : float
    disagreements : sequence of int
        Frames of which another reviewer disagrees.
    spared : (T,) bool, optional
        Frames that were scored and not outlined, as the quality is low.
    planes : mapping of int to JudgedPlane
        What is known of the six criteria, of frames that the reviewer judged.
    """

    bounds: Sequence[tuple[int, int]]
    quality: NDArray[np.float32]
    area_fraction: NDArray[np.float32]
    computed: NDArray[np.bool_]
    ac_mm: NDArray[np.float64]
    labels: NDArray[np.int8]
    by_expert: NDArray[np.bool_]
    best: int = -1
    quality_threshold: float = QUALITY_THRESHOLD
    area_threshold: float = AREA_THRESHOLD
    disagreements: Sequence[int] = ()
    spared: NDArray[np.bool_] | None = None
    planes: Mapping[int, JudgedPlane] = field(default_factory=dict)

    @classmethod
    def of(cls, session: ReviewSession) -> Self:
        """Gather what there is to draw of a review."""
        labels, by_expert = session.labels()
        analysis = session.analysis or Analysis(session.sweep)
        return cls(
            bounds=session.sweep.bounds,
            quality=analysis.quality,
            area_fraction=analysis.area_fraction,
            computed=analysis.computed,
            ac_mm=np.where(session.models_outline_counts(), analysis.ac_mm, np.nan),
            labels=labels,
            by_expert=by_expert,
            best=session.best_frame(),
            quality_threshold=analysis.setup.thresholds.quality,
            area_threshold=analysis.setup.thresholds.area,
            disagreements=session.disagreements,
            spared=analysis.spared,
            planes=session.criteria.scores(),
        )


def describe(data: TimelineData, frame: int) -> str:
    """Describe in one line what is known of a frame: sweep, quality, area, AC."""
    known = [f"Frame {frame}"]
    plane = data.planes.get(frame)
    criteria = [] if plane is None else [f"criteria {plane.words}"]
    for number, (start, stop) in enumerate(data.bounds, start=1):
        if start <= frame < stop:
            known.append(f"sweep {number}, frame {frame - start}")
    if not data.computed[frame]:
        return ", ".join([*known, "not computed yet", *criteria])
    for value, text in (
        (data.quality[frame], "quality {:.2f}"),
        (100 * data.area_fraction[frame], "area {:.1f} %"),
        (data.ac_mm[frame], "AC {:.1f} mm"),
    ):
        if np.isfinite(value):
            known.append(text.format(value))
    if data.spared is not None and data.spared[frame]:
        known.append("not outlined, as the quality is low")
    return ", ".join([*known, *criteria])
