"""Biometry against integrated perimeters, analytic ellipses and real heads."""

import csv
from math import cos, hypot, pi, radians, sin
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, ndimage, special
from skimage.io import imread

from napari_fetal_iqa.geometry.biometry import (
    format_gestational_age,
    gestational_age_weeks,
    is_in_pieces,
    measure_abdomen,
)
from napari_fetal_iqa.geometry.ellipse import ramanujan_perimeter


def integrated_perimeter(a: float, b: float) -> float:
    longer, shorter = max(a, b), min(a, b)
    return 4 * longer * float(special.ellipe(1 - (shorter / longer) ** 2))


def ellipse_mask(
    shape: tuple[int, int],
    spacing: tuple[float, float],
    center_px: tuple[float, float],
    axes_mm: tuple[float, float],
    angle_deg: float,
) -> NDArray[np.bool_]:
    """Pixels inside an ellipse whose first axis points angle_deg below the columns' axis."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    y, x = (rows - center_px[0]) * spacing[0], (columns - center_px[1]) * spacing[1]
    c, s = cos(radians(angle_deg)), sin(radians(angle_deg))
    return ((c * x + s * y) / axes_mm[0]) ** 2 + ((c * y - s * x) / axes_mm[1]) ** 2 <= 1


@given(st.floats(1, 500), st.floats(0.5, 1))
def test_ramanujan_is_the_integrated_perimeter(a: float, ratio: float) -> None:
    b = a * ratio
    by_quadrature, _ = integrate.quad(lambda t: hypot(a * sin(t), b * cos(t)), 0, 2 * pi)
    assert ramanujan_perimeter(a, b) == pytest.approx(by_quadrature, rel=1e-4)
    assert ramanujan_perimeter(b, a) == ramanujan_perimeter(a, b)


PIXEL_ERROR = 0.14
"""Of the mean radius: what is lost where a circle's edge falls between rows and columns. Of 20.25
pixels about the middle of one, 0.13 are lost."""


@settings(max_examples=50, deadline=None)
@example((1.0, 0.5), (20.0, 20.0), (0.0, 0.25), False, 0.0)
@example((1.0, 1.0), (20.25, 20.25), (0.0, 0.0), False, 0.0)
@given(
    spacing=st.tuples(st.floats(0.3, 1.0), st.floats(0.3, 1.0)),
    axes_px=st.tuples(st.floats(20, 70), st.floats(20, 70)),
    offset=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    tilted=st.booleans(),
    angle=st.floats(0, 180),
)
def test_rasterised_ellipses_measure_to_a_seventh_of_a_pixel(
    spacing: tuple[float, float],
    axes_px: tuple[float, float],
    offset: tuple[float, float],
    tilted: bool,
    angle: float,
) -> None:
    if tilted:  # both axes long enough in the coarser direction, whatever the angle
        axes_mm = (axes_px[0] * max(spacing), axes_px[1] * max(spacing))
    else:
        angle, axes_mm = 0.0, (axes_px[0] * spacing[1], axes_px[1] * spacing[0])
    half = [int(max(axes_mm) / step) + 10 for step in spacing]
    center = (half[0] + offset[0], half[1] + offset[1])
    mask = ellipse_mask((2 * half[0] + 1, 2 * half[1] + 1), spacing, center, axes_mm, angle)
    measured = measure_abdomen(mask, spacing)
    assert measured is not None
    true_mm = integrated_perimeter(*axes_mm)
    assert measured.circumference_mm == pytest.approx(true_mm, rel=PIXEL_ERROR / min(axes_px))
    assert measured.semi_axes_mm == pytest.approx(sorted(axes_mm, reverse=True), rel=0.02)
    assert measured.center_px == pytest.approx(center, abs=0.3)
    assert not measured.truncated


def test_angle_is_that_of_the_longer_axis_in_millimetres() -> None:
    spacing = (0.5, 0.25)
    mask = ellipse_mask((160, 320), spacing, (80, 160), (30, 18), 35)
    measured = measure_abdomen(mask, spacing)
    assert measured is not None
    assert measured.angle_deg == pytest.approx(35, abs=1)
    swapped = measure_abdomen(ellipse_mask((160, 320), spacing, (80, 160), (18, 30), 35), spacing)
    assert swapped is not None
    assert swapped.angle_deg == pytest.approx(125, abs=1)


def test_outline_and_diameters_lie_on_the_ellipse_in_pixels() -> None:
    spacing, center, axes = (0.5, 0.25), (80.0, 160.0), (30.0, 18.0)
    measured = measure_abdomen(ellipse_mask((160, 320), spacing, center, axes, 35), spacing)
    assert measured is not None
    outline = measured.ellipse.outline_mm(50) / spacing
    ends = measured.ellipse.handles_mm[:4] / spacing
    assert outline.shape == (50, 2)
    c, s = cos(radians(35)), sin(radians(35))
    for points in (outline, ends):
        y, x = ((points - center) * spacing).T
        radius = np.hypot((c * x + s * y) / axes[0], (c * y - s * x) / axes[1])
        np.testing.assert_allclose(radius, 1, atol=0.02)
    lengths = np.linalg.norm((ends[1::2] - ends[::2]) * spacing, axis=1)
    assert tuple(lengths) == pytest.approx(measured.diameters_mm)
    assert measured.diameters_mm == pytest.approx((60, 36), rel=0.01)


def test_outline_on_the_edge_of_the_field_of_view_is_left_out() -> None:
    spacing, axes = (0.28, 0.28), (38.0, 33.0)
    whole = ellipse_mask((400, 500), spacing, (200, 250), axes, 20)
    field_of_view = np.zeros_like(whole)
    field_of_view[:, 180:] = True
    measured = measure_abdomen(whole & field_of_view, spacing, field_of_view)
    assert measured is not None
    assert measured.truncated
    assert measured.circumference_mm == pytest.approx(integrated_perimeter(*axes), rel=0.005)
    naive = measure_abdomen(whole & field_of_view, spacing)
    assert naive is not None
    assert not naive.truncated
    assert naive.circumference_mm < 0.95 * measured.circumference_mm


def test_the_edge_of_the_frame_counts_as_edge() -> None:
    axes = (38.0, 33.0)
    mask = ellipse_mask((400, 500), (0.28, 0.28), (90, 250), axes, 0)
    measured = measure_abdomen(mask, (0.28, 0.28))
    assert measured is not None
    assert measured.truncated
    assert measured.circumference_mm == pytest.approx(integrated_perimeter(*axes), rel=0.005)


def test_an_ellipse_that_ends_beyond_three_pixels_of_the_edge_is_whole() -> None:
    rows = np.ones((100, 100), bool)
    for gap, truncated in ((2, True), (6, False)):
        mask = ellipse_mask((100, 100), (1, 1), (50, 30 + gap), (30.4, 28), 0)
        measured = measure_abdomen(mask, (1, 1), rows)
        assert measured is not None
        assert measured.truncated is truncated


def test_holes_and_smaller_parts_change_nothing() -> None:
    mask = ellipse_mask((300, 300), (1, 1), (150, 150), (90, 80), 10)
    clean = measure_abdomen(mask, (1, 1))
    spoiled = mask.copy()
    spoiled[120:160, 130:150] = False
    spoiled[5:25, 5:40] = True
    assert clean is not None
    assert measure_abdomen(spoiled, (1, 1)) == clean
    assert measure_abdomen(2 * mask.astype(np.uint8), (1, 1)) == clean


def test_masks_without_an_outline_are_none() -> None:
    empty = np.zeros((50, 50), np.uint8)
    assert measure_abdomen(empty, (1, 1)) is None
    one = empty.copy()
    one[20, 20] = 1
    assert measure_abdomen(one, (1, 1)) is None
    assert measure_abdomen(np.ones((50, 50), np.uint8), (1, 1)) is None


def test_an_outline_that_is_no_ellipse_is_none() -> None:
    strip = np.ones((60, 60), bool)
    strip[:, 30:] = False  # what the edges leave of it is one straight line
    assert measure_abdomen(strip, (1, 1)) is None


@pytest.mark.parametrize(
    ("shape", "spacing", "seen"),
    [
        ((3, 9, 9), (1, 1), None),
        ((9, 9), (1, 0), None),
        ((9, 9), (1, float("nan")), None),
        ((9, 9), (1, 1, 1), None),
        ((9, 9), (1, 1), (8, 9)),
    ],
)
def test_wrong_input_is_refused(
    shape: tuple[int, ...], spacing: tuple[float, ...], seen: tuple[int, int] | None
) -> None:
    field_of_view = None if seen is None else np.ones(seen, bool)
    with pytest.raises(ValueError, match=r"expected|differ"):
        measure_abdomen(np.ones(shape, bool), spacing, field_of_view)


@pytest.mark.parametrize(("ac_mm", "weeks"), [(100, 16.03), (200, 24.64), (300, 33.97)])
def test_gestational_age_follows_hadlock(ac_mm: float, weeks: float) -> None:
    assert gestational_age_weeks(ac_mm) == pytest.approx(weeks, abs=0.005)


@pytest.mark.parametrize("ac_mm", [0, -50, 70, 390, float("nan")])
def test_no_gestational_age_outside_14_to_42_weeks(ac_mm: float) -> None:
    assert gestational_age_weeks(ac_mm) is None


@given(st.floats(80, 375))
def test_gestational_age_grows_and_is_written_in_weeks_and_days(ac_mm: float) -> None:
    weeks, later = gestational_age_weeks(ac_mm), gestational_age_weeks(ac_mm + 1)
    assert weeks is not None
    assert later is not None
    assert later > weeks
    whole, days = format_gestational_age(weeks).rstrip("d").split("w")
    assert 0 <= int(days) <= 6
    assert int(whole) + int(days) / 7 == pytest.approx(weeks, abs=0.5 / 7 + 1e-9)


def test_days_round_up_to_the_next_week() -> None:
    assert format_gestational_age(27 + 1 / 7) == "27w1d"
    assert format_gestational_age(26.99) == "27w0d"


def fill_to_the_middle(line: NDArray[np.bool_]) -> NDArray[np.bool_]:
    filled = ndimage.binary_fill_holes(line)
    if filled.sum() < 3 * line.sum():  # 787_HC: cut off by the top of the image
        filled = ndimage.binary_fill_holes(np.pad(line, ((1, 0), (0, 0)), constant_values=True))[1:]
    to_hole = ndimage.distance_transform_edt(~(filled & ~line))
    return np.asarray(to_hole <= ndimage.distance_transform_edt(filled))


def errors_on_heads(folder: Path, step: int) -> list[float]:
    with (folder / "pixel_size_and_hc.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    errors = []
    for name, pixel_mm, reference in (row[:3] for row in rows[::step]):
        line = imread(folder / "annotations" / name.replace(".png", "_Annotation.png")) > 0
        measured = measure_abdomen(fill_to_the_middle(line), (float(pixel_mm),) * 2)
        assert measured is not None, name
        errors.append(measured.circumference_mm - float(reference))
    return errors


def test_real_heads_agree_with_their_reference(real_data: Path) -> None:
    errors = errors_on_heads(real_data / "hc18", step=25)
    assert np.mean(np.abs(errors)) < 0.1


@pytest.mark.slow
def test_all_real_heads_agree_with_their_reference(real_data: Path) -> None:
    errors = errors_on_heads(real_data / "hc18", step=1)
    assert len(errors) == 300
    assert np.mean(np.abs(errors)) < 0.1
    assert np.max(np.abs(errors)) < 0.5


@pytest.mark.parametrize(
    ("second", "in_pieces"), [((0, 0), False), ((3, 3), False), ((10, 10), True), ((20, 20), True)]
)
def test_a_speck_beside_the_outline_is_no_second_piece(second, in_pieces):
    mask = np.zeros((60, 80), bool)
    mask[5:25, 5:25] = True
    mask[30 : 30 + second[0], 40 : 40 + second[1]] = True
    assert is_in_pieces(mask) == in_pieces


def test_nothing_is_not_in_pieces():
    assert not is_in_pieces(np.zeros((5, 5), bool))
