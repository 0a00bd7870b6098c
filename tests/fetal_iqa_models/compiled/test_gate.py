"""The gate: each figure alone is enough to fail, and too little to compare is no pass."""

import numpy as np
import pytest

from fetal_iqa_models.compiled.gate import GateFigures, compared_outlines, compared_scores

PASSING = {"frames": 400, "positive": 100, "label_agreement": 1.0}
SCORES = {**PASSING, "calibration_change": 0.001}
OUTLINES = {**PASSING, "dice": 0.995, "ac_median_mm": 0.2, "ac_95th_mm": 1.0, "measured": 90}


@pytest.mark.parametrize("figures", [SCORES, OUTLINES])
def test_what_is_near_passes(figures: dict) -> None:
    assert GateFigures(**figures).passed


@pytest.mark.parametrize(
    ("figures", "name", "value", "word"),
    [
        (SCORES, "frames", 199, "too few"),
        (SCORES, "positive", 9, "rarer label"),
        (SCORES, "positive", 391, "rarer label"),
        (SCORES, "label_agreement", 0.9949, "label agreement"),
        (SCORES, "calibration_change", 0.0051, "change of calibration"),
        (OUTLINES, "label_agreement", 0.9, "label agreement"),
        (OUTLINES, "dice", 0.9899, "Dice"),
        (OUTLINES, "dice", None, "nothing was outlined"),
        (OUTLINES, "ac_median_mm", 0.51, "at the median"),
        (OUTLINES, "ac_95th_mm", 2.01, "at the 95th"),
        (OUTLINES, "ac_95th_mm", None, "circumferences"),
        (OUTLINES, "measured", 9, "circumferences"),
    ],
)
def test_each_figure_alone_fails(figures: dict, name: str, value: object, word: str) -> None:
    judged = GateFigures(**{**figures, name: value})
    assert not judged.passed
    (failure,) = judged.failures()
    assert word in failure


def test_no_number_is_no_pass() -> None:
    with pytest.raises(ValueError, match="finite"):
        GateFigures(**{**SCORES, "label_agreement": float("nan")})


def test_scores_are_compared_by_label_and_by_probability() -> None:
    reference = np.linspace(0, 1, 1000, dtype=np.float32)
    same = compared_scores(reference, reference, 0.5)
    assert (same.label_agreement, same.calibration_change) == (1, 0)
    other = np.clip(reference + 0.02, 0, 1)
    moved = compared_scores(reference, other, 0.5)
    assert moved.label_agreement == pytest.approx(0.98, abs=0.001)
    assert moved.calibration_change == pytest.approx(0.02, abs=0.001)
    # scattered to both sides the probabilities of a bin keep their mean
    scattered = reference + np.where(np.arange(1000) % 2, 0.01, -0.01)
    assert compared_scores(reference, np.clip(scattered, 0, 1), 0.5).calibration_change < 0.002


def test_the_change_of_calibration_is_a_bound_whatever_the_labels() -> None:
    rng = np.random.default_rng(0)
    reference = rng.random(2000)
    other = np.clip(reference + rng.normal(0.01, 0.02, 2000), 0, 1)
    bins = np.minimum((other * 10).astype(int), 9)  # the same for both: moves between bins aside

    def error(scores: np.ndarray, labels: np.ndarray) -> float:
        return sum(
            abs((scores - labels)[bins == one].mean()) * (bins == one).mean() for one in range(10)
        )

    bound = compared_scores(reference, other, 0.5).calibration_change
    for seed in range(5):
        labels = np.random.default_rng(seed).random(2000) < reference**2
        assert abs(error(other, labels) - error(reference, labels)) <= bound + 1e-12


def test_outlines_are_compared_where_there_are_some() -> None:
    areas = np.repeat([0.0, 0.2], 10)
    ac_mm = np.where(areas > 0, 200.0, np.nan)
    dice = np.where(areas > 0, 0.99, np.nan)
    found = compared_outlines((areas, ac_mm), (areas, ac_mm + 1.5), dice, 0.01)
    assert (found.frames, found.positive, found.measured) == (20, 10, 10)
    assert found.dice == pytest.approx(0.99)
    assert (found.ac_median_mm, found.ac_95th_mm) == (1.5, 1.5)
    nothing = compared_outlines((areas, ac_mm * np.nan), (areas, ac_mm), dice * np.nan, 0.01)
    assert (nothing.dice, nothing.ac_median_mm, nothing.measured) == (None, None, 0)
