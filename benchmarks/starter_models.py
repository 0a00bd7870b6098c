"""How good models are on real standard planes: those of subjects that no starter model learnt from.

    python benchmarks/starter_models.py --cls starter-cls --seg starter-seg --data ../shared/data
        [--as-stored] [--compared FOLDER] [--keep FILE]

DATA has fetal_planes_640 and fetal_planes_png (FETAL_PLANES_DB, its subjects split by
annotations.csv), focus_thorax (FOCUS) and fetal_head_sweep.mha. Outlines are those of the package:
engineers drew them, not sonographers. Figures are of the held-back subjects: abdomens against other
planes, all of them and per machine; chests and the head sweep, which should have no abdomen; the
demo phantom, beside the demo models; milliseconds a frame. The text that scanners burn in is
blackened, as it was in training; --as-stored judges the planes once more as they are, as
``analyse`` gets them. Frames whose neighbour in its loop taught are judged apart or left out.
FOLDER has models by name, cls-ENCODER and seg-ENCODER, that were fitted alike: each pair is judged
on the same planes. FILE keeps what was measured, row by row, and
what is in it is not measured again; ``--keep FILE --only time`` takes the time on a quiet machine.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from starter_models_neighbours import Neighbours, people
from starter_models_page import ALL, AS_STORED, NEIGHBOURS, page
from starter_models_sheet import sheet
from torchmetrics.functional.classification import binary_auroc, binary_f1_score

from fetal_iqa_models import FramePredictor, load_model
from fetal_iqa_training.data.chests import chest_cases
from fetal_iqa_training.data.labelled_frames import LabelledFrames, frames_of
from fetal_iqa_training.data.outlines import PlaneEllipse, read_outlines
from fetal_iqa_training.data.planes import PlaneImage, load_frame, read_planes
from fetal_iqa_training.evaluation.evaluate import judge
from napari_fetal_iqa import measure_abdomen, read_sweep
from napari_fetal_iqa.analysis import analyse_sweep
from napari_fetal_iqa.analysis.analyser import Analyser
from napari_fetal_iqa.contributions.sample_data import DEMO_SEED
from napari_fetal_iqa.geometry.overlap import dice
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

OF_CLS = ("abdomens", "others", "auc", "f1")
"""Figures that a CLS model has without a SEG model."""

OF_NEIGHBOURS = ("planes", "auc", "f1", "no_abdomen_by_seg")
"""Figures that the neighbours of what taught could change, and how many they are."""

TIMED = 40
"""Frames whose time is taken."""


@dataclass
class Judged:
    """What the models say of one frame, beside the truth."""

    image: PlaneImage
    frame: NDArray[np.uint8]
    outline: PlaneEllipse | None
    quality: float
    mask: NDArray[np.bool_]
    empty: bool
    counts: bool

    @property
    def machine(self) -> str:
        """Of the scanner."""
        return self.image.machine

    @property
    def dice(self) -> float:
        """Overlap of the two outlines."""
        assert self.outline is not None
        return dice(self.mask, self.outline.mask(self.mask.shape), of_nothing=0.0)

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
    """A CLS and perhaps a SEG model; without one no mask has anything."""

    def __init__(self, cls: str, seg: str | None) -> None:
        classifier, segmenter = load_model(cls), load_model(seg) if seg else None
        self.predictor = FramePredictor(classifier, segmenter, device="cpu")
        self.quality = classifier.card.quality_threshold
        self.area = segmenter.card.area_threshold if segmenter else 1.0

    def judge(self, frame: NDArray[np.uint8]) -> tuple[float, float, NDArray[np.bool_]]:
        """Return quality, area fraction and mask of a (H, W) frame."""
        (batch,) = self.predictor.predict(frame[None])
        if batch.masks is None:
            return float(batch.quality[0]), 0.0, np.zeros(frame.shape, np.bool_)
        return float(batch.quality[0]), float(batch.area_fraction[0]), batch.masks[0]

    def counts(self, quality: float, area: float) -> bool:
        """Whether a frame counts as an abdomen that can be measured, by both models."""
        return quality > self.quality and area >= self.area


def planes(models: Models, folder: Path, part: str, mask_text: bool = True) -> list[Judged]:
    """Judge the standard planes of a part; abdomens without an outline are left out."""
    outlines, found = read_outlines(), []
    for image in read_planes(folder):
        outline = outlines.get(image.path.name)
        if image.part != part or (image.plane == "abdomen" and outline is None):
            continue
        outline = outline if image.plane == "abdomen" else None
        frame = load_frame(image, mask_text)
        quality, area, mask = models.judge(frame)
        empty, counts = area < models.area, models.counts(quality, area)
        found.append(Judged(image, frame, outline, quality, mask, empty, counts))
    return found


def all_and_by_machine(
    judged: Sequence[Judged], as_stored: Sequence[Judged]
) -> dict[str, dict[str, float]]:
    """Return a column of figures of all planes, of them as they are stored, and of each machine."""
    result = {ALL: figures(judged)}
    if as_stored:
        result[AS_STORED] = figures(as_stored)
    for machine in sorted({one.machine for one in judged}):
        result[machine] = figures([one for one in judged if one.machine == machine])
    return result


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
        found["refused"] = int(sum(one.quality <= 0.5 for one in abdomens))
    if others:
        found["no_abdomen_by_both"] = float(np.mean([not one.counts for one in others]))
        found["no_abdomen_by_seg"] = float(np.mean([one.empty for one in others]))
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


def share_without(models: Models, sources: Iterable[LabelledFrames]) -> dict[str, float]:
    """Share of frames in which no abdomen is found, and of other anatomy that is outlined."""
    both, seg, covered = [], [], []
    for source in sources:
        for frame, truth in zip(source.frames, source.masks, strict=True):
            quality, area, mask = models.judge(frame)
            both.append(not models.counts(quality, area))
            seg.append(area < models.area)
            if truth.any():
                covered.append((mask & truth).sum() / truth.sum())
    found = {
        "frames": len(both),
        "no_abdomen_by_both": float(np.mean(both)),
        "no_abdomen_by_seg": float(np.mean(seg)),
    }
    return found | ({"covered": float(np.mean(covered))} if covered else {})


def unlabelled(path: Path) -> LabelledFrames:
    """Read a sweep in which there is nothing to outline."""
    frames = np.asarray(read_sweep(path).frames[:])
    return LabelledFrames(
        path.stem, frames, np.zeros(frames.shape, np.bool_), np.zeros(len(frames), np.bool_)
    )


def phantom_figures(cls: str, seg: str) -> dict[str, float]:
    """Judge two models on the demo phantom, as ``fetal-iqa-train evaluate`` does."""
    case = make_phantom(PhantomSettings.demo(), DEMO_SEED)
    frames = np.asarray(case.sweep.frames[:])
    source = LabelledFrames(
        "phantom", frames, case.masks > 0, case.labels > 0, spacing_mm=case.sweep.spacing_mm
    )
    by_cls, by_seg = (judge(load_model(name), [source], device="cpu") for name in (cls, seg))
    found = {"phantom_frames": by_seg.frames, "positives": by_seg.positives}
    return found | {"f1_cls": by_cls.metrics["f1"]} | by_seg.metrics


def milliseconds(models: Models, folder: Path, names: tuple[str, str]) -> dict[str, float]:
    """Time a frame, both models, once they are warm: by torch, and as ``analyse`` does it all."""
    frames = [load_frame(image) for image in read_planes(folder)[:TIMED]]
    for frame in frames[:3]:
        models.judge(frame)
    began = time.perf_counter()
    for frame in frames:
        models.judge(frame)
    found = {"ms_a_frame": 1000 * (time.perf_counter() - began) / len(frames)}
    sweep = make_phantom(PhantomSettings.demo(), DEMO_SEED).sweep
    analyser = Analyser(*names, device="cpu", precision="float32").load()
    for _ in range(2):  # the first time is for warmth
        began = time.perf_counter()
        analyse_sweep(sweep, analyser=analyser, use_cache=False)
        seconds = time.perf_counter() - began
    return found | {"ms_by_analyse": 1000 * seconds / len(sweep)}


class Kept:
    """Rows of figures that are measured once, and kept in a file where there is one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        there = path is not None and path.exists()
        self.rows: dict[str, dict[str, float]] = json.loads(path.read_text()) if there else {}

    def row(self, name: str, measure: Callable[[], dict[str, float]]) -> None:
        """Measure a row, unless it is there."""
        if name not in self.rows:
            self.rows[name] = measure()
            if self.path is not None:
                self.path.write_text(json.dumps(self.rows, indent=1))


def compared(folder: Path, data: Path, part: str, near: Neighbours) -> dict[str, dict[str, float]]:
    """Judge the models that a folder has by the name of their encoder; CLS alone without SEG."""
    found = {}
    for cls in sorted(path.parent for path in folder.glob("cls-*/model.json")):
        encoder = cls.name.removeprefix("cls-")
        seg = folder / f"seg-{encoder}"
        models = Models(str(cls), str(seg) if seg.is_dir() else None)
        judged = planes(models, data / "fetal_planes_640", part)
        row = figures([one for one in judged if not near.teach(one.image)])
        found[encoder] = row if seg.is_dir() else {key: row[key] for key in OF_CLS}
    return found


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cls", default="starter-cls")
    parser.add_argument("--seg", default="starter-seg")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", default="val", choices=["train", "val"])
    parser.add_argument(
        "--as-stored", action="store_true", help="Judge the planes with their text, too."
    )
    parser.add_argument("--sheet", type=Path, help="Write pictures of up to 40 abdomens here.")
    parser.add_argument("--compared", type=Path, help="Folder of models on other encoders.")
    parser.add_argument("--keep", type=Path, help="Keep and take rows from this JSON file.")
    parser.add_argument("--only", choices=["time"])
    parser.add_argument("--page", type=Path, help="Write the page of the docs here.")
    given = parser.parse_args()
    models, names = Models(given.cls, given.seg), (given.cls, given.seg)
    kept = Kept(given.keep)
    kept.row("time", lambda: milliseconds(models, given.data / "fetal_planes_640", names))
    if given.only == "time":
        print(kept.rows["time"])
        return
    folder = given.data / "fetal_planes_640"
    near = Neighbours(given.data, names)
    with_neighbours = planes(models, folder, given.part)
    judged = [one for one in with_neighbours if not near.teach(one.image)]
    as_stored = planes(models, folder, given.part, mask_text=False) if given.as_stored else []
    as_stored = [one for one in as_stored if not near.teach(one.image)]
    result = all_and_by_machine(judged, as_stored)
    images = {one.image for one in judged}
    chests = chest_cases(given.data / "focus_thorax" / "annotations.csv")
    held_back = [case for case in chests if case.held_back and case.name not in near.chests]
    neighbours = [case for case in chests if case.name in near.chests]
    head = given.data / "fetal_head_sweep.mha"
    kept.row("chests (FOCUS)", lambda: share_without(models, frames_of(held_back)))
    kept.row(NEIGHBOURS, lambda: share_without(models, frames_of(neighbours)))
    kept.row("head sweep", lambda: share_without(models, [unlabelled(head)]))
    kept.row("phantom", lambda: phantom_figures(given.cls, given.seg))
    kept.row("phantom, demo models", lambda: phantom_figures("demo-cls", "demo-seg"))
    result |= {**kept.rows, "people": people(folder, names, images.__contains__)}
    left = figures(with_neighbours) | {"planes": len(with_neighbours) - len(judged)}
    result["with neighbours"] = {key: left[key] for key in OF_NEIGHBOURS}
    encoders = compared(given.compared, given.data, given.part, near) if given.compared else {}
    print(
        json.dumps(
            {k: {n: round(v, 4) for n, v in row.items()} for k, row in (result | encoders).items()},
            indent=1,
        )
    )
    if given.sheet:
        sheet(judged, given.sheet)
    if given.page:
        given.page.write_text(page(result, encoders, given), encoding="utf-8")


if __name__ == "__main__":
    main()
