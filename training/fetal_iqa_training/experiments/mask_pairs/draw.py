"""The picture: a frame, the expert's mask and the model's, six times."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models import FramePredictor, FrameSegmenter, load_model
from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.data.labelled_frames import AnnotatedCase
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.mask_pairs.choose import ChosenFrame, choose_frames
from fetal_iqa_training.experiments.tables.csv_text import as_csv
from fetal_iqa_training.experiments.tables.plan import Plan, Weights
from fetal_iqa_training.experiments.tables.plots import mark, save_png
from fetal_iqa_training.experiments.tables.results import RowResult
from fetal_iqa_training.progress import Progress, Report
from napari_fetal_iqa.storage import paths


@dataclass(frozen=True, eq=False)
class MaskPair:
    """A frame with two masks on its own grid; (H, W) arrays, uint8 and bool."""

    chosen: ChosenFrame
    frame: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    found: NDArray[np.bool_]


def draw_figure3(plan: Plan, weights: Weights, result: RowResult, report: Report) -> list[str]:
    """Write ``figure3.png`` and ``.csv`` of a segmenter's first run; return their paths.

    Raises
    ------
    TrainingError
        Where there is no run, or no file of its test frames.
    """
    if not result.runs or (outcomes := result.runs[0].outcomes) is None:
        raise TrainingError("there is no run of FetalCLIP_SEG to draw; see the failure above")
    run = result.runs[0]
    model = load_model(run.folder, weights[result.encoder], paths.weights())
    assert isinstance(model, FrameSegmenter)
    chosen = choose_frames(outcomes)
    pairs = read_pairs(model, chosen, plan.split_cases().test, plan.common.device, report)
    picture, table = plan.out / "figure3.png", plan.out / "figure3.csv"
    write_atomically(
        table,
        as_csv(
            {"case": p.chosen.case, "sweep": p.chosen.sweep, "frame": p.chosen.frame}
            | {"dice": p.chosen.dice, "painted_pixels": int(p.found.sum())}
            for p in pairs
        ),
    )
    draw_pairs(pairs, result, picture)
    return [str(picture), str(table)]


def read_pairs(
    model: FrameSegmenter,
    chosen: Sequence[ChosenFrame],
    cases: Sequence[AnnotatedCase],
    device: str,
    report: Report,
) -> list[MaskPair]:
    """Read some frames with their true masks and outline them, in the order of their names."""
    predictor = FramePredictor(segmenter=model, device=device)
    found: dict[ChosenFrame, MaskPair] = {}
    wanted = [case for case in cases if case.name in {one.case for one in chosen}]
    for done, case in enumerate(wanted, start=1):
        for source in case.read():
            numbers = np.arange(len(source.frames)) if source.numbers is None else source.numbers
            for one in chosen:
                if one.sweep != source.sweep or one.frame not in numbers:
                    continue
                row = int(np.flatnonzero(numbers == one.frame)[0])
                (batch,) = predictor.predict(source.frames[row : row + 1])
                assert batch.masks is not None
                frame, truth = np.array(source.frames[row]), np.array(source.masks[row])
                found[one] = MaskPair(one, frame, truth, batch.masks[0])
        report(Progress("evaluating", done, len(wanted)))
    return [found[one] for one in chosen]


def draw_pairs(pairs: Sequence[MaskPair], result: RowResult, path: Path) -> None:
    """Draw pairs side by side: the frame above, the expert's mask, the model's below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 * len(pairs), 5.4), dpi=120, layout="constrained")
    panels = figure.subplots(3, len(pairs), squeeze=False)
    for column, pair in zip(panels.T, pairs, strict=True):
        for axes, pixels in zip(column, (pair.frame, pair.truth, pair.found), strict=True):
            axes.imshow(pixels, cmap="gray", vmin=0, vmax=255 if pixels is pair.frame else 1)
            axes.set(xticks=[], yticks=[])
        title = "neither" if not pair.truth.any() and not pair.found.any() else "no abdomen"
        dice = pair.chosen.dice
        column[0].set_title(title if dice is None else f"Dice {dice:.2f}", fontsize=10)
    for axes, label in zip(panels[:, 0], ("frame", "expert", "predicted"), strict=True):
        axes.set_ylabel(label)
    mark(figure, [result], f"{result.row.title}: true and predicted masks")
    save_png(figure, path)
