"""Which frames the segmenter sees: all of them, or those that the classifier leaves a chance."""

from pathlib import Path
from typing import Literal

from fetal_iqa_models.cascade_bound import load_bound
from napari_fetal_iqa.errors import AnalysisError

Cascade = Literal["auto", "off"] | float
"""``auto``: from the bound on that was measured for the CLS model, where one was; ``off``: every
frame; a number: from this quality on."""


def parse_cascade(text: str) -> Cascade:
    """Read ``auto``, ``off`` or a quality from 0 to 1.

    Raises
    ------
    AnalysisError
        Where it is none of these.
    """
    if text in ("auto", "off"):
        return "auto" if text == "auto" else "off"
    try:
        bound = float(text)
    except ValueError:
        bound = -1.0
    if not 0 <= bound <= 1:
        raise AnalysisError(f"expected auto, off or a quality from 0 to 1, not {text}")
    return bound


def bound_for(cascade: Cascade, cls_folder: Path | None, outlines: bool) -> float | None:
    """Return the least quality of a frame that the segmenter sees; None where it sees all.

    Parameters
    ----------
    cascade : Cascade
    cls_folder : Path or None
        Of the CLS model; without one nothing can be spared.
    outlines : bool
        Whether there is a SEG model.

    Raises
    ------
    AnalysisError
        Where a quality is asked for and there are not both models.
    """
    if cascade == "off":
        return None
    if cls_folder is None or not outlines:
        if cascade == "auto":
            return None
        raise AnalysisError(
            f"outlines from quality {cascade:g} on need a CLS and a SEG model: choose both, or off"
        )
    if cascade == "auto":
        measured = load_bound(cls_folder)
        return None if measured is None else measured.bound
    return float(cascade)


def in_words(bound: float | None) -> str:
    """Say which frames are outlined."""
    return "every frame" if bound is None else f"frames of quality {bound:.3g} or more"
