from collections import Counter
from itertools import islice
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fetal_iqa_training.fitting.samplers import BalancedSampler, BatchShard, EveryFrame, same_copies


def balanced(positive, n_samples, seed):
    kinds = np.flatnonzero(positive), np.flatnonzero(~np.asarray(positive))
    return BalancedSampler(kinds, n_samples, seed)


@given(n_frames=st.integers(1, 40), copies=st.integers(0, 3), seed=st.integers(0, 1000))
def test_every_frame_comes_once_as_it_is_and_as_so_many_copies(n_frames, copies, seed):
    samples = list(EveryFrame(n_frames, copies, seed))
    plain = Counter(sample.frame for sample in samples if sample.seed is None)
    copied = Counter(sample.frame for sample in samples if sample.seed is not None)
    assert plain == Counter(range(n_frames))
    assert copied == Counter({frame: copies for frame in range(n_frames) if copies})
    assert len(samples) == len(EveryFrame(n_frames, copies, seed))


@given(n_frames=st.integers(1, 40), copies=st.integers(0, 3), seed=st.integers(0, 1000))
def test_the_same_copies_are_listed_frame_after_frame(n_frames, copies, seed):
    samples = same_copies(n_frames, copies, seed)
    assert [sample.frame for sample in samples] == list(range(n_frames)) * (1 + copies)
    assert all(sample.seed is None for sample in samples[:n_frames])
    seeds = [sample.seed for sample in samples[n_frames:]]
    assert None not in seeds
    assert len(set(seeds)) == len(seeds)
    assert same_copies(n_frames, copies, seed) == samples


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
    samples = list(balanced(positive, 64, seed))
    assert len(samples) == 64
    share = np.mean([positive[sample.frame] for sample in samples])
    assert share == (0.5 if positive.any() and not positive.all() else float(positive.all()))


def test_no_frame_is_drawn_again_before_all_of_its_kind_were():
    positive = np.arange(12) < 4
    samples = list(balanced(positive, 96, seed=1))
    positives = [sample.frame for sample in samples if positive[sample.frame]]
    rounds = [set(positives[start : start + 4]) for start in range(0, len(positives), 4)]
    assert all(one == {0, 1, 2, 3} for one in rounds)


def test_most_of_a_budget_is_augmented():
    samples = list(balanced(np.ones(5, bool), 600, seed=0))
    assert 0.55 < np.mean([sample.seed is not None for sample in samples]) < 0.78
    assert list(islice(balanced(np.ones(5, bool), 600, seed=0), 50)) == samples[:50]


def test_kinds_take_turns_and_empty_ones_are_left_out():
    kinds = [np.arange(0, 2), np.arange(0), np.arange(2, 9), np.arange(9, 12)]
    frames = [sample.frame for sample in BalancedSampler(kinds, 60, seed=0)]
    assert [np.isin(frames, kind).sum() for kind in kinds] == [20, 0, 20, 20]


def test_each_epoch_of_a_budget_has_draws_of_its_own():
    sampler = balanced(np.arange(12) < 4, 48, seed=2)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


@given(n_frames=st.integers(1, 30), copies=st.integers(0, 2), processes=st.integers(1, 4))
def test_the_shares_of_all_processes_are_the_batches_of_one(n_frames, copies, processes):
    whole, batch = EveryFrame(n_frames, copies, seed=1), 4 * processes
    samples = list(whole)
    shares = []
    for number in range(processes):
        with patch("fetal_iqa_training.fitting.samplers._place", lambda n=number: (n, processes)):
            share = BatchShard(whole, batch)
            shares.append(list(share))
            assert len(share) == len(shares[-1])
    assert len({len(share) for share in shares}) == 1
    for start in range(0, len(samples) - batch + 1, batch):
        part = slice(start // processes, (start + batch) // processes)
        together = [sample for share in shares for sample in share[part]]
        assert sorted(together, key=repr) == sorted(samples[start : start + batch], key=repr)
    assert len(samples) - sum(map(len, shares)) < processes
