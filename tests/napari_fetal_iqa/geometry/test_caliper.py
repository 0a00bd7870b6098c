"""Free calipers: pixels stay, millimetres follow the spacing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa.geometry.caliper import Caliper, CaliperKind
from napari_fetal_iqa.geometry.ellipse import Ellipse, ramanujan_perimeter

PLACE = st.floats(-300, 900)


@given(st.tuples(PLACE, PLACE), st.tuples(PLACE, PLACE), st.floats(0.05, 2), st.floats(0.05, 2))
def test_a_distance_is_that_of_its_ends_in_mm(start, end, row_mm, column_mm):
    if math.dist(start, end) < 0.1:
        return
    size = Caliper((start, end)).size((row_mm, column_mm))
    expected = math.dist(*((row * row_mm, column * column_mm) for row, column in (start, end)))
    assert size.length == pytest.approx(expected)
    assert (size.unit, size.diameters) == ("mm", None)
    assert Caliper((start, end)).size(None).length == pytest.approx(math.dist(start, end))


@given(st.floats(5, 90), st.floats(5, 90), st.floats(-180, 180), st.floats(0.1, 1))
def test_an_ellipse_comes_back_as_it_was_drawn(first, second, angle, spacing):
    drawn = Ellipse((40.0, 60.0), (first, second), angle)
    caliper = Caliper.of_ellipse(drawn, (spacing, spacing))
    assert caliper.kind is CaliperKind.ELLIPSE
    back = caliper.ellipse((spacing, spacing))
    assert back.semi_axes_mm == pytest.approx((first, second))
    assert np.allclose(back.handles_mm, drawn.handles_mm)
    size = caliper.size((spacing, spacing))
    assert size.length == pytest.approx(ramanujan_perimeter(first, second))
    assert size.diameters == pytest.approx((2 * max(first, second), 2 * min(first, second)))


@given(st.floats(8, 90), st.floats(8, 90), st.floats(-180, 180), st.floats(0.3, 3))
def test_with_another_spacing_the_same_pixels_lie_on_the_ellipse(first, second, angle, ratio):
    drawn = Ellipse((40.0, 60.0), (first, second), angle)
    other = Caliper.of_ellipse(drawn, (1.0, 1.0)).ellipse((ratio, 1.0))
    outline = drawn.outline_mm(32) * (ratio, 1.0) - other.center_mm
    turn = math.radians(other.angle_deg)
    along = outline @ (math.sin(turn), math.cos(turn)) / other.semi_axes_mm[0]
    across = outline @ (math.cos(turn), -math.sin(turn)) / other.semi_axes_mm[1]
    assert np.allclose(along**2 + across**2, 1)


@pytest.mark.parametrize(
    "points",
    [
        ((1.0, 1.0),),
        ((1.0, 1.0), (1.0, 1.0)),
        ((1.0, math.nan), (2.0, 2.0)),
        ((0.0, 0.0), (0.0, 9.0), (5.0, 0.0), (5.0, 9.0)),
        ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    ],
)
def test_what_measures_nothing_is_no_caliper(points):
    with pytest.raises(ValueError, match="expected"):
        Caliper(points)


def test_values_are_written_with_their_unit():
    assert str(Caliper(((0.0, 0.0), (30.0, 40.0))).size((0.5, 0.5))) == "25.0 mm"
    assert str(Caliper(((0.0, 0.0), (30.0, 40.0))).size(None)) == "50.0 px"
    circle = Caliper.of_ellipse(Ellipse((50.0, 50.0), (10.0, 10.0), 0), (1.0, 1.0))
    assert str(circle.size((1.0, 1.0))) == "62.8 mm around, 20.0 × 20.0 mm"
