"""Which corrected frames choose when a careful fine-tuning stops, and are not trained on."""

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

_ONE_IN = 5
_LEAST_TO_TRAIN_ON = 2
"""Of each kind of frame that there is."""


def kept_back(
    positive: NDArray[np.bool_], units: Sequence[str], never: Collection[str] = ()
) -> NDArray[np.intp]:
    """Keep back whole subjects, or sweeps: a frame's neighbours look like it.

    One in five is, at least one of several; such as show an abdomen, and leave frames of each kind
    to train on.

    Parameters
    ----------
    positive : (N,) bool array
    units : sequence of str
        Whose each frame is, (N,): a subject, else a sweep.
    never : collection of str
        Those whose frames teach all the same, as rehearsed ones do.

    Returns
    -------
    (n,) int array
        Sorted frame numbers; none where nobody can be spared, as where there is one unit.
    """
    whose = np.asarray(units, str)
    # in an order of their own, which stays as the store grows
    order = sorted(set(units), key=lambda unit: hashlib.sha256(f"stop {unit}".encode()).digest())
    wanted = max(1, len(order) // _ONE_IN) if len(order) > 1 else 0
    back = np.zeros(len(positive), bool)
    for unit in order:
        candidate = back | (whose == unit)
        left = positive[~candidate]
        spared = all(
            np.count_nonzero(left == kind) >= min(_LEAST_TO_TRAIN_ON, (positive == kind).sum())
            for kind in (True, False)
        )
        if wanted and spared and unit not in never and positive[whose == unit].any():
            back = candidate
            wanted -= 1
    return np.flatnonzero(back)
