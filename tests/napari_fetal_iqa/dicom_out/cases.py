"""Small reviewed sweeps with an abdomen in three frames."""

import numpy as np

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.review.session import ReviewSession

SHAPE = (56, 72)
FRAMES = 8
SHOWN = (4, 5, 6)
SETUP = AnalysisSetup(
    ModelRef(id="cls-0000", hash="0" * 64, name="quality"),
    ModelRef(id="seg-1111", hash="1" * 64, name="outline"),
)


def disc(radius):
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (rows - 27) ** 2 + (columns - 36) ** 2 <= radius**2


def frames_of_case(seed=0):
    return np.random.default_rng(seed).integers(1, 255, (FRAMES, *SHAPE), np.uint8)


def review(sweep, store):
    """Return a session of a sweep that a model outlined in frames 4 to 6."""
    session = ReviewSession(sweep, store, "AK")
    analysis = Analysis(sweep, SETUP)
    found = np.isin(np.arange(FRAMES), SHOWN)
    analysis.add(
        FrameResults(
            frames=np.arange(FRAMES),
            quality=np.where(found, 0.9, 0.1).astype(np.float32),
            area_fraction=np.where(found, 0.2, 0.0).astype(np.float32),
            masks=tuple(encode_mask(disc(18) & shown) for shown in found),
            ac_mm=np.full(FRAMES, np.nan),
            non_black=np.ones(FRAMES, bool),
            seconds={},
        )
    )
    session.begin_analysis(analysis)
    return session
