"""Time to find outlines, against following them with scikit-image (``benchmarks/measuring.py``).

The outer contours of 100 abdomens of a phantom's size are found by ``outer_contour`` and by
``skimage.measure.find_contours`` with the largest part chosen before, as they were until now. The
two take turns; the fastest of three rounds counts. ``measure_abdomen`` in all is beside them.
"""

import time
from collections.abc import Callable

import numpy as np
import skimage
from numpy.typing import NDArray
from scipy import ndimage

from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.geometry.outline import outer_contour

SHAPE, PIXEL_MM, N, ROUNDS = (562, 744), 0.28, 100, 3


def follow(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the contour as scikit-image follows it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    parts, count = ndimage.label(crop)
    if count > 1:
        crop = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    contours = skimage.measure.find_contours(np.pad(crop, 1).astype(np.float64), 0.5)
    return max(contours, key=lambda contour: float(np.ptp(contour, axis=0).prod()))


def main() -> None:
    rng = np.random.default_rng(0)
    masks = []
    for _ in range(N):
        axes = rng.uniform(22, 56, 2)
        center = rng.uniform((60, 80), (100, 130))
        ellipse = Ellipse(tuple(center), tuple(axes), float(rng.uniform(0, 180)))
        masks.append(ellipse.mask(SHAPE, (PIXEL_MM, PIXEL_MM)))
    view = np.ones(SHAPE, bool)
    ways: dict[str, Callable[[NDArray[np.bool_]], object]] = {
        "followed (scikit-image)": follow,
        "found (ours)": outer_contour,
        "measured (ours, ellipse and all)": lambda mask: measure_abdomen(
            mask, (PIXEL_MM, PIXEL_MM), view
        ),
    }
    best = dict.fromkeys(ways, np.inf)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            for mask in masks:
                way(mask)
            best[name] = min(best[name], (time.perf_counter() - started) / N * 1e3)
    followed = best["followed (scikit-image)"]
    for name, took_ms in best.items():
        print(f"{name:34} {took_ms:6.2f} ms a mask, {took_ms / followed:5.2f} of following")


if __name__ == "__main__":
    main()
