"""What a cheap probe makes of a clean frame."""

import numpy as np
import pytest

from fetal_iqa_training.transforms.augmentation import Augmentation
from fetal_iqa_training.transforms.cheap_probe import CheapProbe

SIDE = 96
STILL = Augmentation(
    brightness=0, contrast=0, clahe_probability=0, shift=0, rotation_deg=0, magnification=1
)
NOTHING = dict.fromkeys(("fan", "gain", "blur", "shadows", "dropout", "speckle", "flip"), 0.0)


@pytest.fixture
def frame():
    made = np.random.default_rng(0).integers(60, 200, (SIDE, SIDE)).astype(np.uint8)
    made[:10] = 0
    return made


@pytest.fixture
def mask():
    made = np.zeros((SIDE, SIDE), bool)
    made[40:70, 30:60] = True
    return made


def test_with_nothing_wanted_a_frame_stays_as_it_is(frame, mask):
    shown, outline = CheapProbe(STILL, **NOTHING)(frame, mask, 1)
    np.testing.assert_array_equal(shown, frame)
    np.testing.assert_array_equal(outline, mask)


@pytest.mark.parametrize("what", ["gain", "blur", "shadows", "dropout", "speckle", "flip"])
def test_each_change_changes_the_frame_and_leaves_black_black(frame, mask, what):
    shown, outline = CheapProbe(STILL, **NOTHING | {what: 1.0})(frame, mask, 1)
    assert (shown.numpy() != frame).any()
    assert not shown.numpy()[:10].any()
    expected = mask[:, ::-1] if what == "flip" else mask
    np.testing.assert_array_equal(outline, expected)


def test_speckle_keeps_the_brightness(frame, mask):
    shown, _ = CheapProbe(STILL, **NOTHING | {"speckle": 1.0})(frame, mask, 1)
    assert shown.numpy().mean() == pytest.approx(frame.mean(), rel=0.1)


def test_a_fan_cuts_frame_and_mask_alike_and_never_most_of_the_abdomen(frame, mask):
    cut = 0
    for seed in range(40):
        shown, outline = CheapProbe(STILL, **NOTHING | {"fan": 1.0})(frame, mask, seed)
        seen = shown.numpy() > 0
        assert not (outline.numpy() & ~seen).any()
        assert outline.numpy().sum() >= 0.75 * mask.sum()
        cut += bool((~seen)[10:].any())
    assert cut > 20


def test_the_same_seed_makes_the_same_copy(frame, mask):
    one, other = CheapProbe()(frame, mask, 5), CheapProbe()(frame, mask, 5)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one[0], CheapProbe()(frame, mask, 6)[0])
