"""How far two masks cover each other."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_OfNothing = TypeVar("_OfNothing", float, None)


def dice(
    first: NDArray[np.bool_], second: NDArray[np.bool_], *, of_nothing: _OfNothing
) -> float | _OfNothing:
    """Return the Dice coefficient of two masks, ``2 |A and B| / (|A| + |B|)``.

    Parameters
    ----------
    first, second : (H, W) bool arrays
    of_nothing : float or None
        What it is where both masks are empty. Named at every call, because those who compare
        masks do not agree on it: 1 (nothing was missed), infinite (0 / 0, as ITK has it) or None
        (nothing to compare).

    Returns
    -------
    float, or ``of_nothing``
        1 where the masks are equal, 0 where they do not meet.

    References
    ----------
    Dice, Ecology 26 (1945) 297.
    """
    both = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / both if both else of_nothing
