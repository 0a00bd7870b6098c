"""What a frame shows, in the words and values of ACOUSLIC-AI."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Label(IntEnum):
    """Label of a frame, with the values of the ACOUSLIC-AI masks."""

    NONE = 0
    OPTIMAL = 1
    SUBOPTIMAL = 2


def best_label(labels: NDArray[np.integer]) -> Label:
    """Return the best plane among labels, be they of a mask's pixels or of a sweep's frames."""
    for label in (Label.OPTIMAL, Label.SUBOPTIMAL):
        if (labels == label).any():
            return label
    return Label.NONE
