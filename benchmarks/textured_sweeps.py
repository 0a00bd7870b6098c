"""Whether textured sweeps move as a real one does: beside the real head sweep and a drawn phantom.

    python benchmarks/textured_sweeps.py --planes FOLDER --head FILE [--outlines CSV]
        [--picture docs/images/textured-sweep.jpg]

Correlation of frames that lie some frames apart, within the field of view, as they are and after a
blur that leaves anatomy and no speckle; medians over a sweep. --picture draws the three below
each other. FETAL_PLANES_DB is CC BY 4.0, and the head has a licence, too: name them below.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from fetal_iqa_training.data.outlines import read_outlines
from fetal_iqa_training.data.textured.simulation import TexturedSimulation
from fetal_iqa_training.data.textured.subjects import subjects_of
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.phantom.settings import PhantomSettings
from napari_fetal_iqa.phantom.simulation import Simulation

LAGS = (1, 2, 5, 10, 20)
BLUR_MM = 2.5
FRAMES = 40
SHOWN = (2, 7, 12, 17, 22, 27, 32, 37)


def correlations(frames: NDArray[np.uint8], spacing_mm: float) -> list[tuple[float, float]]:
    """Median correlation at each lag: of the frames, and of their anatomy."""
    seen = frames.max(axis=0) > 0
    sharp = frames.astype(np.float32)
    blurred = gaussian_filter(sharp, (0, BLUR_MM / spacing_mm, BLUR_MM / spacing_mm))
    found = []
    for lag in LAGS:
        pairs = range(len(frames) - lag)
        found.append(
            tuple(
                float(np.median([np.corrcoef(s[i][seen], s[i + lag][seen])[0, 1] for i in pairs]))
                for s in (sharp, blurred)
            )
        )
    return found


def draw(rows: dict[str, NDArray[np.uint8]], path: Path) -> None:
    """Draw frames of each sweep, in one row each."""
    size = (200, 150)
    sheet = Image.new("L", (size[0] * len(SHOWN), (size[1] + 16) * len(rows)))
    for row, (name, frames) in enumerate(rows.items()):
        top = row * (size[1] + 16)
        ImageDraw.Draw(sheet).text((4, top + 2), name, fill=255)
        for column, number in enumerate(SHOWN):
            frame = Image.fromarray(frames[number * len(frames) // FRAMES])
            frame.thumbnail(size, Image.Resampling.LANCZOS)
            sheet.paste(frame, (column * size[0] + (size[0] - frame.width) // 2, top + 16))
    sheet.save(path, quality=88)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--planes", type=Path, required=True)
    parser.add_argument("--head", type=Path, required=True)
    parser.add_argument("--outlines", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--subject", type=int, default=0, help="place among those of part val")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sweep", type=int, default=0)
    options = parser.parse_args()
    subjects = subjects_of(options.planes, "val", read_outlines(options.outlines))
    settings = PhantomSettings.demo()
    of_sweep = range(options.sweep * FRAMES, (options.sweep + 1) * FRAMES)
    textured = TexturedSimulation(settings, subjects[options.subject], options.seed)
    drawn = Simulation(settings, options.seed)
    head = read_sweep(options.head)
    rows = {
        "real head, a 3D probe": np.asarray(head.frames)[72:192],  # those that show it whole
        "real planes in a simulated sweep": np.stack([textured.render(i).pixels for i in of_sweep]),
        "drawn phantom": np.stack([drawn.render(i).pixels for i in of_sweep]),
    }
    print(f"{'frames apart':34}" + "".join(f"{lag:>14}" for lag in LAGS))
    for name, frames in rows.items():
        spacing = head.spacing_mm if "head" in name else settings.spacing_mm
        found = correlations(frames, spacing[0] if spacing else 0.5)
        print(f"{name:34}" + "".join(f"  {s:5.2f} {b:5.2f} " for s, b in found))
    if options.picture:
        draw(rows, options.picture)


if __name__ == "__main__":
    main()
