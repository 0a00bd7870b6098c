"""The organisers' circumference against OpenCV's, whose functions their evaluation calls."""

import math

import numpy as np
import pytest

from fetal_iqa_training.challenge.organisers import organisers_circumference_px
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.ellipse import Ellipse, ramanujan_perimeter

SHAPE = (120, 160)
WHOLE = np.ones(SHAPE, bool)
ROWS, COLUMNS = np.mgrid[: SHAPE[0], : SHAPE[1]]
FAN = (np.abs(COLUMNS - 80) <= 0.6 * (ROWS + 30)) & (np.hypot(COLUMNS - 80, ROWS + 30) <= 140)


def ellipse(center, semi_axes, angle_deg=0.0, shape=SHAPE):
    return Ellipse(center, semi_axes, angle_deg).mask(shape, (1, 1))


# The lengths that OpenCV 4.12 gives where its findContours, drawContours and fitEllipse are called
# as github.com/DIAGNijmegen/ACOUSLIC-AI-evaluation-method does.
BY_OPENCV = {
    "whole": (WHOLE, ((60, 80), (40, 30), 0), 217.98819589),
    "turned": (WHOLE, ((60.3, 79.6), (40, 25), 30), 204.18746281),
    "small": (WHOLE, ((60, 80), (4, 3), 0), 19.43700642),
    "cut by the frame's own edge": (WHOLE, ((5, 80), (40, 30), 0), 214.64151468),
    "inside the fan": (FAN, ((60, 80), (30, 22), 15), 161.49790505),
    "cut at the left": (FAN, ((60, 50), (40, 30), 20), 218.52944673),
    "cut at the top": (FAN, ((20, 80), (45, 25), 10), 216.00515904),
    "cut at the bottom": (FAN, ((95, 80), (50, 30), 0), 249.28559914),
    "slender": (FAN, ((100, 40), (30, 12), 60), 131.71193479),
    "in four pieces, of which a small one counts": (FAN, ((70, 110), (35, 35), 0), None),
    "five pixels": (WHOLE, ((60, 80), (1, 1), 0), None),
    "nothing": (FAN, ((2, 2), (1, 1), 0), None),
}


@pytest.mark.parametrize(("view", "shape", "expected"), BY_OPENCV.values(), ids=BY_OPENCV)
def test_the_length_is_opencvs(view, shape, expected):
    found = organisers_circumference_px(ellipse(*shape), view)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-3))


def test_random_masks_are_measured_as_by_opencv_where_it_is_installed():
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed; its lengths are above")
    rng = np.random.default_rng(0)
    for _ in range(60):
        center, semi_axes = rng.uniform((0, 0), SHAPE), rng.uniform(6, 60, 2)
        mask = ellipse(tuple(center), tuple(semi_axes), float(rng.uniform(0, 180)))
        mask &= rng.random(SHAPE) > rng.choice([0, 0.02])
        expected = by_opencv(cv2, mask, FAN)
        found = organisers_circumference_px(mask, FAN)
        if expected is None or found is not None:  # else OpenCV added random numbers
            assert found == (None if expected is None else pytest.approx(expected, rel=1e-3))


def by_opencv(cv2, mask, view):
    def outlined(image):
        contours, _ = cv2.findContours(image, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
        return cv2.drawContours(np.zeros_like(image), contours, -1, 255, 1) != 0

    mask, view = (np.pad(part.astype(np.uint8) * 255, 200) for part in (mask & view, view))
    line = (outlined(mask) & ~outlined(view)).astype(np.uint8) * 255
    pieces, _ = cv2.findContours(line, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    points = max(pieces, key=cv2.contourArea, default=())
    if len(points) < 6:
        return None
    _, axes, _ = cv2.fitEllipse(points)
    return None if any(map(math.isnan, axes)) else ramanujan_perimeter(axes[0] / 2, axes[1] / 2)


def test_the_radius_is_about_half_a_pixel_less_than_ours():
    mask = ellipse((280, 370), (150, 120), 20, (562, 744))
    theirs = organisers_circumference_px(mask, np.ones_like(mask))
    ours = measure_abdomen(mask, (1, 1)).circumference_mm
    assert (ours - theirs) / (2 * math.pi) == pytest.approx(0.45, abs=0.05)
