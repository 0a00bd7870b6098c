import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa.analysis.best_frame import best_frame

BOUNDS = ((0, 20), (20, 40))


def test_no_positive_frame_gives_none():
    assert best_frame(np.ones(40), np.zeros(40, bool), BOUNDS) == -1


def test_a_frame_among_good_neighbours_wins_over_a_flash():
    quality = np.zeros(40)
    quality[3] = 1.0
    quality[10:15] = 0.9
    assert best_frame(quality, quality > 0, BOUNDS) == 12


def test_the_sweep_with_most_positive_frames_is_taken():
    quality = np.zeros(40)
    quality[5:7] = 1.0
    quality[30:35] = 0.6
    assert best_frame(quality, quality > 0, BOUNDS) == 32


def test_neighbouring_sweeps_do_not_lend_each_other_quality():
    quality = np.zeros(40)
    quality[:20] = 1.0
    quality[20:22] = quality[30:33] = 0.7
    positive = (quality > 0) & (np.arange(40) >= 20)
    assert best_frame(quality, positive, BOUNDS) == 31


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=40, max_size=40))
def test_the_best_frame_is_always_a_positive_one(frames):
    quality, positive = (np.array(part) for part in zip(*frames, strict=True))
    best = best_frame(quality, positive, BOUNDS)
    assert positive[best] if positive.any() else best == -1


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=40, max_size=40))
def test_without_smoothing_the_highest_score_of_the_sweep_with_most_positives_wins(frames):
    quality, positive = (np.array(part) for part in zip(*frames, strict=True))
    best = best_frame(quality, positive, BOUNDS, smoothing_frames=0)
    start, stop = max(BOUNDS, key=lambda bound: positive[slice(*bound)].sum())
    inside = [frame for frame in range(start, stop) if positive[frame]]
    assert best == max(inside, key=lambda frame: (quality[frame], -frame), default=-1)


def test_frames_without_a_score_count_as_zero():
    quality = np.full(40, np.nan)
    quality[7] = 0.3
    assert best_frame(quality, np.ones(40, bool), ((0, 40),)) == 7
