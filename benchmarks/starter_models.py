"""How good models are on real standard planes: those of subjects that no starter model learnt from.

    python benchmarks/starter_models.py --cls starter-cls --seg starter-seg --data ../shared/data

DATA has fetal_planes_640 (FETAL_PLANES_DB, its subjects split by annotations.csv), focus_thorax
(FOCUS) and fetal_head_sweep.mha. Outlines are those of the package: engineers drew them, not
sonographers. Figures are of the held-back subjects: abdomens against other planes, all of them and
per machine; chests; the head sweep, which should have no abdomen; milliseconds a frame.
"""

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torchmetrics.functional.classification import binary_auroc, binary_f1_score

from fetal_iqa_models import FramePredictor, load_model
from fetal_iqa_training.data.chests import chest_cases
from fetal_iqa_training.data.labelled_frames import frames_of
from fetal_iqa_training.data.outlines import PlaneEllipse, read_outlines
from fetal_iqa_training.data.planes import load_frame, read_planes
from napari_fetal_iqa import measure_abdomen, read_sweep
from napari_fetal_iqa.geometry.ellipse import from_axes
from napari_fetal_iqa.geometry.overlap import dice

WIDTH = 300
"""Of one picture of the sheet, in pixels."""


@dataclass
class Judged:
    """What the models say of one frame, beside the truth."""

    name: str
    machine: str
    frame: NDArray[np.uint8]
    outline: PlaneEllipse | None
    quality: float
    area: float
    mask: NDArray[np.bool_]
    counts: bool

    @property
    def dice(self) -> float:
        """Overlap of the two outlines."""
        assert self.outline is not None
        return dice(self.mask, self.outline.mask(self.mask.shape))

    @property
    def error_percent(self) -> float | None:
        """Difference of the two circumferences; None where the model's has none."""
        assert self.outline is not None
        if not self.mask.any():
            return None
        measured = measure_abdomen(self.mask, (1.0, 1.0))
        if measured is None:
            return None
        truth = self.outline.circumference
        return 100 * (measured.circumference_mm - truth) / truth


class Models:
    """A CLS and a SEG model, and how long they took."""

    def __init__(self, cls: str, seg: str) -> None:
        networks = load_model(cls), load_model(seg)
        cards = [network.card for network in networks]
        self.predictor = FramePredictor(*networks, device="cpu")
        self.quality = cards[0].quality_threshold
        self.area = cards[1].area_threshold
        self.seconds, self.frames = 0.0, 0

    def judge(self, frame: NDArray[np.uint8]) -> tuple[float, float, NDArray[np.bool_]]:
        """Return quality, area fraction and mask of a (H, W) frame."""
        began = time.perf_counter()
        (batch,) = self.predictor.predict(frame[None])
        self.seconds += time.perf_counter() - began
        self.frames += 1
        return float(batch.quality[0]), float(batch.area_fraction[0]), batch.masks[0]

    def counts(self, quality: float, area: float) -> bool:
        """Whether a frame counts as an abdomen that can be measured, by both models."""
        return quality > self.quality and area >= self.area


def planes(models: Models, folder: Path, part: str) -> list[Judged]:
    """Judge the standard planes of a part; abdomens without an outline are left out."""
    outlines, found = read_outlines(), []
    for image in read_planes(folder):
        outline = outlines.get(image.path.name)
        if image.part != part or (image.plane == "abdomen" and outline is None):
            continue
        outline = outline if image.plane == "abdomen" else None
        frame = load_frame(image)
        quality, area, mask = models.judge(frame)
        name = f"{image.plane}: {image.path.stem}"
        counts = models.counts(quality, area)
        machine = image.machine
        found.append(Judged(name, machine, frame, outline, quality, area, mask, counts))
    return found


def figures(judged: Sequence[Judged]) -> dict[str, float]:
    """AUC and F1 of the quality, Dice and circumference of the abdomens, false abdomens."""
    labels = torch.tensor([one.outline is not None for one in judged])
    scores = torch.tensor([one.quality for one in judged])
    abdomens = [one for one in judged if one.outline is not None]
    others = [one for one in judged if one.outline is None]
    found: dict[str, float] = {"abdomens": len(abdomens), "others": len(others)}
    if abdomens and others:
        found["auc"] = float(binary_auroc(scores, labels))
        found["f1"] = float(binary_f1_score(scores, labels))
    if others:
        found["no_abdomen_by_both"] = float(np.mean([not one.counts for one in others]))
        found["no_abdomen_by_seg"] = float(np.mean([one.area < 0.01 for one in others]))
    if abdomens:
        found["dice"] = float(np.mean([one.dice for one in abdomens]))
        errors = [one.error_percent for one in abdomens]
        measured = [abs(error) for error in errors if error is not None]
        found["not_measured"] = len(errors) - len(measured)
        found["ac_error_median_percent"] = float(np.median(measured)) if measured else float("nan")
        found["ac_error_mean_percent"] = float(np.mean(measured)) if measured else float("nan")
        signed = [error for error in errors if error is not None]
        found["ac_bias_percent"] = float(np.mean(signed)) if signed else float("nan")
    return found


def share_without(models: Models, frames: Iterable[NDArray[np.uint8]]) -> dict[str, float]:
    """Share of frames in which no abdomen is found."""
    both, seg = [], []
    for frame in frames:
        quality, area, _ = models.judge(frame)
        both.append(not models.counts(quality, area))
        seg.append(area < models.area)
    return {
        "frames": len(both),
        "no_abdomen_by_both": float(np.mean(both)),
        "no_abdomen_by_seg": float(np.mean(seg)),
    }


def picture(one: Judged) -> Image.Image:
    """Draw outline (green) and the model's mask (magenta) over a frame, with the error below."""
    assert one.outline is not None
    scale = WIDTH / one.frame.shape[1]
    size = (WIDTH, round(one.frame.shape[0] * scale))
    shown = Image.fromarray(one.frame).resize(size).convert("RGB")
    draw = ImageDraw.Draw(shown)

    def place(x: NDArray, y: NDArray) -> list[tuple[float, float]]:
        return [((u + 0.5) * scale, (v + 0.5) * scale) for u, v in zip(x, y, strict=True)]

    turn = np.linspace(0, 2 * np.pi, 200)
    o = one.outline
    draw.line(place(*from_axes((o.cx, o.cy), (o.a, o.b), o.angle_rad, np.cos(turn), np.sin(turn))),
              fill=(0, 220, 90), width=2)  # fmt: skip
    edge = one.mask ^ _eroded(one.mask)
    for row, column in np.argwhere(edge)[::4]:
        x, y = (column + 0.5) * scale, (row + 0.5) * scale
        draw.point([(x, y), (x + 1, y)], fill=(255, 60, 255))
    whole = Image.new("RGB", (WIDTH, size[1] + 18), "black")
    whole.paste(shown)
    error = one.error_percent
    words = "no outline found" if error is None else f"AC {error:+.1f} %, Dice {one.dice:.3f}"
    ImageDraw.Draw(whole).text((4, size[1] + 3), f"{words}  {one.machine}", fill="white")
    return whole


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = mask.copy()
    for axis in (0, 1):
        for step in (1, -1):
            inner &= np.roll(mask, step, axis)
    return inner


def sheet(judged: Sequence[Judged], path: Path, columns: int = 5, most: int = 40) -> None:
    """Draw the abdomens from best to worst."""
    abdomens = [one for one in judged if one.outline is not None]
    abdomens.sort(key=lambda one: abs(e) if (e := one.error_percent) is not None else np.inf)
    numbers = np.unique(np.linspace(0, len(abdomens) - 1, min(most, len(abdomens))).astype(int))
    pictures = [picture(abdomens[number]) for number in numbers]
    height = max(one.height for one in pictures)
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * WIDTH, rows * height), "black")
    for number, one in enumerate(pictures):
        row, column = divmod(number, columns)
        whole.paste(one, (column * WIDTH, row * height))
    whole.save(path)


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cls", default="starter-cls")
    parser.add_argument("--seg", default="starter-seg")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", default="val", choices=["train", "val"])
    parser.add_argument("--sheet", type=Path, help="Write pictures of up to 40 abdomens here.")
    given = parser.parse_args()
    models = Models(given.cls, given.seg)
    judged = planes(models, given.data / "fetal_planes_640", given.part)
    milliseconds = 1000 * models.seconds / models.frames
    result: dict[str, dict[str, float]] = {"all": figures(judged)}
    for machine in sorted({one.machine for one in judged}):
        result[machine] = figures([one for one in judged if one.machine == machine])
    chests = chest_cases(given.data / "focus_thorax" / "annotations.csv")
    held_back = [case for case in chests if case.held_back]
    result["chests (FOCUS)"] = share_without(
        models, (source.frames[0] for source in frames_of(held_back))
    )
    head = read_sweep(given.data / "fetal_head_sweep.mha")
    result["head sweep"] = share_without(models, (head.frames[n] for n in range(len(head.frames))))
    result["time"] = {"ms_a_frame": milliseconds}
    print(
        json.dumps(
            {k: {n: round(v, 4) for n, v in row.items()} for k, row in result.items()}, indent=1
        )
    )
    if given.sheet:
        sheet(judged, given.sheet)


if __name__ == "__main__":
    main()
