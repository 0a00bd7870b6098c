import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fetal_iqa_training.experiments.whole_cases import analyse_cases, choose_frame
from napari_fetal_iqa.analysis.best_frame import SMOOTHING_FRAMES, best_frame
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.acouslic import list_cases

BOUNDS = ((0, 7), (7, 14), (14, 21))


@given(
    arrays(np.float32, 21, elements=st.floats(0, 1, width=32)),
    arrays(np.bool_, 21),
)
def test_a_frame_is_chosen_as_in_use_where_smoothing_is_as_in_use(score, positive):
    chosen = choose_frame(score, positive, BOUNDS, SMOOTHING_FRAMES)
    assert chosen == best_frame(score, positive, BOUNDS)


@given(
    arrays(np.float32, 21, elements=st.floats(0, 1, width=32)),
    arrays(np.bool_, 21),
)
def test_without_smoothing_the_highest_score_of_the_sweep_with_most_positives_wins(score, positive):
    chosen = choose_frame(score, positive, BOUNDS, 0)
    if not positive.any():
        assert chosen == -1
        return
    counts = [positive[start:stop].sum() for start, stop in BOUNDS]
    start, stop = BOUNDS[int(np.argmax(counts))]
    inside = [frame for frame in range(start, stop) if positive[frame]]
    assert chosen == max(inside, key=lambda frame: (score[frame], -frame))


def test_whole_cases_have_all_frames_their_labels_and_what_is_not_annotated(data, tiny_models):
    models = tiny_models["cls"], tiny_models["seg"]
    names = {"case1", "case4"}
    cases, thresholds = analyse_cases(data, names, models, None, "cpu", lambda progress: None)
    assert [case.name for case in cases] == ["case1", "case4"]
    assert (thresholds.quality, thresholds.area) == (0.5, 0.01)
    truth = [case for case in list_cases(data) if case.uuid in names]
    for found, case in zip(cases, truth, strict=True):
        masks = np.asarray(read_sweep(case.mask_path).frames)
        assert np.array_equal(found.labels, masks.max(axis=(1, 2)))
        assert found.bounds == tuple((start, start + 6) for start in range(0, 36, 6))
        assert np.isfinite(found.quality).all()
        assert np.array_equal(np.isnan(found.reference_ac_mm), [False] * 5 + [True])


def test_a_case_that_was_analysed_before_is_not_analysed_again(data, tiny_models, monkeypatch):
    models = tiny_models["cls"], tiny_models["seg"]
    first = analyse_cases(data, {"case1"}, models, None, "cpu", lambda progress: None)[0][0]
    monkeypatch.setattr("fetal_iqa_models.FramePredictor.predict", None)
    again = analyse_cases(data, {"case1"}, models, None, "cpu", lambda progress: None)[0][0]
    assert np.array_equal(first.quality, again.quality)
    assert np.array_equal(first.ac_mm, again.ac_mm, equal_nan=True)
