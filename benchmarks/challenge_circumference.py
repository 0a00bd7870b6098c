"""What the organisers' way of measuring costs: ``python benchmarks/challenge_circumference.py``.

Ellipses as large as the abdomens of ACOUSLIC-AI (circumferences of 140.9 to 350.6 mm) are drawn on
frames of 562 x 744 pixels of 0.28 mm and measured by both rules, whole and cut by a fan.
"""

from math import pi

import numpy as np

from fetal_iqa_training.challenge.organisers import organisers_circumference_px
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.ellipse import Ellipse

SHAPE, PIXEL_MM, N = (562, 744), 0.28, 200
SIZES_MM = (140.9, 350.6)


def main() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    fan = np.abs(columns - 372) <= 0.8 * (rows + 60)
    fan &= np.hypot(columns - 372, rows + 60) <= 600
    whole = np.ones(SHAPE, bool)
    print(f"{N} ellipses each; error of the circumference in mm\n")
    print("| outline | rule | mean | median of absolute | 95th percentile | not measured |")
    print("|---|---|---|---|---|---|")
    for name, view, places in (("whole", whole, (0.5, 0.5)), ("cut by the fan", fan, (0.2, 0.8))):
        errors: dict[str, list[float]] = {"literal": [], "corrected": []}
        for ellipse in ellipses(rng, places):
            mask = ellipse.mask(SHAPE, (PIXEL_MM, PIXEL_MM)) & view
            true_mm = ellipse.circumference_mm
            theirs = organisers_circumference_px(mask, view)
            ours = measure_abdomen(mask, (PIXEL_MM, PIXEL_MM), view)
            errors["literal"].append(np.nan if theirs is None else theirs * PIXEL_MM - true_mm)
            errors["corrected"].append(np.nan if ours is None else ours.circumference_mm - true_mm)
        for rule, values in errors.items():
            found = np.array(values)[~np.isnan(values)]
            off = np.abs(found)
            print(
                f"| {name} | {rule} | {found.mean():+.2f} | {np.median(off):.2f} | "
                f"{np.percentile(off, 95):.2f} | {N - len(found)} |"
            )


def ellipses(rng: np.random.Generator, places: tuple[float, float]) -> list[Ellipse]:
    """Draw ellipses of random size, shape and turn, centred between two shares of the frame."""
    drawn = []
    for _ in range(N):
        radius = rng.uniform(*SIZES_MM) / (2 * pi)
        ratio = rng.uniform(0.75, 1)
        axes = (radius / ratio**0.5, radius * ratio**0.5)
        scale = 2 * pi * radius / Ellipse((0, 0), axes, 0).circumference_mm
        row, column = (rng.uniform(*places) * size * PIXEL_MM for size in SHAPE)
        drawn.append(
            Ellipse((row, column), (axes[0] * scale, axes[1] * scale), rng.uniform(0, 180))
        )
    return drawn


if __name__ == "__main__":
    main()
