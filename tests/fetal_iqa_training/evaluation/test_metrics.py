import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torchmetrics.functional.classification import binary_f1_score

from fetal_iqa_training.evaluation.metrics import (
    FrameMetrics,
    defined_metrics,
    precision_recall_f1,
)


@given(called=arrays(np.bool_, 24), true=arrays(np.bool_, 24), batch=st.sampled_from([1, 7, 24]))
def test_decisions_are_counted_as_in_the_textbook(called, true, batch):
    metrics = FrameMetrics()
    for start in range(0, 24, batch):
        part = slice(start, start + batch)
        metrics.update(torch.from_numpy(called[part]), torch.from_numpy(true[part]))
    found = metrics.compute()
    hits, false, missed = (called & true).sum(), (called & ~true).sum(), (~called & true).sum()
    assert found["accuracy"] == pytest.approx((called == true).mean())
    if not true.any():
        assert set(found) == {"accuracy"}
        return
    assert found["precision"] == pytest.approx(hits / max(1, hits + false))
    assert found["recall"] == pytest.approx(hits / max(1, hits + missed))
    assert found["f1"] == pytest.approx(2 * hits / max(1, 2 * hits + false + missed))
    assert (metrics.frames, metrics.positives) == (24, true.sum())
    assert "dice" not in found


@given(masks=arrays(np.bool_, (6, 5, 4)), truth=arrays(np.bool_, (6, 5, 4)))
def test_dice_is_the_mean_over_frames_that_show_an_abdomen(masks, truth):
    truth[0] = False
    metrics = FrameMetrics()
    positive = truth.any(axis=(1, 2))
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
        metrics.update(
            torch.from_numpy(masks[part].any(axis=(1, 2))),
            torch.from_numpy(positive[part]),
            torch.from_numpy(masks[part]),
            torch.from_numpy(truth[part]),
        )
    expected = [
        2 * (m & t).sum() / (m.sum() + t.sum())
        for m, t in zip(masks, truth, strict=True)
        if t.any()
    ]
    if not expected:
        assert set(metrics.compute()) == {"accuracy"}
        return
    assert metrics.compute()["dice"] == pytest.approx(np.mean(expected), abs=1e-6)
    # as the paper: the F1 of all pixels at once, false paint on empty frames included
    pooled = binary_f1_score(torch.from_numpy(masks).flatten(), torch.from_numpy(truth).flatten())
    assert metrics.compute()["dice_pooled"] == pytest.approx(float(pooled))


@pytest.mark.parametrize("painted", [False, True])
def test_nothing_to_find_is_no_failure_to_find_it(painted):
    nothing = torch.zeros(4, 5, 5, dtype=torch.bool)
    masks = nothing.clone()
    masks[0] = painted
    metrics = FrameMetrics()
    called = masks.flatten(1).any(1)
    metrics.update(called, nothing.flatten(1).any(1), masks, nothing, scores=called.float())
    assert metrics.compute() == {"accuracy": 0.75 if painted else 1.0}
    assert metrics.curve() == {}
    assert metrics.not_measurable == (
        *("f1", "precision", "recall", "average_precision", "dice", "dice_pooled"),
    )


def test_a_resample_without_an_abdomen_has_no_f1():
    found = defined_metrics([2, 0, 0], [4, 3, 0], [2, 0, 0])
    assert [list(map(float, of)) for of in found] == [
        [0.5, pytest.approx(np.nan, nan_ok=True), pytest.approx(np.nan, nan_ok=True)],
        [1.0, pytest.approx(np.nan, nan_ok=True), pytest.approx(np.nan, nan_ok=True)],
        [pytest.approx(2 / 3), *2 * [pytest.approx(np.nan, nan_ok=True)]],
    ]


def test_paint_on_empty_frames_lowers_the_papers_dice_alone():
    truth = torch.zeros(10, 8, 8, dtype=torch.bool)
    truth[0, 2:6, 2:6] = True
    masks = truth.clone()
    masks[1:, :2, :2] = True
    metrics = FrameMetrics()
    metrics.update(masks.flatten(1).any(1), truth.flatten(1).any(1), masks, truth)
    found = metrics.compute()
    assert found["dice"] == 1
    assert found["dice_pooled"] == pytest.approx(2 * 16 / (16 + 16 + 36))


def test_a_missed_abdomen_counts_as_no_overlap():
    truth = torch.zeros(2, 4, 4, dtype=torch.bool)
    truth[:, 1:3, 1:3] = True
    masks = truth.clone()
    masks[1] = False
    metrics = FrameMetrics()
    metrics.update(masks.flatten(1).any(1), torch.tensor([True, True]), masks, truth)
    assert metrics.compute()["dice"] == pytest.approx(0.5)


def textbook_average_precision(scores, true):
    """Mean of the precision at the rank of each positive, best score first; scores differ."""
    hits = true[np.argsort(-scores)]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


@given(true=arrays(np.bool_, 30), order=st.permutations(range(30)))
def test_average_precision_and_curve_are_those_of_the_textbook(true, order):
    true[0] = True
    scores = (np.array(order, np.float32) + 0.5) / 30
    metrics = FrameMetrics()
    for part in (slice(0, 11), slice(11, 30)):
        metrics.update(
            torch.from_numpy(scores[part] > 0.5),
            torch.from_numpy(true[part]),
            scores=torch.from_numpy(scores[part]),
        )
    expected = textbook_average_precision(scores, true)
    assert metrics.compute()["average_precision"] == pytest.approx(expected, abs=1e-5)
    curve = metrics.curve()
    for threshold, precision, recall in zip(*curve.values(), strict=True):
        called = scores >= threshold
        if called.any():
            assert precision == pytest.approx(true[called].mean(), abs=1e-6)
            assert recall == pytest.approx((true & called).sum() / true.sum(), abs=1e-6)


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    random = np.random.default_rng(0)
    scores, true = random.random(5000, np.float32), random.random(5000) < 0.3
    metrics = FrameMetrics()
    called = torch.from_numpy(scores > 0.5)
    assert metrics.curve() == {}
    metrics.update(called, torch.from_numpy(true), scores=torch.from_numpy(scores))
    curve = metrics.curve()
    assert {len(values) for values in curve.values()} == {200}
    assert (curve["recall"][0], curve["recall"][-1]) == (1, 0)


@pytest.mark.parametrize("count", [1, 5])
def test_frames_that_all_have_the_same_score_have_a_curve_too(count):
    metrics = FrameMetrics()
    positive = torch.ones(count, dtype=torch.bool)
    metrics.update(~positive, positive, scores=torch.zeros(count))
    curve = metrics.curve()
    assert curve["threshold"] == [0, 1]
    assert curve["recall"] == [1, 0]
    assert curve["precision"][0] == 1


@given(called=arrays(np.bool_, (5, 24)), true=arrays(np.bool_, (5, 24)))
def test_precision_recall_and_f1_of_counts_are_those_of_the_frames(called, true):
    counts = ((called & true).sum(1), called.sum(1), true.sum(1))
    found = precision_recall_f1(*counts)
    for row in range(5):
        oracle = FrameMetrics()
        oracle.update(torch.from_numpy(called[row]), torch.from_numpy(true[row]))
        expected = oracle.compute()
        for values, name in zip(found, ("precision", "recall", "f1"), strict=True):
            assert values[row] == pytest.approx(expected.get(name, 0.0))
