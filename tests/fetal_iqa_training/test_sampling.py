from collections import Counter
from itertools import islice

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fetal_iqa_training.sampling import BalancedDraws, EveryFrame


@given(n_frames=st.integers(1, 40), copies=st.integers(0, 3), seed=st.integers(0, 1000))
def test_every_frame_comes_once_as_it_is_and_as_so_many_copies(n_frames, copies, seed):
    draws = list(EveryFrame(n_frames, copies, seed))
    plain = Counter(draw.frame for draw in draws if draw.seed is None)
    copied = Counter(draw.frame for draw in draws if draw.seed is not None)
    assert plain == Counter(range(n_frames))
    assert copied == Counter({frame: copies for frame in range(n_frames) if copies})
    assert len(draws) == len(EveryFrame(n_frames, copies, seed))


def test_order_and_copies_are_the_seeds_and_new_in_each_epoch():
    sampler = EveryFrame(20, 2, seed=3)
    first = list(sampler)
    assert list(EveryFrame(20, 2, seed=3)) == first
    assert list(EveryFrame(20, 2, seed=4)) != first
    sampler.set_epoch(1)
    assert list(sampler) != first


@given(positive=st.lists(st.booleans(), min_size=1, max_size=30), seed=st.integers(0, 1000))
def test_a_budget_is_spent_half_on_positive_frames_however_few(positive, seed):
    positive = np.array(positive)
    draws = list(BalancedDraws(positive, 64, seed))
    assert len(draws) == 64
    share = np.mean([positive[draw.frame] for draw in draws])
    assert share == (0.5 if positive.any() and not positive.all() else float(positive.all()))


def test_no_frame_is_drawn_again_before_all_of_its_kind_were():
    positive = np.arange(12) < 4
    draws = list(BalancedDraws(positive, 96, seed=1))
    positives = [draw.frame for draw in draws if positive[draw.frame]]
    rounds = [set(positives[start : start + 4]) for start in range(0, len(positives), 4)]
    assert all(one == {0, 1, 2, 3} for one in rounds)


def test_most_of_a_budget_is_augmented():
    draws = list(BalancedDraws(np.ones(5, bool), 600, seed=0))
    assert 0.55 < np.mean([draw.seed is not None for draw in draws]) < 0.78
    assert list(islice(BalancedDraws(np.ones(5, bool), 600, seed=0), 50)) == draws[:50]
