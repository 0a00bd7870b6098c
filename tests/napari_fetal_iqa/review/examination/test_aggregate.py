"""The circumference of a case: what counts, what is left out, and how often the interval holds."""

import numpy as np
import pytest

from napari_fetal_iqa.review.examination.aggregate import (
    FrameCircumference,
    ModelError,
    case_circumference,
)

ERROR = ModelError(scale=1.7, cases=60, what="60 simulated cases")


def run(values, sweep=0, start=0, **more):
    return [
        FrameCircumference((0, sweep, start + place), float(value), **more)
        for place, value in enumerate(values)
    ]


def test_without_frames_there_is_no_circumference():
    assert case_circumference([], ERROR) is None


def test_a_run_counts_with_its_widest_frames_and_as_much_as_it_has():
    passing = [190, 198, 204, 206, 206, 204, 198, 190]
    frames = run(passing) + run([215, 216, 216, 215], sweep=1, start=140)
    case = case_circumference(frames, ERROR)
    widest = np.percentile(passing, 90), np.percentile([215, 216, 216, 215], 90)
    assert case.circumference_mm == pytest.approx((2 * widest[0] + widest[1]) / 3)
    assert case.n_runs == 2
    low, high = case.interval_mm
    assert low < 206 < 216 < high  # two runs that differ so much leave much open


def test_a_gap_or_another_sweep_begins_a_run():
    frames = [*run([200, 200, 200]), *run([210, 210, 210], start=4), *run([205] * 3, 1, 7)]
    assert case_circumference(frames, ERROR).n_runs == 3


def test_an_outlier_is_named_and_left_out():
    frames = run([200, 201, 199, 57.7, 202, 200, 201])
    case = case_circumference(frames, ERROR)
    assert [frame.circumference_mm for frame in case.outliers] == [57.7]
    assert case.circumference_mm == pytest.approx(201, abs=1)


def test_a_flash_counts_only_alone():
    frames = run([200, 201, 199]) + run([212], sweep=2, start=300)
    case = case_circumference(frames, ERROR)
    assert [frame.circumference_mm for frame in case.flashes] == [212]
    assert case.circumference_mm == pytest.approx(200.8)
    alone = case_circumference(run([212]), ERROR)
    assert alone.circumference_mm == 212
    assert not alone.flashes


def test_what_the_expert_measured_overrules():
    frames = run([200, 201, 199]) + run([230], sweep=1, start=200, by_expert=True)
    case = case_circumference(frames, ERROR)
    assert case.by_expert
    assert case.circumference_mm == 230
    low, high = case.interval_mm
    assert (high - low) / 2 / 230 == pytest.approx(1.645 * 0.088 / 1.96 / 2**0.5, rel=1e-3)
    assert "observers" in case.error_of


def test_models_that_were_never_compared_have_no_interval():
    case = case_circumference(run([200, 201, 199]))
    assert case.interval_mm is None
    assert case.error_of == "nothing"


def test_truncated_outlines_are_counted():
    frames = run([200, 201]) + run([202], start=2, truncated=True)
    assert case_circumference(frames, ERROR).truncated == 1


def test_the_order_of_the_frames_does_not_matter():
    frames = run([200, 203, 199, 150]) + run([210, 211, 214], sweep=3, start=500)
    shuffled = [frames[place] for place in np.random.default_rng(0).permutation(len(frames))]
    assert case_circumference(frames, ERROR) == case_circumference(shuffled, ERROR)


def drawn(rng, n_runs, heavy=False, worse=1.0):
    """Return frames of a case, and the truth: an error of the case, of its runs, of its frames."""

    def error(share):
        return worse * share * (rng.standard_t(3) if heavy else rng.normal())

    truth = rng.uniform(150, 340)
    off = truth * (1 + error(0.03))
    frames = []
    for sweep in range(n_runs):
        middle = off * (1 + error(0.02))
        width = rng.integers(3, 12)
        passing = 0.06 * np.linspace(-1, 1, width) ** 2
        frames += run(middle * (1 - passing), sweep, 140 * sweep)
    return frames, truth


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("n_runs", [1, 2, 5])
def test_the_interval_holds_the_truth_in_nine_of_ten_cases(n_runs, heavy):
    """Whatever the errors look like: those of other cases calibrate it."""
    rng = np.random.default_rng(n_runs)
    error = ModelError.calibrated([drawn(rng, n_runs, heavy) for _ in range(200)], "cases")
    held = 0
    for _ in range(400):
        frames, truth = drawn(rng, n_runs, heavy)
        low, high = case_circumference(frames, error).interval_mm
        held += low <= truth <= high
    assert 0.85 <= held / 400 <= 0.95


def test_models_that_are_worse_have_a_wider_interval():
    rng = np.random.default_rng(0)
    good, bad = (
        ModelError.calibrated([drawn(rng, 3, worse=worse) for _ in range(60)], "cases")
        for worse in (1.0, 3.0)
    )
    assert bad.scale > 1.5 * good.scale


def test_few_cases_calibrate_nothing():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 9 cases"):
        ModelError.calibrated([drawn(rng, 2) for _ in range(8)], "cases")
    nine = ModelError.calibrated([drawn(rng, 2) for _ in range(9)] + [([], 200.0)], "cases")
    assert nine.cases == 9
