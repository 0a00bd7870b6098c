import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.cascade_bound import bound_of, find_bound
from fetal_iqa_training.evaluation.evaluate import Evaluation, FrameOutcome


@given(st.integers(0, 10_000), st.integers(200, 5000), st.floats(0.05, 1))
def test_at_most_one_positive_in_a_thousand_is_missed(seed, positives, highest):
    rng = np.random.default_rng(seed)
    quality = rng.beta(0.3, 0.3, positives + 500)
    positive = np.arange(len(quality)) < positives
    bound = find_bound(quality, positive, highest)
    assert (quality[positive] < bound).sum() <= positives / 1000
    assert bound <= highest


def test_one_in_a_thousand_may_be_lower():
    quality = np.full(2000, 0.4)
    quality[:2], quality[2] = 0.0, 0.1
    assert find_bound(quality, np.ones(2000, bool), 0.5) == pytest.approx(0.05)


def test_too_few_positives_say_nothing():
    with pytest.raises(TrainingError, match="199 frames with an abdomen are too few"):
        find_bound(np.ones(300), np.arange(300) < 199, 0.5)


def test_the_bound_says_what_it_was_measured_on():
    outcomes = tuple(
        FrameOutcome(f"sweep-{n % 3}", n, n < 250, 0.8 if n < 250 else 0.1, n < 250)
        for n in range(1000)
    )
    bound = bound_of(Evaluation(1000, 250, {}, outcomes=outcomes), 0.5, "a" * 64, "phantoms")
    assert (bound.bound, bound.positives, bound.missed) == (0.4, 250, 0)
    assert (bound.spared, bound.cases, bound.model) == (0.75, 3, "a" * 64)
