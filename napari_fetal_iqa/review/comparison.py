"""What another reviewer says of the sweep under review, beside what the reviewer says."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.corrections.agreement import Agreement, compare, compare_verdicts
from napari_fetal_iqa.geometry.mask_codec import decode_mask
from napari_fetal_iqa.sweep import SweepVolume


class Comparison:
    """Two reviewers of one sweep.

    Parameters
    ----------
    store : CorrectionStore
    sweep : SweepVolume
    reviewer, other : str
    """

    def __init__(
        self, store: CorrectionStore, sweep: SweepVolume, reviewer: str, other: str
    ) -> None:
        self.other = other
        self._store = store
        self._sweep = sweep
        self._reviewer = reviewer
        self._agreement: Agreement | None = None

    def forget(self) -> None:
        """Compare anew at the next need: there is a new correction."""
        self._agreement = None

    @property
    def agreement(self) -> Agreement:
        """How far the two agree, and on which frames they do not."""
        if self._agreement is None:
            first = self._store.corrections(self._sweep.identity, self._reviewer)
            second = self._store.corrections(self._sweep.identity, self.other)
            pair = (self._reviewer, self.other)
            said = (self._store.verdicts(self._sweep.identity, name) for name in pair)
            self._agreement = replace(
                compare(pair, first, second, self._sweep.shape[1:]),
                criteria=compare_verdicts(*said),
            )
        return self._agreement

    def mask(self, frame: int) -> NDArray[np.bool_]:
        """Return the mask of the other reviewer, (H, W); empty where there is none."""
        shape = self._sweep.shape[1:]
        correction = self._store.history(self._sweep.identity, self.other).frame(frame)
        if correction is None or correction.outline is None:
            return np.zeros(shape, bool)
        return decode_mask(correction.outline, shape)
