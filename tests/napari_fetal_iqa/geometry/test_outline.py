import numpy as np
import pytest
import skimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.geometry.outline import away_from_edge, outer_contour


def by_marching_squares(mask):
    """The outer contour as scikit-image follows it."""
    parts, _ = ndimage.label(mask)
    part = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    contours = skimage.measure.find_contours(np.pad(part, 1).astype(float), 0.5)
    outer = max(contours, key=lambda contour: np.ptp(contour, axis=0).prod())
    return outer[:-1] - 1


def ordered(points):
    return np.array(sorted(map(tuple, points)))


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.booleans()))
def test_the_points_are_those_of_the_marching_squares(mask):
    found = outer_contour(mask)
    if not mask.any():
        assert found is None
    else:
        np.testing.assert_array_equal(ordered(found), ordered(by_marching_squares(mask)))


@pytest.mark.parametrize("holes", [False, True])
def test_so_are_those_of_a_large_mask_with_specks_and_holes(holes):
    rng = np.random.default_rng(0)
    mask = Ellipse((70, 80), (50, 40), 30).mask((150, 160), (1, 1))
    mask |= rng.random(mask.shape) > 0.99
    if holes:
        mask &= rng.random(mask.shape) > 0.05
    np.testing.assert_array_equal(ordered(outer_contour(mask)), ordered(by_marching_squares(mask)))


@pytest.mark.parametrize("whole", [False, True])
def test_a_point_is_away_from_the_edge_where_the_circle_around_it_is_inside(whole):
    view = np.ones((40, 50), bool)
    if not whole:
        view[:, :10] = False
    points = np.array([[20.0, 25], [2.0, 25], [20, 2.0], [20, 12], [20, 14], [36.5, 25], [20, 47]])
    expected = [True, False, False, whole, True, False, False]
    np.testing.assert_array_equal(away_from_edge(points, view, 3), expected)
    for point, answer in zip(points, expected, strict=True):
        assert away_from_edge(point[None], view, 3) == [answer]
