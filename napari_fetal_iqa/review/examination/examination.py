"""A case: the sweeps of one examination, in one file or in several, and what they say together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.geometry.biometry import AbdomenMeasurement
from napari_fetal_iqa.growth.weight import WeightEstimate
from napari_fetal_iqa.review.examination.aggregate import (
    CaseCircumference,
    FrameCircumference,
    ModelError,
    case_circumference,
)
from napari_fetal_iqa.review.examination.biometry import (
    NamedMeasure,
    named_measures,
    weights_of,
)
from napari_fetal_iqa.review.frame_view import Source
from napari_fetal_iqa.review.plane_criteria import JudgedPlane, judged_plane
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames


@dataclass(frozen=True)
class BestFrame:
    """The frame that a case shows.

    Parameters
    ----------
    place : (int, int, int)
        Which volume of the case, which of its sweeps, which frame of the volume; 0-based.
    quality : float or None
    measurement : AbdomenMeasurement or None
        None where it cannot be measured; ``reason`` says why.
    reason : str
    by_expert : bool
        The expert outlined or accepted it.
    """

    place: tuple[int, int, int]
    quality: float | None
    measurement: AbdomenMeasurement | None
    reason: str
    by_expert: bool


class Examination:
    """The sweeps of one case, as reviewed.

    Parameters
    ----------
    volumes : sequence of ReviewedFrames
        One that holds all sweeps, or one a sweep file.
    model_error : ModelError, optional
        How far the models that outlined were off where the circumference is known.

    Raises
    ------
    ValueError
        Without a volume, or where one is there twice: its frames would count twice.
    """

    def __init__(
        self, volumes: Sequence[ReviewedFrames], model_error: ModelError | None = None
    ) -> None:
        if not volumes:
            raise ValueError("a case needs at least one sweep")
        identities = [volume.sweep.identity for volume in volumes]
        if len(set(identities)) < len(identities):
            raise ValueError("a sweep is there twice; its frames would count twice")
        self.volumes = tuple(volumes)
        self.model_error = model_error

    @cached_property
    def frames(self) -> tuple[FrameCircumference, ...]:
        """Every frame that shows the optimal plane and can be measured in mm."""
        return tuple(
            frame for number in range(len(self.volumes)) for frame in self._frames_of(number)
        )

    def _frames_of(self, number: int) -> list[FrameCircumference]:
        volume = self.volumes[number]
        found = []
        for frame in np.flatnonzero(volume.measurable()).tolist():
            view = volume.view(frame)
            measured = view.measurement
            if measured is not None:
                found.append(
                    FrameCircumference(
                        (number, view.sweep, frame),
                        measured.circumference_mm,
                        view.mask_source is Source.EXPERT,
                        measured.truncated,
                    )
                )
        return found

    @cached_property
    def circumference(self) -> CaseCircumference | None:
        """The case's circumference; None where no frame could be measured."""
        return case_circumference(self.frames, self.model_error)

    @cached_property
    def best(self) -> tuple[BestFrame, ...]:
        """The best frame of each sweep that has one, the best of the case first.

        The case's is that of the volume with the most frames that count, as a sweep's is that of
        the sweep with the most. Where the expert measured, it is a frame that made the value.
        """
        case = self.circumference
        measured = {one.place for one in case.used} if case and case.by_expert else set()
        found = []
        for number, volume in enumerate(self.volumes):
            counts = sum(frame.place[0] == number for frame in self.frames)
            chosen = volume.best_frame()
            for frame in self._shown_of(number, measured):
                place = (number, volume.view(frame).sweep, frame)
                overruled = bool(measured) and place not in measured
                found.append((overruled, frame != chosen, -counts, number, frame))
        return tuple(self._best(number, frame) for *_, number, frame in sorted(found))

    def _shown_of(self, number: int, measured: set[tuple[int, int, int]]) -> list[int]:
        """Return a frame of each sweep of a volume: of those the expert measured, or the best."""
        volume = self.volumes[number]
        shown = {volume.view(frame).sweep: frame for frame in volume.best_frames()}
        own = [place for place in measured if place[0] == number]
        for sweep in {place[1] for place in own}:
            frames = sorted(frame for _, of, frame in own if of == sweep)
            if shown.get(sweep) not in frames:
                shown[sweep] = max(frames, key=lambda frame: volume.view(frame).quality or 0.0)
        return list(shown.values())

    def _best(self, number: int, frame: int) -> BestFrame:
        view = self.volumes[number].view(frame)
        return BestFrame(
            place=(number, view.sweep, frame),
            quality=view.quality,
            measurement=view.measurement,
            reason=view.not_measured,
            by_expert=view.mask_source is Source.EXPERT,
        )

    @cached_property
    def measures(self) -> tuple[NamedMeasure, ...]:
        """What the reviewer's named calipers measure: head and femur."""
        return named_measures(self.volumes)

    @cached_property
    def weights(self) -> tuple[WeightEstimate, ...]:
        """The weight by each formula that has what it needs."""
        found = self.circumference
        return weights_of(found.circumference_mm if found else None, self.measures)

    @cached_property
    def plane(self) -> JudgedPlane | None:
        """What is known of the six criteria of the frame that is shown; None without one."""
        if not self.best:
            return None
        number, _, frame = self.best[0].place
        return judged_plane(self.volumes[number], frame)

    @property
    def left_without_mm(self) -> str:
        """What the value does not hold, as it has no spacing; empty where all of it has one."""
        count = sum(volume.sweep.spacing_mm is None for volume in self.volumes)
        if not count:
            return ""
        files = counted(len(self.volumes), "sweep file")
        return f"{count} of {files} without a spacing in mm, not measured"

    @property
    def without_mm(self) -> bool:
        """Whether a volume has no spacing: none of its frames is measured."""
        return any(volume.sweep.spacing_mm is None for volume in self.volumes)
