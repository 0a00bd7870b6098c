"""The six criteria of a frame: what the reviewer says, and what the outline tells of two."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache, partial

from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.criteria import Criterion, score, score_in_words
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.mask_codec import decode_mask
from napari_fetal_iqa.geometry.plane import computed_verdicts
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames
from napari_fetal_iqa.sweep import SweepVolume

_KEPT = 4096
"""Outlines whose criteria are not computed again."""


@dataclass(frozen=True)
class JudgedPlane:
    """What is known of the criteria of one frame.

    Parameters
    ----------
    said : dict of Criterion to bool
        By the reviewer, who overrules.
    computed : dict of Criterion to bool
        From the outline that counts.
    """

    said: dict[Criterion, bool]
    computed: dict[Criterion, bool]

    @property
    def verdicts(self) -> dict[Criterion, bool]:
        """Whether each criterion of which anything is known is met, in their order."""
        known = self.computed | self.said
        return {one: known[one] for one in Criterion if one in known}

    def is_computed(self, criterion: Criterion) -> bool:
        """Whether it is the outline that tells, as nobody judged it."""
        return criterion in self.computed and criterion not in self.said

    @property
    def score(self) -> int:
        """How many of the six are met."""
        return score(self.verdicts)

    @property
    def words(self) -> str:
        """The score in words: ``"4 of 6, 1 not judged"``."""
        return score_in_words(self.verdicts)


def judged_plane(volume: ReviewedFrames, frame: int) -> JudgedPlane:
    """Return what is known of the criteria of a frame; takes milliseconds where it is outlined."""
    code = volume.packed_mask(frame)
    return JudgedPlane(volume.verdicts(frame), _computed(volume.sweep, code) if code else {})


def _computed(sweep: SweepVolume, code: bytes) -> dict[Criterion, bool]:
    mask, view = decode_mask(code, sweep.shape[1:]), sweep.field_of_view
    measured = measure_abdomen(mask, sweep.spacing_mm, view) if sweep.spacing_mm else None
    return computed_verdicts(mask, measured, view)


class PlaneCriteria:
    """Judges the planes of one sweep; the review's undo takes that back.

    Parameters
    ----------
    volume : ReviewedFrames
    store : CorrectionStore
    reviewer : callable
        Names under whom verdicts are stored.
    changing : callable
        Tells of frames that change in its context.
    """

    def __init__(
        self,
        volume: ReviewedFrames,
        store: CorrectionStore,
        reviewer: Callable[[], str],
        changing: Callable[[tuple[int, ...]], AbstractContextManager[None]],
    ) -> None:
        self._volume = volume
        self._store = store
        self._reviewer = reviewer
        self._changing = changing
        self._computed = lru_cache(_KEPT)(partial(_computed, volume.sweep))

    def of(self, frame: int) -> JudgedPlane:
        """Return what is known of the criteria of a frame."""
        code = self._volume.packed_mask(frame)
        return JudgedPlane(self._volume.verdicts(frame), self._computed(code) if code else {})

    def scores(self) -> dict[int, JudgedPlane]:
        """Return the same of every frame of which the reviewer judged anything, by number."""
        return {frame: self.of(frame) for frame in self._volume.all_verdicts()}

    def judge(self, frame: int, criterion: Criterion, met: bool | None) -> None:
        """Say whether a frame meets a criterion; None takes the word back."""
        with self._changing((frame,)):
            self._store.judge(self._volume.sweep.identity, frame, criterion, met, self._reviewer())

    def next_word(self, frame: int, criterion: Criterion) -> bool | None:
        """Return what comes after what the reviewer says: met, not met, nothing, met again."""
        said = self._volume.verdicts(frame)
        if criterion not in said:
            return True
        return False if said[criterion] else None
