"""How often the interval of a case holds the outlined circumference on real abdomens.

    python benchmarks/interval_on_real_planes.py --seg starter-seg --data ../shared/data

The abdomens of FETAL_PLANES_DB that have an outline in the package, of subjects that no starter
model learnt from, each a case of one frame. They are stills without a pixel size: circumferences
are compared in pixels, errors and widths in percent. Three intervals: with the multiple that the
demo models have on simulated cases, which reports of real sweeps never use; with a multiple by the
other subjects, each subject left out in turn; and that of two observers (Sarris 2012), which stands
where an expert measured. A still says nothing of the spread within and between runs, nor of which
frame a sweep would have measured, and an engineer's outline is no sonographer's.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetal_iqa_models import load_model
from fetal_iqa_training.data.outlines import read_outlines
from fetal_iqa_training.data.planes import load_frame, read_planes
from napari_fetal_iqa import measure_abdomen
from napari_fetal_iqa.review.examination.aggregate import (
    OBSERVERS_SPREAD,
    OF_NORMAL,
    FrameCircumference,
    ModelError,
    case_circumference,
)
from napari_fetal_iqa.review.examination.known_errors import FILE

FOLDERS = ("fetal_planes_640", "fetal_planes_png")


@dataclass(frozen=True)
class Still:
    """One abdomen as measured and as outlined, in pixels; None where nothing was measured."""

    subject: str
    machine: str
    measured: float | None
    truth: float

    @property
    def frames(self) -> list[FrameCircumference]:
        """The one frame of this case, or none."""
        return [] if self.measured is None else [FrameCircumference((0, 0, 0), self.measured)]


def stills(data: Path, seg: str, part: str) -> list[Still]:
    """Outline and measure the abdomens of a part of the subjects."""
    from fetal_iqa_models import FramePredictor

    segmenter = load_model(seg)
    predictor = FramePredictor(None, segmenter, device="cpu")
    area = segmenter.card.area_threshold
    outlines, found = read_outlines(), []
    for image in [image for name in FOLDERS for image in read_planes(data / name)]:
        outline = outlines.get(image.path.name)
        if image.part != part or image.plane != "abdomen" or outline is None:
            continue
        (batch,) = predictor.predict(load_frame(image)[None])
        mask = batch.masks[0]
        measured = measure_abdomen(mask, (1.0, 1.0)) if batch.area_fraction[0] >= area else None
        value = measured.circumference_mm if measured else None
        found.append(Still(image.subject, image.machine, value, outline.circumference))
    return found


def held(cases: list[tuple[Still, ModelError]]) -> str:
    """Say how often the interval holds the truth, and half its width in percent."""
    holds, widths = [], []
    for still, error in cases:
        found = case_circumference(still.frames, error)
        if found is not None and found.interval_mm is not None:
            low, high = found.interval_mm
            holds.append(low <= still.truth <= high)
            widths.append(100 * (high - low) / 2 / found.circumference_mm)
    share, half = np.mean(holds), np.median(widths)
    return f"{sum(holds)} of {len(holds)} ({share:.0%}) | {half:.1f} %"


def by_the_others(cases: list[Still]) -> list[tuple[Still, ModelError]]:
    """Pair each case with the error of the models in all other subjects."""
    found = []
    for still in cases:
        others = [(one.frames, one.truth) for one in cases if one.subject != still.subject]
        found.append((still, ModelError.calibrated(others, "other subjects")))
    return found


def main() -> None:
    """Measure and print."""
    import json

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seg", default="starter-seg")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", default="val")
    options = parser.parse_args()
    cases = stills(options.data, options.seg, options.part)
    measured = [one for one in cases if one.measured is not None]
    errors = np.array([100 * (one.measured / one.truth - 1) for one in measured])
    subjects = {one.subject for one in cases}
    (row,) = json.loads(FILE.read_text(encoding="utf-8"))
    simulated = ModelError(row["scale"], row["cases"], row["what"])
    observers = ModelError(OF_NORMAL * OBSERVERS_SPREAD / 0.02, 0, "two observers")
    print(
        f"{len(cases)} abdomens of {len(subjects)} subjects, {len(cases) - len(measured)} not "
        f"measured; error of the others: median of its size {np.median(abs(errors)):.1f} %, "
        f"nine of ten below {np.percentile(abs(errors), 90):.1f} %, mean {errors.mean():+.1f} %"
    )
    print("| multiple | the 90 % interval holds the outline | half its width, median |")
    print("|---|---|---|")
    tried = [
        (
            f"of the demo models on simulated cases, {row['scale']:.2f}",
            [(one, simulated) for one in cases],
        ),
        ("by the other subjects", by_the_others(cases)),
        ("of two observers", [(one, observers) for one in cases]),
    ]
    for name, pairs in tried:
        print(f"| {name} | {held(pairs)} |")
    for machine in sorted({one.machine for one in cases}):
        pairs = [pair for pair in tried[1][1] if pair[0].machine == machine]
        if any(one.measured is not None for one, _ in pairs):
            print(f"| by the other subjects, {machine} alone | {held(pairs)} |")


if __name__ == "__main__":
    main()
