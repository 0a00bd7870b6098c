from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetal_iqa_training.transforms.augmentation import Augmentation, equalise_locally

seeds = st.integers(0, 2**63 - 1)
PLACE_ONLY = Augmentation(brightness=0, contrast=0, clahe_probability=0)


def disc(side=64, row=32, column=32, radius=12):
    rows, columns = np.indices((side, side))
    return np.hypot(rows - row, columns - column) < radius


def speckle(side=64, seed=0):
    return np.random.default_rng(seed).integers(1, 200, (side, side), dtype=np.uint8)


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_a_copy_depends_on_its_seed_alone(seed):
    frame, mask = speckle(), disc()
    first = Augmentation()(frame, mask, seed)
    Augmentation()(frame, mask, seed + 1)
    again = Augmentation()(frame, mask, seed)
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    other = Augmentation()(frame, mask, seed + 1)
    assert (first[0] != other[0]).any()


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_the_mask_moves_with_the_frame(seed):
    mask = disc()
    frame, moved = PLACE_ONLY(mask.astype(np.uint8) * np.uint8(255), mask, seed)
    seen = frame.numpy() > 127
    overlap = 2 * (seen & moved.numpy()).sum() / max(1, seen.sum() + moved.numpy().sum())
    assert overlap > 0.95


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_a_copy_is_shifted_by_at_most_a_fifth_and_keeps_its_scale(seed):
    _, moved = PLACE_ONLY(speckle(), disc(), seed)
    centre = np.argwhere(moved.numpy()).mean(axis=0)
    assert np.abs(centre - 32).max() <= 0.2 * 64 + 1
    assert moved.numpy().sum() == pytest.approx(disc().sum(), rel=0.08)


def test_copies_are_magnified_and_reduced_up_to_the_limit_with_their_masks():
    magnified = replace(PLACE_ONLY, shift=0.0, rotation_deg=0.0, magnification=1.5)
    mask = disc()
    factors = []
    for seed in range(80):
        frame, moved = magnified(mask.astype(np.uint8) * np.uint8(255), mask, seed)
        assert np.logical_xor(frame.numpy() > 127, moved.numpy()).sum() < 0.1 * moved.numpy().sum()
        factors.append(np.sqrt(moved.numpy().sum() / mask.sum()))
    assert 1 / 1.53 < min(factors) < 0.72
    assert 1.4 < max(factors) < 1.53
    assert np.median(factors) == pytest.approx(1, abs=0.1)


def test_rotation_reaches_but_does_not_pass_its_limit():
    turned = replace(PLACE_ONLY, shift=0.0)
    bar = np.zeros((64, 64), bool)
    bar[30:34, 8:56] = True
    angles = []
    for seed in range(60):
        _, moved = turned(speckle(), bar, seed)
        points = np.argwhere(moved.numpy()).astype(float)
        points -= points.mean(axis=0)
        direction = np.linalg.svd(points, full_matrices=False)[2][0]
        angles.append(abs(np.degrees(np.arctan(direction[0] / direction[1]))))
    assert max(angles) <= 21
    assert max(angles) > 15


def test_local_contrast_rises_and_black_stays_black():
    frame = speckle() // 8 + 1
    frame[:20] = 0
    equalised = equalise_locally(frame, clip_limit=0.05)
    assert equalised.dtype == np.uint8
    assert (equalised[:20] == 0).all()
    assert equalised[20:].std() > 2 * frame[20:].std()


def test_a_black_frame_stays_black():
    black = np.zeros((64, 64), np.uint8)
    for seed in range(5):
        frame, mask = Augmentation()(black, np.zeros((64, 64), bool), seed)
        assert not frame.any()
        assert not mask.any()


def test_brightness_changes_between_copies():
    frame, mask = np.full((64, 64), 100, np.uint8), disc()
    bright = Augmentation(contrast=0, clahe_probability=0, shift=0, rotation_deg=0)
    levels = [int(bright(frame, mask, seed)[0].max()) for seed in range(40)]
    assert 80 <= min(levels) < 90
    assert 110 < max(levels) <= 120
