"""Measured against reference head circumference on real heads: the HC18 challenge.

The reference runs along the middle of the drawn outline, about 2.5 pixels thick; every outline is
filled to its outer edge, to its middle and to its inner edge, and measured as an abdomen is.

    python benchmarks/hc18_circumference.py [--data FOLDER]

The folder is that of the HC18 challenge, by default hc18 in the one that FETAL_IQA_DATA names.
"""

import argparse
import csv
import os
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_fill_holes
from skimage.io import imread

from fetal_iqa_training.data.hc18 import close_outline, fill_outline
from napari_fetal_iqa.geometry.biometry import measure_abdomen

DATA = Path(os.environ.get("FETAL_IQA_DATA", "")) / "hc18"


def fills(line: np.ndarray) -> tuple[dict[str, np.ndarray], bool]:
    """Fill a drawn outline to its outer, middle and inner edge; return whether it was closed."""
    filled = close_outline(line)
    closed = bool(np.array_equal(filled, binary_fill_holes(line)))
    masks = {"outer edge": filled, "middle": fill_outline(line), "inner edge": filled & ~line}
    return masks, closed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    folder = parser.parse_args().data
    with (folder / "pixel_size_and_hc.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    errors: dict[str, list[float]] = {}
    open_outlines, seconds = [], []
    for name, pixel_mm, reference in (row[:3] for row in rows):
        path = folder / "annotations" / name.replace(".png", "_Annotation.png")
        masks, closed = fills(imread(path) > 0)
        if not closed:
            open_outlines.append(name)
        for edge, mask in masks.items():
            start = time.perf_counter()
            measured = measure_abdomen(mask, (float(pixel_mm),) * 2)
            seconds.append(time.perf_counter() - start)
            if measured is None:
                raise SystemExit(f"{name}: no ellipse")
            errors.setdefault(edge, []).append(measured.circumference_mm - float(reference))
    print(f"{len(rows)} heads; outlines cut off by the image: {', '.join(open_outlines) or 'none'}")
    print(f"{'filled to':12}{'mean error':>12}{'mean |error|':>14}{'95 %':>8}{'largest':>9}  (mm)")
    for edge, found in errors.items():
        off = np.abs(found)
        print(
            f"{edge:12}{np.mean(found):12.3f}{off.mean():14.3f}"
            f"{np.percentile(off, 95):8.3f}{off.max():9.3f}"
        )
    print(f"measure_abdomen: median {1000 * np.median(seconds):.2f} ms a mask")


if __name__ == "__main__":
    main()
