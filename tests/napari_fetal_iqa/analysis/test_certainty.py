"""How sure the best frame so far is."""

import numpy as np
import pytest

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, ModelRef
from napari_fetal_iqa.analysis.certainty import SHARES, STAYED, certainty
from napari_fetal_iqa.analysis.result import FrameResults
from napari_fetal_iqa.sweep import SweepVolume

MODEL = ModelRef(id="model-0000", hash="0" * 64, name="model")


def analysis_after(frames, quality) -> Analysis:
    """Return the analysis of 100 frames by their quality alone, as far as some frames."""
    frames = np.array(frames)
    analysis = Analysis(SweepVolume(np.ones((100, 2, 2), np.uint8)), AnalysisSetup(MODEL))
    n = len(frames)
    analysis.add(
        FrameResults(frames, quality[frames], None, None, np.full(n, np.nan), np.ones(n, bool), {})
    )
    return analysis


@pytest.fixture
def quality():
    quality = np.full(100, 0.01, np.float32)
    quality[40:50] = 0.9
    return quality


def test_nothing_is_said_without_a_best_frame_or_once_all_is_known(quality):
    assert certainty(analysis_after([0, 10, 20], quality)) is None
    assert certainty(analysis_after(range(100), quality)) is None


def test_a_frame_whose_neighbours_wait_is_less_sure_than_one_whose_run_is_known(quality):
    coarse = list(range(0, 100, 8))
    alone = certainty(analysis_after(coarse, quality))
    run = certainty(analysis_after(sorted({*coarse, *range(37, 53)}), quality))
    assert not alone.settled
    assert run.settled
    assert 0 < alone.share < run.share < 1
    assert run.best in range(40, 50)
    assert run.in_ten in run.explained


def test_the_counts_are_of_cases():
    for row in STAYED.values():
        assert len(row) == len(SHARES)
        assert all(0 <= right <= cases for right, cases in row)
    assert max(cases for row in STAYED.values() for _, cases in row) >= 5
