"""What chooses the end of a careful fine-tuning is no neighbour of what it learns from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetal_iqa_training.fitting.kept_back import kept_back


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefghij")), min_size=1, max_size=60))
def test_whole_sweeps_are_kept_back_and_enough_is_left(frames):
    positive = np.array([one for one, _ in frames])
    units = [unit for _, unit in frames]
    back = kept_back(positive, units)
    kept = {units[number] for number in back}
    assert set(back) == {number for number, unit in enumerate(units) if unit in kept}
    assert len(kept) <= max(1, len(set(units)) // 5)
    if len(back):
        assert positive[back].any()
        left = np.delete(positive, back)
        for kind in (True, False):
            assert (left == kind).sum() >= min(2, (positive == kind).sum())


@pytest.mark.parametrize(("sweeps", "kept"), [(1, 0), (2, 1), (9, 1), (10, 2), (25, 5)])
def test_one_sweep_in_five_is_kept_back_but_never_the_only_one(sweeps, kept):
    positive = np.tile([True, True, False, False], sweeps)
    units = [f"sweep {number // 4}" for number in range(4 * sweeps)]
    back = kept_back(positive, units)
    assert len(back) == 4 * kept
    assert list(back) == sorted(back)
