"""How far two drawings of the same abdomens differ: forty that were outlined twice, blind.

python benchmarks/outline_passes.py
"""

import json

import numpy as np

from fetal_iqa_training.data.outlines import PlaneEllipse, read_outlines
from napari_fetal_iqa.geometry.overlap import dice


def overlap(one: PlaneEllipse, other: PlaneEllipse) -> float:
    """Dice of the two areas, on a grid of pixels that holds both."""
    reach = max(one.a, one.b, other.a, other.b)
    centre = np.array([min(one.cx, other.cx), min(one.cy, other.cy)]) - reach - 2
    side = int(4 * reach) + 8

    def moved(ellipse: PlaneEllipse) -> PlaneEllipse:
        x, y = ellipse.cx - centre[0], ellipse.cy - centre[1]
        return PlaneEllipse(x, y, ellipse.a, ellipse.b, ellipse.angle_deg)

    return dice(moved(one).mask((side, side)), moved(other).mask((side, side)), of_nothing=0.0)


def main() -> None:
    """Compare and print."""
    first, second = read_outlines(which="1"), read_outlines(which="2")
    both = sorted(first.keys() & second.keys())
    overlaps = [overlap(first[name], second[name]) for name in both]
    percent = np.array([100 * (second[n].circumference / first[n].circumference - 1) for n in both])
    found = {
        "drawn_twice": len(both),
        "told_once_only": sorted(second.keys() - first.keys()),
        "dice_mean": float(np.mean(overlaps)),
        "dice_least": float(np.min(overlaps)),
        "circumference_mean_percent": float(percent.mean()),
        "circumference_median_absolute_percent": float(np.median(np.abs(percent))),
        "circumference_largest_percent": float(np.abs(percent).max()),
        "limits_of_agreement_percent": float(1.96 * percent.std(ddof=1)),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
