"""Time to measure frames, against the networks that outline them (``benchmarks/measuring.py``).

    python benchmarks/measuring.py [--frames 5000] [--batch-size 32] [--every-frame]

The frames of a phantom (562 x 744, 0.28 mm) are analysed over and over by the two demo models, as
``napari-fetal-iqa analyse`` does, until there are so many; with ``--every-frame`` only those frames
that show an abdomen, which is the most that there can be to measure. The table has the seconds
that preparing, both networks and the way back to the frame's own grid took, and what measuring did:
circumferences and the compact form of the masks. Batch by batch the two take turns, so that a busy
machine slows both alike.

Below, the outer contours of 100 abdomens of a phantom's size are found by ``outer_contour`` and by
``skimage.measure.find_contours`` with the largest part chosen before, as they were until they were
found without following them; the fastest of three rounds counts.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import skimage
from numpy.typing import NDArray
from scipy import ndimage

from napari_fetal_iqa.analysis.analyser import Analyser
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.geometry.outline import outer_contour
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

SHAPE, PIXEL_MM, N, ROUNDS = (562, 744), 0.28, 100, 3
NETWORKS = ("preprocess", "cls", "seg", "restore")


def beside_networks(frames: int, batch_size: int, every_frame: bool) -> Counter[str]:
    """Seconds of each stage, and ``outlined``, how many frames had an outline to measure."""
    case = make_phantom(PhantomSettings.demo(), seed=0)
    chosen = np.flatnonzero(case.labels > 0) if every_frame else np.arange(len(case.sweep))
    images = np.stack([case.sweep.frames[int(frame)] for frame in chosen])
    analyser = Analyser("demo-cls", "demo-seg", "cpu", batch_size).load()
    spacing, view = case.sweep.spacing_mm, case.sweep.field_of_view
    found: Counter[str] = Counter()
    analyser.run_batch(np.arange(batch_size), images[:batch_size], spacing, view)  # for warmth
    for first in range(0, frames, batch_size):
        numbers = np.arange(first, min(first + batch_size, frames))
        results = analyser.run_batch(numbers, images[numbers % len(images)], spacing, view)
        found.update(results.seconds)
        found["outlined"] += int(np.isfinite(results.ac_mm).sum())
    return found


def follow(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the contour as scikit-image follows it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    parts, count = ndimage.label(crop)
    if count > 1:
        crop = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    contours = skimage.measure.find_contours(np.pad(crop, 1).astype(np.float64), 0.5)
    return max(contours, key=lambda contour: float(np.ptp(contour, axis=0).prod()))


def beside_following() -> dict[str, float]:
    """Milliseconds of a mask, by the way in which its contour is found."""
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
    return best


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--every-frame", action="store_true", help="only frames with an abdomen")
    options = parser.parse_args()
    found = beside_networks(options.frames, options.batch_size, options.every_frame)
    networks = sum(found[stage] for stage in NETWORKS)
    print(f"{options.frames} frames, {found['outlined']} of them outlined, one process")
    for stage in (*NETWORKS, "measure"):
        print(f"{stage:34} {found[stage]:8.1f} s")
    print(f"{'networks in all':34} {networks:8.1f} s")
    print(f"measuring costs {found['measure'] / networks:.2f} of the networks\n")
    best = beside_following()
    followed = best["followed (scikit-image)"]
    for name, took_ms in best.items():
        print(f"{name:34} {took_ms:6.2f} ms a mask, {took_ms / followed:5.2f} of following")


if __name__ == "__main__":
    main()
