import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchmetrics.functional.classification import binary_calibration_error

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.calibration import (
    TEMPERATURES,
    brier_score,
    calibrated,
    draw_reliability,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
)


def synthetic(temperature, n=20_000, seed=0):
    """Logits that are ``temperature`` times too large for their labels."""
    random = np.random.default_rng(seed)
    true_logits = random.normal(-1, 2, n)
    labels = random.random(n) < calibrated(true_logits, 1)
    return temperature * true_logits, labels


def test_a_small_case_by_hand():
    scores = [0.1, 0.2, 0.6, 0.7, 0.9]
    labels = [0, 1, 1, 0, 1]
    found = reliability(scores, labels, bins=2)
    assert found.counts.tolist() == [2, 3]
    assert found.promised == pytest.approx([0.15, 2.2 / 3])
    assert found.observed == pytest.approx([0.5, 2 / 3])
    assert found.expected_error == pytest.approx((2 * 0.35 + 3 * (0.2 / 3)) / 5)
    assert found.gaps == pytest.approx([0.35, 0.2 / 3])


def test_edges_belong_to_the_bin_below_and_empty_bins_say_nothing():
    found = reliability([0.0, 0.5, 1.0], [0, 0, 1], bins=4)
    assert found.counts.tolist() == [1, 1, 0, 1]
    assert np.isnan(found.observed[2])
    assert found.gaps[2] == 0
    assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]


scored = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(scored)
def test_the_expected_error_is_that_of_torchmetrics(pairs):
    scores, labels = (np.array(part) for part in zip(*pairs, strict=True))
    inner = ~np.isclose(scores * 15 % 1, 0, atol=1e-4) & ~np.isclose(scores * 15 % 1, 1, atol=1e-4)
    if not inner.any():
        return
    scores, labels = scores[inner], labels[inner]  # there, edges belong to other bins
    expected = binary_calibration_error(
        torch.from_numpy(scores), torch.from_numpy(labels).long(), n_bins=15
    )
    assert expected_calibration_error(scores, labels) == pytest.approx(float(expected), abs=1e-5)


def test_a_score_of_1_is_binned_with_those_just_below_as_torchmetrics_does_not():
    """Should this fail with a later torchmetrics, its error can replace ours."""
    scores, labels = np.array([0.96, 1.0]), np.array([1, 0])
    assert expected_calibration_error(scores, labels) == pytest.approx(0.48)
    theirs = binary_calibration_error(torch.from_numpy(scores), torch.from_numpy(labels), n_bins=15)
    assert float(theirs) == pytest.approx(0.52)


@given(scored)
def test_the_errors_lie_in_0_to_1_and_the_mean_is_no_larger_than_the_largest(pairs):
    found = reliability(*zip(*pairs, strict=True))
    assert 0 <= found.expected_error <= found.gaps.max() + 1e-12
    assert found.gaps.max() <= 1
    assert found.counts.sum() == len(pairs)


def test_a_perfectly_calibrated_set_has_hardly_an_error():
    logits, labels = synthetic(1)
    assert expected_calibration_error(calibrated(logits, 1), labels) < 0.01
    assert fit_temperature(logits, labels) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("temperature", [0.25, 0.5, 2.0, 5.0])
def test_a_known_temperature_is_found_and_mends_the_scores(temperature):
    logits, labels = synthetic(temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    before = expected_calibration_error(calibrated(logits, 1), labels)
    after = expected_calibration_error(calibrated(logits, found), labels)
    assert after < 0.01 < 0.05 < before


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 10), st.integers(0, 1000))
def test_no_temperature_of_a_fine_grid_is_likelier(temperature, seed):
    logits, labels = synthetic(temperature, 200, seed)
    found = negative_log_likelihood(logits, labels, fit_temperature(logits, labels))
    grid = np.geomspace(*TEMPERATURES, 200)
    assert found <= min(negative_log_likelihood(logits, labels, t) for t in grid) + 1e-9


def test_likelihood_is_torch_s():
    logits, labels = synthetic(3, 100)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits / 2), torch.from_numpy(labels.astype(float))
    )
    assert negative_log_likelihood(logits, labels, 2) == pytest.approx(float(expected))
    assert negative_log_likelihood([1000.0, -1000.0], [1, 0]) == 0
    assert negative_log_likelihood([1000.0], [0]) == 1000


def test_order_and_decisions_stay():
    logits, _ = synthetic(3, 500)
    scores = calibrated(logits, 3)
    assert (np.argsort(scores) == np.argsort(logits)).all()
    assert ((scores > 0.5) == (logits > 0)).all()


@pytest.mark.parametrize("label", [0, 1])
def test_one_kind_of_frames_is_nothing_to_calibrate_by(label):
    with pytest.raises(TrainingError, match="found one kind only"):
        fit_temperature([0.3, -2.0], [label, label])


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([], []),
        ([0.5], [0, 1]),
        ([[0.5]], [[1]]),
        ([np.nan], [1]),
        ([1.5], [1]),
        ([-0.1], [1]),
        ([0.5], [2]),
    ],
)
def test_what_is_no_scores_and_labels_is_refused(scores, labels):
    with pytest.raises(ValueError, match="expected"):
        reliability(scores, labels)


def test_the_diagram_is_a_picture(tmp_path):
    logits, labels = synthetic(3, 500)
    before, after = (reliability(calibrated(logits, t), labels) for t in (1, 3))
    draw_reliability(before, tmp_path / "new" / "reliability.png", after)
    with Image.open(tmp_path / "new" / "reliability.png") as picture:
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 10


def test_the_brier_score_by_hand_and_at_its_ends():
    assert brier_score([0.8, 0.3], [1, 0]) == pytest.approx((0.2**2 + 0.3**2) / 2)
    assert brier_score([1.0, 0.0], [1, 0]) == 0
    assert brier_score([0.0, 1.0], [1, 0]) == 1


@given(st.floats(0, 1), st.lists(st.booleans(), min_size=1, max_size=50))
def test_of_one_promise_the_brier_score_is_its_gap_and_the_labels_own_spread(score, labels):
    share = np.mean(labels)
    expected = (score - share) ** 2 + share * (1 - share)  # Murphy 1973: reliability, uncertainty
    assert brier_score([score] * len(labels), labels) == pytest.approx(expected, abs=1e-9)
