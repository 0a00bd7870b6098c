"""What a model makes of one frame whose truth is known."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FrameOutcome:
    """One frame, judged.

    Parameters
    ----------
    sweep : str
        Whose frame it is.
    frame : int
        Its number in the sweep, 0-based.
    positive : bool
        The truth: it shows an abdomen that can be measured.
    score : float
        0 to 1: the probability of a classifier, the area of a segmenter's mask.
    decision : bool
        What the model says.
    dice : float, optional
        Of a segmenter's mask, where the frame has a true one.
    circumference_error_mm : float, optional
        Absolute difference of the circumferences, where both masks can be measured.
    """

    sweep: str
    frame: int
    positive: bool
    score: float
    decision: bool
    dice: float | None = None
    circumference_error_mm: float | None = None
