"""The two criteria that an outline tells, at their limits."""

import numpy as np
import pytest

from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.geometry.plane import computed_verdicts

FILLS, PLACED = Criterion.FILLS_IMAGE, Criterion.ELLIPSE_PLACED
SHAPE, SPACING = (100, 120), (0.5, 0.5)
VIEW = np.zeros(SHAPE, bool)
VIEW[:, 10:110] = True  # 10,000 pixels


def verdicts(mask, view=VIEW):
    return computed_verdicts(mask, measure_abdomen(mask, SPACING, view), view)


@pytest.mark.parametrize(("radius_px", "fills"), [(30, False), (31.5, True)])
def test_the_image_is_the_field_of_view_and_30_percent_fill_it(radius_px, fills):
    mask = Ellipse((25, 30), (radius_px / 2, radius_px / 2), 0).mask(SHAPE, SPACING)
    assert verdicts(mask) == {FILLS: fills, PLACED: True}


def test_an_outline_that_is_no_ellipse_or_cut_is_not_placed_right():
    square = np.zeros(SHAPE, bool)
    square[20:80, 30:90] = True
    assert verdicts(square)[PLACED] is False
    cut = Ellipse((25, 10), (15, 15), 0).mask(SHAPE, SPACING) & VIEW
    assert verdicts(cut)[PLACED] is False


def test_nothing_is_said_of_no_outline_nor_of_an_ellipse_that_is_not_there():
    empty = np.zeros(SHAPE, bool)
    assert verdicts(empty) == {}
    disc = Ellipse((25, 30), (20, 20), 0).mask(SHAPE, SPACING)
    assert computed_verdicts(disc, None, VIEW) == {FILLS: True}
