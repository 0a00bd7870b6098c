"""An ellipse's own axes, and the ellipse tool as on a scanner."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.special import ellipe

from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.ellipse import SHORTEST_MM, Ellipse, Handle, from_axes, to_axes

SHAPE = (562, 744)
SPACING = (0.28, 0.28)

axis_ends = st.sampled_from([handle for handle in Handle if handle is not Handle.CENTER])
places = st.tuples(st.floats(-50, 250), st.floats(-50, 250))
ellipses = st.builds(
    Ellipse,
    center_mm=st.tuples(st.floats(60, 95), st.floats(60, 145)),
    semi_axes_mm=st.tuples(st.floats(15, 55), st.floats(15, 55)),
    angle_deg=st.floats(-180, 360),
)


@given(ellipses, places)
def test_shares_of_the_axes_lead_to_a_point_and_back(ellipse, point):
    axes, turn = ellipse.semi_axes_mm, np.radians(ellipse.angle_deg)
    row, column = ellipse.center_mm

    u, v = to_axes(axes, turn, point[1] - column, point[0] - row)
    x, y = from_axes((column, row), axes, turn, u, v)

    np.testing.assert_allclose((y, x), point, atol=1e-9)


@given(ellipses)
def test_the_distances_to_the_foci_add_up_to_the_longer_diameter(ellipse):
    """Oracle: the gardener's construction, which knows neither sine nor cosine of an outline."""
    first, second = ellipse.semi_axes_mm
    longer = ellipse.handles_mm[[0, 1] if first >= second else [2, 3]]
    share = np.sqrt(1 - (min(first, second) / max(first, second)) ** 2)
    foci = ellipse.center_mm + share * (longer - ellipse.center_mm)

    away = np.linalg.norm(ellipse.outline_mm(40)[:, None] - foci, axis=-1)

    np.testing.assert_allclose(away.sum(1), 2 * max(first, second))


def test_axes_keep_single_precision_whatever_the_number_type_of_the_ellipse():
    offsets = np.ones((2, 3), np.float32)

    assert to_axes((np.float64(2), np.float64(1)), 0.3, *offsets)[0].dtype == np.float32


def diameters(ellipse):
    return ellipse.handles_mm[:4].reshape(2, 2, 2)


def test_handles_lie_where_they_should():
    ellipse = Ellipse((10.0, 20.0), (5.0, 3.0), 0.0)
    expected = [[10, 15], [10, 25], [7, 20], [13, 20], [10, 20]]
    np.testing.assert_allclose(ellipse.handles_mm, expected)
    turned = Ellipse((10.0, 20.0), (5.0, 3.0), 90.0)
    np.testing.assert_allclose(turned.handles_mm[Handle.FIRST_END], [15, 20])


@given(ellipses)
def test_an_ellipse_comes_back_from_its_diameters(ellipse):
    again = Ellipse.from_diameters(*diameters(ellipse))
    np.testing.assert_allclose(again.handles_mm, ellipse.handles_mm, atol=1e-6)


@given(st.lists(st.floats(-8, 8), min_size=8, max_size=8), ellipses)
@settings(max_examples=30, deadline=None)
def test_clumsy_diameters_give_the_ellipse_nearest_to_the_clicks(off, ellipse):
    """Oracle: a search over centre, semi-axes and angle."""
    clicked = diameters(ellipse) + np.reshape(off, (2, 2, 2))

    def distances(parameters):
        row, column, a, b, angle = parameters
        u = np.array([np.sin(angle), np.cos(angle)])
        v = np.array([np.cos(angle), -np.sin(angle)])
        ends = np.array([[-a * u, a * u], [-b * v, b * v]]) + [row, column]
        return (ends - clicked).ravel()

    start = (*ellipse.center_mm, *ellipse.semi_axes_mm, np.radians(ellipse.angle_deg))
    least = 2 * least_squares(distances, start, xtol=1e-12).cost
    found = Ellipse.from_diameters(*clicked)
    misses = ((diameters(found) - clicked) ** 2).sum()
    assert misses == pytest.approx(least, rel=1e-6, abs=1e-6)


def test_the_direction_of_the_second_diameter_does_not_matter():
    first, second = [(0.0, 0.0), (1.0, 40.0)], [(-15.0, 20.0), (14.0, 18.0)]
    one = Ellipse.from_diameters(first, second)
    other = Ellipse.from_diameters(first, second[::-1])
    np.testing.assert_allclose(one.handles_mm, other.handles_mm)


@pytest.mark.parametrize(
    "second",
    [[(5.0, 5.0), (5.0, 5.0)], [(0.0, 2.0), (0.0, 30.0)], [(0.0, 0.0), (10.0, 30.0)]],
    ids=["no length", "along the first", "18 degrees off"],
)
def test_diameters_that_make_no_ellipse_are_refused(second):
    with pytest.raises(ValueError, match="across the first"):
        Ellipse.from_diameters([(0.0, 0.0), (0.0, 40.0)], second)


@pytest.mark.parametrize(
    "parts", [((np.nan, 0), (1, 1), 0), ((0, 0), (1, 0), 0), ((0, 0), (1, np.inf), 0)]
)
def test_an_impossible_ellipse_is_refused(parts):
    with pytest.raises(ValueError, match="positive semi-axes"):
        Ellipse(*parts)


@given(ellipses, axis_ends, places)
def test_a_dragged_end_goes_there_and_the_opposite_end_stays(ellipse, handle, to):
    opposite = Handle(handle ^ 1)
    fixed = ellipse.handles_mm[opposite]
    moved = ellipse.moved(handle, to)
    np.testing.assert_allclose(moved.handles_mm[opposite], fixed, atol=1e-6)
    if np.hypot(*(fixed - to)) >= 2 * SHORTEST_MM:
        np.testing.assert_allclose(moved.handles_mm[handle], to, atol=1e-6)
    other_axis = 1 if handle in (Handle.FIRST_START, Handle.FIRST_END) else 0
    assert moved.semi_axes_mm[other_axis] == ellipse.semi_axes_mm[other_axis]


@given(ellipses, st.sampled_from(Handle))
def test_a_handle_put_back_restores_the_ellipse(ellipse, handle):
    here = ellipse.handles_mm[handle]
    there_and_back = ellipse.moved(handle, here + [7.0, -3.0]).moved(handle, here)
    np.testing.assert_allclose(there_and_back.handles_mm, ellipse.handles_mm, atol=1e-6)


@given(ellipses, places)
def test_the_center_takes_everything_along(ellipse, to):
    moved = ellipse.moved(Handle.CENTER, to)
    shift = np.subtract(to, ellipse.center_mm)
    np.testing.assert_allclose(moved.handles_mm, ellipse.handles_mm + shift, atol=1e-6)


@given(ellipses, axis_ends)
def test_an_end_dragged_onto_its_opposite_leaves_a_thin_ellipse(ellipse, handle):
    moved = ellipse.moved(handle, ellipse.handles_mm[handle ^ 1])
    assert min(moved.semi_axes_mm) == pytest.approx(SHORTEST_MM)


@given(ellipses, st.sampled_from([SPACING, (0.2, 0.4), (0.35, 0.22)]))
@settings(max_examples=30, deadline=None)
def test_a_mask_has_the_area_and_the_circumference_of_its_ellipse(ellipse, spacing):
    shape = tuple(np.ceil(np.array([155, 205]) / spacing).astype(int))
    mask = ellipse.mask(shape, spacing)
    a, b = ellipse.semi_axes_mm
    assert mask.sum() * np.prod(spacing) == pytest.approx(np.pi * a * b, rel=0.01)
    measured = measure_abdomen(mask, spacing)
    assert not measured.truncated
    assert measured.circumference_mm == pytest.approx(ellipse.circumference_mm, rel=0.005)


@given(ellipses)
def test_the_circumference_is_that_of_the_elliptic_integral(ellipse):
    b, a = sorted(ellipse.semi_axes_mm)
    assert ellipse.circumference_mm == pytest.approx(4 * a * ellipe(1 - (b / a) ** 2), rel=1e-3)


@given(ellipses)
@settings(max_examples=30, deadline=None)
def test_an_ellipse_comes_back_from_its_mask(ellipse):
    again = measure_abdomen(ellipse.mask(SHAPE, SPACING), SPACING).ellipse
    np.testing.assert_allclose(again.center_mm, ellipse.center_mm, atol=0.1)
    longer_first = sorted(ellipse.semi_axes_mm, reverse=True)
    np.testing.assert_allclose(again.semi_axes_mm, longer_first, atol=0.15)
    mask = again.mask(SHAPE, SPACING)
    other = ellipse.mask(SHAPE, SPACING)
    assert (mask ^ other).sum() < 0.02 * other.sum()


def test_an_empty_mask_has_no_ellipse():
    assert measure_abdomen(np.zeros(SHAPE, bool), SPACING) is None


def test_a_mask_beyond_the_frame_is_cut_off():
    half = Ellipse((0.0, 50.0), (20.0, 20.0), 30.0).mask(SHAPE, SPACING)
    assert half.sum() * 0.28**2 == pytest.approx(np.pi * 20**2 / 2, rel=0.02)
    assert not Ellipse((-90.0, 50.0), (20.0, 20.0), 30.0).mask(SHAPE, SPACING).any()


def test_the_outline_lies_on_the_edge_of_the_mask():
    ellipse = Ellipse((70.0, 90.0), (40.0, 25.0), 20.0)
    mask = ellipse.mask(SHAPE, SPACING)
    for factor, inside in ((0.97, True), (1.03, False)):
        points = (ellipse.outline_mm() - ellipse.center_mm) * factor + ellipse.center_mm
        rows, columns = np.rint(points / SPACING).astype(int).T
        assert (mask[rows, columns] == inside).all()
