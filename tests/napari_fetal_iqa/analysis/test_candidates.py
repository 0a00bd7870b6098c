import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_fetal_iqa.analysis.candidates import (
    DISAGREEING,
    FLOOR,
    NEAR_FRAMES,
    POSITIVE,
    SUDDEN,
    UNCERTAIN,
    candidates,
    worth,
)
from napari_fetal_iqa.analysis.result import Analysis, AnalysisSetup, ModelRef
from napari_fetal_iqa.sweep import SweepVolume

MODEL = ModelRef(id="model-0000", hash="0" * 64, name="model")
BOUNDS = ((0, 20), (20, 40))
NOBODY = np.zeros(40, bool)
NO, YES = 0.1, 0.95


def analysis_of(quality=None, area=None, bounds=BOUNDS):
    """Results of 40 frames, of the models whose scores are given."""
    n_frames = bounds[-1][1]
    sweep = SweepVolume(np.ones((n_frames, 2, 2), np.uint8), bounds=bounds)
    setup = AnalysisSetup(
        cls_model=None if quality is None else MODEL, seg_model=None if area is None else MODEL
    )
    analysis = Analysis(sweep, setup)
    if quality is not None:
        analysis.quality[:] = quality
    if area is not None:
        analysis.area_fraction[:] = area
    analysis.computed[:] = analysis.non_black[:] = True
    return analysis


def quality_of(**frames):
    """Qualities of a clear negative everywhere but on some frames, as in ``f12=0.5``."""
    quality = np.full(40, NO)
    for name, value in frames.items():
        quality[int(name[1:])] = value
    return quality


def plateau(start, stop, value, beside=NO):
    quality = np.full(40, beside)
    quality[start:stop] = value
    return quality


scores = st.lists(st.floats(0, 1), min_size=40, max_size=40).map(np.array)
flags = st.lists(st.booleans(), min_size=40, max_size=40).map(np.array)


def order(analysis, by_expert=NOBODY, bounds=BOUNDS):
    return candidates(analysis, by_expert, bounds)


def test_the_weights_sum_to_one():
    assert sum((UNCERTAIN, DISAGREEING, POSITIVE, SUDDEN)) == pytest.approx(1)


def test_clear_negatives_are_no_candidates():
    assert order(analysis_of(np.full(40, NO), np.zeros(40))) == []


@pytest.mark.parametrize(
    ("quality", "area", "term"),
    [
        (0.5, 0.0, UNCERTAIN),
        (0.6, 0.05, UNCERTAIN / 2 + POSITIVE),
        (YES, 0.0, DISAGREEING),
        (NO, 0.05, DISAGREEING),
        (YES, 0.05, POSITIVE),
        (NO, 0.0, 0.0),
    ],
)
def test_each_reason_counts_by_its_weight(quality, area, term):
    steady = analysis_of(np.full(40, quality), np.full(40, area))
    np.testing.assert_allclose(worth(steady, BOUNDS), term, atol=1e-6)


def test_a_jump_in_time_counts_by_its_height():
    flash = worth(analysis_of(quality_of(f12=YES)), BOUNDS)
    assert flash[12] == pytest.approx(POSITIVE / 11 + SUDDEN * (YES - NO))
    assert flash[13] == pytest.approx(SUDDEN * (YES - NO) / 2)
    assert flash[14] == 0


def test_an_abdomen_that_stays_is_worth_more_than_one_that_flickers():
    stays = worth(analysis_of(plateau(0, 8, YES)), BOUNDS)
    assert stays[2] == pytest.approx(POSITIVE)  # frames 0 to 7 are those near it in its sweep
    assert stays[3] == pytest.approx(POSITIVE * 8 / 9)
    assert stays[7] == pytest.approx(POSITIVE * 6 / 11 + SUDDEN * (YES - NO) / 2)
    of_next_sweep = worth(analysis_of(plateau(20, 40, YES)), BOUNDS)
    assert of_next_sweep[20] == pytest.approx(POSITIVE)


def test_each_run_of_abdomen_comes_before_doubt():
    quality = plateau(2, 13, YES)
    quality[17], quality[25:36], quality[38] = 0.5, YES, 0.5
    found = order(analysis_of(quality, np.where(quality > 0.5, 0.05, 0.0)))
    assert set(found[:2]) == {7, 30}


def test_sweeps_do_not_jump_into_each_other():
    steps = worth(analysis_of(np.repeat([0.2, 0.0], 20)), BOUNDS)
    assert not steps.any()


def test_doubt_comes_before_certainty():
    quality = quality_of(f5=0.52, f30=YES)
    assert order(analysis_of(quality)) == [5, 30]


def test_frames_near_one_chosen_wait():
    frames = plateau(4, 12, YES)
    frames[25:31] = YES
    found = order(analysis_of(frames))
    assert found[:2] == [6, 25]  # not 7, which is worth more than 25 but is near 6
    assert sorted(found) == [*range(4, 12), *range(25, 31)]


def test_nearness_ends_with_the_sweep():
    quality = quality_of(f19=0.499, f20=0.499, f25=0.46)
    assert order(analysis_of(quality)) == [19, 20, 25]
    one_sweep = ((0, 40),)
    assert order(analysis_of(quality, bounds=one_sweep), bounds=one_sweep) == [19, 25, 20]


def test_one_model_is_enough():
    area = np.where(np.isin(np.arange(40), [7, 8]), 0.05, 0.0)
    area[25] = 0.0099  # just below the threshold
    assert order(analysis_of(area=area)) == [7, 25, 8]
    assert order(analysis_of(quality_of(f7=0.9))) == [7]


def test_frames_without_results_and_black_ones_are_no_candidates():
    analysis = analysis_of(np.full(40, 0.5), np.full(40, 0.05))
    analysis.computed[10:] = False
    analysis.quality[10:] = analysis.area_fraction[10:] = np.nan
    analysis.non_black[5:10] = False
    assert sorted(order(analysis)) == [0, 1, 2, 3, 4]
    assert order(Analysis(analysis.sweep)) == []


def test_thresholds_of_zero_are_no_trouble():
    analysis = analysis_of(area=np.zeros(40))
    object.__setattr__(analysis.setup.thresholds, "area", 0.0)
    assert sorted(order(analysis)) == list(range(40))


@given(scores, scores, flags, flags, flags)
def test_who_is_a_candidate(quality, area, computed, non_black, by_expert):
    analysis = analysis_of(quality, area / 50)
    analysis.computed[:], analysis.non_black[:] = computed, non_black
    found = order(analysis, by_expert)
    value = worth(analysis, BOUNDS)
    assert ((value >= 0) & (value <= 1)).all()
    wanted = (value >= FLOOR) | (analysis.labels() == 1)
    assert sorted(found) == np.flatnonzero(wanted & ~by_expert).tolist()


@given(scores, scores, flags)
def test_correcting_the_first_leaves_the_order_of_the_rest(quality, area, by_expert):
    analysis = analysis_of(quality, area / 50)
    found = order(analysis, by_expert)
    assume(found)
    by_expert[found[0]] = True
    assert order(analysis, by_expert) == found[1:]


@given(scores, scores, flags)
@settings(max_examples=50)
def test_the_order_is_that_of_the_slow_way(quality, area, by_expert):
    """Oracle: choose the best frame again and again, by the words of the docstring."""
    analysis = analysis_of(quality, area / 50)
    value = worth(analysis, BOUNDS)
    left = [int(f) for f in np.flatnonzero((value >= FLOOR) | (analysis.labels() == 1))]
    left = [frame for frame in left if not by_expert[frame]]
    seen = np.flatnonzero(by_expert).tolist()
    found = []

    def value_now(frame):
        near = [o for o in seen if abs(o - frame) <= NEAR_FRAMES and o // 20 == frame // 20]
        return value[frame] * 0.5 ** len(near)

    while left:
        best = max(left, key=value_now)
        left.remove(best)
        seen.append(best)
        found.append(best)
    assert order(analysis, by_expert) == found
