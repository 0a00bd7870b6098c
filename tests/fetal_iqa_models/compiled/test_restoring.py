import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fetal_iqa_models import restore_masks
from fetal_iqa_models.compiled.restoring import restored

LENGTHS = st.integers(1, 300)


@settings(max_examples=40)
@given(LENGTHS, LENGTHS, st.integers(2, 64), st.integers(0, 2**32 - 1))
def test_masks_are_those_of_torch(rows: int, columns: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.random((2, size, size), np.float32)
    probabilities[1] *= 0.4  # nothing above the threshold
    found = restored(probabilities, (rows, columns), 0.5)
    expected = restore_masks(probabilities, (rows, columns), 0.5)
    assert found.shape == expected.shape
    assert (found != expected).mean() <= 1e-3  # where a probability is the threshold's neighbour
    assert not found[1].any()
