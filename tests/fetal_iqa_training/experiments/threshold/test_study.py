import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    precision_recall_fscore_support,
)

from fetal_iqa_models.thresholds import AREA_THRESHOLD
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.threshold.plot import draw_threshold
from fetal_iqa_training.experiments.threshold.study import (
    SHARES,
    ScoredFrames,
    precision_recall_f1,
    study_threshold,
)

pytestmark = [
    pytest.mark.filterwarnings("error"),
    # napari's own, where one of these is the first test of a process and imports it
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20"),
]


def frames(share, positive):
    return ScoredFrames(np.array(share, np.float32), np.array(positive, bool))


def random_frames(seed, n=400):
    """Frames whose masks cover more where there is an abdomen, and sometimes nothing."""
    random = np.random.default_rng(seed)
    positive = random.random(n) < 0.2
    share = np.where(positive, random.lognormal(-4, 0.7, n), random.lognormal(-5.5, 1, n))
    return frames(share * (random.random(n) < 0.8), positive)


some_frames = st.lists(
    st.tuples(st.integers(0, 600).map(lambda n: n / 10_000), st.booleans()), min_size=1, max_size=40
).filter(lambda pairs: any(positive for _, positive in pairs))


def apart(pairs):
    return frames(*zip(*pairs, strict=True))


def test_the_shares_tried_go_from_a_tenth_of_a_percent_to_five_and_hold_the_paper_s():
    assert (SHARES[0], SHARES[-1]) == (0.001, 0.05)
    assert AREA_THRESHOLD in SHARES
    assert np.diff(SHARES).max() == pytest.approx(0.0001)


@given(some_frames)
def test_each_threshold_decides_as_scikit_learn_counts(pairs):
    test = apart(pairs)
    run = study_threshold([(test, test)]).runs[0]
    for row in (0, 90, 490):
        called = test.share >= np.float32(SHARES[row])
        expected = precision_recall_fscore_support(
            test.positive, called, average="binary", zero_division=0
        )
        assert (run.precision[row], run.recall[row], run.f1[row]) == pytest.approx(expected[:3])


@given(some_frames)
def test_the_curve_is_that_of_scikit_learn(pairs):
    test = apart(pairs)
    run = study_threshold([(test, test)]).runs[0]
    precision, recall, _ = precision_recall_curve(test.positive, test.share)
    assert run.curve_precision == pytest.approx(precision[-2::-1])
    assert run.curve_recall == pytest.approx(recall[-2::-1])
    assert run.average_precision == pytest.approx(
        average_precision_score(test.positive, test.share)
    )


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    test = random_frames(0, 3000)
    run = study_threshold([(test, test)]).runs[0]
    assert len(run.curve_recall) == len(run.curve_precision) == 200
    assert run.curve_recall[-1] == 1
    assert run.average_precision == pytest.approx(
        average_precision_score(test.positive, test.share)
    )


def test_a_small_case_by_hand():
    validation = frames([0.004, 0.030, 0.020, 0.002], [0, 1, 1, 0])
    test = frames([0.008, 0.011, 0.015, 0.001, 0.040], [0, 1, 0, 1, 1])
    run = study_threshold([(validation, test)]).runs[0]
    assert run.paper.share == 0.01
    assert (run.paper.precision, run.paper.recall) == pytest.approx((2 / 3, 2 / 3))
    assert run.chosen == run.paper  # all from 0.41 % to 2 % are perfect on the validation frames
    # 0.10 % finds all with 2 false, F1 3/4; 1.51 % one of three with none, F1 1/2
    assert run.best.share == 0.001
    assert run.best.f1 == pytest.approx(0.75)


def test_a_mask_of_just_the_threshold_counts():
    test = frames([0.01, 0.0099], [1, 0])
    paper = study_threshold([(test, test)]).runs[0].paper
    assert (paper.precision, paper.recall, paper.f1) == (1, 1, 1)


@given(some_frames, some_frames)
def test_the_chosen_threshold_knows_validation_alone_and_the_best_is_never_worse(one, other):
    validation, test = apart(one), apart(other)
    run = study_threshold([(validation, test)]).runs[0]
    elsewhere = study_threshold([(validation, random_frames(1))]).runs[0]
    assert run.chosen.share == elsewhere.chosen.share
    assert run.best.f1 == run.f1.max()
    assert run.best.f1 >= max(run.chosen.f1, run.paper.f1)
    assert study_threshold([(test, validation)]).runs[0].chosen.share == run.best.share


def test_of_equal_thresholds_the_one_nearest_the_paper_s_is_taken():
    high = frames([0.02, 0.03], [0, 1])
    low = frames([0.001, 0.006], [0, 1])
    study = study_threshold([(high, high), (low, low)])
    assert [run.chosen.share for run in study.runs] == [0.0201, 0.006]


def test_rows_and_summary_hold_mean_and_sample_deviation_over_runs():
    study = study_threshold([(random_frames(n), random_frames(10 + n)) for n in range(3)])
    rows = study.rows()
    assert len(rows) == len(SHARES)
    f1 = [run.f1[90] for run in study.runs]
    assert rows[90]["share_percent"] == 1
    assert rows[90]["f1_mean"] == pytest.approx(np.mean(f1), abs=1e-4)
    assert rows[90]["f1_std"] == pytest.approx(np.std(f1, ddof=1), abs=1e-4)
    written = json.loads(json.dumps(study.as_json(), allow_nan=False))
    assert written["paper"]["f1"]["mean"] == rows[90]["f1_mean"]
    assert written["paper"]["share_percent"] == {"mean": 1, "std": 0}
    assert [run["chosen"]["share_percent"] for run in written["runs"]] == [
        pytest.approx(100 * run.chosen.share) for run in study.runs
    ]


def test_one_run_has_no_deviation():
    study = study_threshold([(random_frames(0), random_frames(1))])
    assert study.rows()[0]["f1_std"] is None
    assert study.as_json()["best"]["f1"]["std"] is None


def test_masks_that_are_all_empty_find_nothing():
    empty = frames([0, 0, 0], [1, 0, 0])
    run = study_threshold([(empty, empty)]).runs[0]
    assert (run.paper.precision, run.paper.recall, run.paper.f1) == (0, 0, 0)
    assert run.chosen.share == AREA_THRESHOLD
    assert (run.curve_recall.tolist(), run.average_precision) == ([1], pytest.approx(1 / 3))


@pytest.mark.parametrize(
    ("validation", "test", "named"),
    [
        (([0.1], [0]), ([0.1], [1]), "run 1, validation: no frame shows an abdomen"),
        (([0.1], [1]), ([0.1], [0]), "run 1, test: no frame shows an abdomen"),
        (([], []), ([0.1], [1]), "run 1, validation: no frame"),
        (([np.nan], [1]), ([0.1], [1]), "run 1, validation: the model gives no numbers"),
    ],
)
def test_what_cannot_be_studied_is_named(validation, test, named):
    with pytest.raises(TrainingError, match=named):
        study_threshold([(frames(*validation), frames(*test))])


def test_without_runs_or_with_other_lengths_it_is_refused():
    with pytest.raises(TrainingError, match="no runs"):
        study_threshold([])
    with pytest.raises(ValueError, match="one share and one truth a frame"):
        study_threshold([(frames([0.1], [1, 0]), frames([0.1], [1]))])


def test_nothing_of_nothing_is_nothing():
    assert [float(metric) for metric in precision_recall_f1(0, 0, 0)] == [0, 0, 0]


@pytest.mark.parametrize("runs", [1, 3])
def test_the_picture_shows_every_run(tmp_path, runs):
    study = study_threshold([(random_frames(n), random_frames(10 + n)) for n in range(runs)])
    figure = draw_threshold(study)
    over_share, over_recall = figure.axes
    assert over_share.lines[2].get_ydata() == pytest.approx(
        np.mean([run.f1 for run in study.runs], axis=0)
    )
    assert len(over_recall.lines) == 4 * runs
    figure.canvas.draw()
    for axes in figure.axes:
        assert not axes.get_legend().get_window_extent().overlaps(axes.bbox)  # hides no curve
    figure.savefig(tmp_path / "threshold.png")
    assert (tmp_path / "threshold.png").stat().st_size > 10_000
