"""Masks between two that an expert drew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_fetal_iqa.corrections import FrameCorrection, Label
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.review.interpolation import fill_gaps, interpolate_masks

SHAPE = (120, 160)


def ellipse(row=60.0, column=80.0, a=30.0, b=30.0, angle=0.0, shape=SHAPE):
    return Ellipse((row, column), (a, b), angle).mask(shape, (1, 1))


def disc(radius):
    return ellipse(a=radius, b=radius) if radius else np.zeros(SHAPE, bool)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


abdomens = st.builds(
    ellipse,
    row=st.floats(35, 85),
    column=st.floats(35, 125),
    a=st.floats(15, 34),
    b=st.floats(15, 34),
    angle=st.floats(0, 180),
)


@given(abdomens, st.integers(1, 12))
@settings(deadline=None, max_examples=30)
def test_between_equal_masks_nothing_changes(mask, n_between):
    masks = interpolate_masks(mask, mask, n_between)
    assert len(masks) == n_between
    assert all(np.array_equal(between, mask) for between in masks)


@given(abdomens, abdomens)
@settings(deadline=None, max_examples=30)
def test_the_ends_are_reached(first, last):
    masks = interpolate_masks(first, last, 99)
    for mask, end in ((masks[0], first), (masks[-1], last)):
        assert not (mask & ~ndimage.binary_dilation(end, iterations=2)).any()
        assert not (ndimage.binary_erosion(end, iterations=2) & ~mask).any()


@given(abdomens, abdomens, st.integers(1, 6))
@settings(deadline=None, max_examples=30)
def test_the_way_back_is_the_way_there(first, last, n_between):
    there = interpolate_masks(first, last, n_between)
    back = interpolate_masks(last, first, n_between)
    for one, other in zip(there, reversed(back), strict=True):
        assert overlap(one, other) > 0.97  # but for rounding


@given(st.floats(8, 50), st.floats(8, 50))
@settings(deadline=None, max_examples=30)
def test_between_discs_of_one_centre_the_radius_grows_evenly(first, last):
    masks = interpolate_masks(disc(first), disc(last), 7)
    areas = np.array([mask.sum() for mask in masks])
    steps = np.diff(areas)
    assert (steps >= 0).all() or (steps <= 0).all()
    radii = np.linspace(first, last, 9)[1:-1]
    np.testing.assert_allclose(
        np.sqrt(areas / np.pi), radii, atol=0.75
    )  # distances between pixels are whole to half a pixel


@given(st.floats(25, 95), st.floats(25, 135), st.floats(25, 95), st.floats(25, 135))
@settings(deadline=None, max_examples=40)
def test_a_disc_that_moves_keeps_its_area_and_goes_straight(row, column, to_row, to_column):
    first = ellipse(row, column, 20, 20)
    last = ellipse(to_row, to_column, 20, 20)
    for step, mask in enumerate(interpolate_masks(first, last, 4), 1):
        assert abs(mask.sum() / (np.pi * 20**2) - 1) < 0.03
        expected = np.array([row, column]) + step / 5 * np.array([to_row - row, to_column - column])
        np.testing.assert_allclose(np.argwhere(mask).mean(0), expected, atol=0.5)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_no_mask_between_is_empty_however_ragged_the_ends(data):
    pixels = st.sets(st.integers(0, 15 * 12 - 1), min_size=1, max_size=12)
    ends = []
    for _ in range(2):
        mask = np.zeros(15 * 12, bool)
        mask[list(data.draw(pixels))] = True
        ends.append(mask.reshape(15, 12))
    assert all(mask.any() for mask in interpolate_masks(*ends, 5))


def test_an_abdomen_that_leaves_the_frame_is_cut_off_there():
    first, last = ellipse(column=80), ellipse(column=150)
    (middle,) = interpolate_masks(first, last, 1)
    columns = np.flatnonzero(middle.any(0))
    assert columns[-1] <= SHAPE[1] - 1
    assert last.sum() < middle.sum() <= first.sum()


@pytest.mark.parametrize(
    ("first", "last", "which"), [(0, 30, "first mask"), (30, 0, "second mask")]
)
def test_an_empty_mask_has_no_shape(first, last, which):
    with pytest.raises(ValueError, match=f"{which} is empty"):
        interpolate_masks(disc(first), disc(last), 3)


def test_masks_of_two_shapes_and_negative_numbers_are_refused():
    with pytest.raises(ValueError, match="of one shape"):
        interpolate_masks(ellipse(), ellipse(shape=(100, 100)), 3)
    with pytest.raises(ValueError, match="0 or more"):
        interpolate_masks(ellipse(), ellipse(), -1)
    assert interpolate_masks(ellipse(), ellipse(), 0) == []


# Around a frame ----------------------------------------------------------------------------


def state(frame, radius=None, label=None):
    """An expert's correction of a frame: a disc (radius 0: an empty mask), a label, or both."""
    mask = None if radius is None else encode_mask(disc(radius))
    return FrameCorrection(frame, label, mask, False, "AK", "")


def filled(frame, *corrections, bounds=(0, 20)):
    corrections_of = {correction.frame: correction for correction in corrections}
    return fill_gaps(frame, bounds, corrections_of, SHAPE)


def test_the_gap_between_the_nearest_two_is_filled():
    masks = filled(5, state(0, 40), state(3, 20), state(7, 28), state(12, 40))
    assert list(masks) == [4, 5, 6]
    radii = [np.sqrt(mask.sum() / np.pi) for mask in masks.values()]
    np.testing.assert_allclose(radii, [22, 24, 26], atol=0.4)


def test_on_a_drawn_frame_the_gaps_on_both_its_sides_are_filled():
    assert list(filled(5, state(3, 20), state(5, 20), state(8, 20))) == [4, 6, 7]
    assert list(filled(5, state(3, 20), state(5, 20))) == [4]


def test_what_the_expert_said_in_between_stays():
    masks = filled(
        5,
        state(3, 20),
        state(4, label=Label.NONE),
        state(6, 0),
        state(7, label=Label.OPTIMAL),
        state(9, 20),
    )
    assert list(masks) == [5, 7, 8]


@pytest.mark.parametrize(
    "corrections",
    [
        (),
        (state(3, 20),),
        (state(7, 20),),
        (state(3, 20), state(7, 0)),
        (state(4, 20), state(5, 20)),
    ],
)
def test_without_two_ends_and_a_gap_there_is_nothing_to_fill(corrections):
    assert filled(5, *corrections) == {}


def test_no_end_lies_in_another_sweep():
    assert filled(5, state(3, 20), state(12, 20), bounds=(0, 10)) == {}
    assert list(filled(5, state(3, 20), state(12, 20), bounds=(0, 20))) == list(range(4, 12))
