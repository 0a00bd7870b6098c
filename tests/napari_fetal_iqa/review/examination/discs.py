"""Outlines and models of made-up cases."""

import numpy as np

from napari_fetal_iqa.analysis import AnalysisSetup, ModelRef

SHAPE = (96, 128)
SETUP = AnalysisSetup(
    ModelRef(id="cls-0000", hash="0" * 64, name="quality"),
    ModelRef(id="seg-1111", hash="1" * 64, name="outline"),
)


def disc(radius):
    """Return a disc of this radius in pixels."""
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (rows - 48) ** 2 + (columns - 64) ** 2 <= radius**2
