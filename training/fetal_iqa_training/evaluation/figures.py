"""What a judgement shows beside its metrics: confusion, curves, figures by case and by frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.atomic_file import atomic_file, write_atomically
from fetal_iqa_training.evaluation.comparison import FrameOutcome, metrics
from napari_fetal_iqa import colours
from napari_fetal_iqa.foreign_text import csv_cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BETWEEN = ", sweep "  # LabelledFrames names a sweep by its case and number


@dataclass(frozen=True)
class Confusion:
    """Frames by what is true and what the model says."""

    hits: int
    misses: int
    false_alarms: int
    rejections: int

    @property
    def specificity(self) -> float | None:
        """Share of the frames without an abdomen that are called so; None where there is none."""
        negatives = self.rejections + self.false_alarms
        return self.rejections / negatives if negatives else None


def confusion(outcomes: Sequence[FrameOutcome]) -> Confusion:
    """Count frames by truth and decision."""
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for one in outcomes:
        counts[one.positive, one.decision] += 1
    return Confusion(*counts.values())


def roc(outcomes: Sequence[FrameOutcome]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return false positive rate, recall and the area between them.

    Returns
    -------
    (P,), (P,) float arrays, float
        Empty and nan where the frames are all of one kind.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    truth = [one.positive for one in outcomes]
    if all(truth) or not any(truth):
        return np.zeros(0), np.zeros(0), float("nan")
    scores = [one.score for one in outcomes]
    false, true, _ = roc_curve(truth, scores)
    return false, true, float(roc_auc_score(truth, scores))


def by_case(outcomes: Sequence[FrameOutcome]) -> list[dict[str, object]]:
    """Return a line per case: its frames, counts, and its metrics as far as they are defined."""
    cases: dict[str, list[FrameOutcome]] = {}
    for one in outcomes:
        cases.setdefault(one.sweep.split(_BETWEEN)[0], []).append(one)
    return [{"case": case, **_line(of_case)} for case, of_case in sorted(cases.items())]


def _line(outcomes: Sequence[FrameOutcome]) -> dict[str, object]:
    counts = confusion(outcomes)
    found = metrics(outcomes)
    line: dict[str, object] = {
        "frames": len(outcomes),
        "positives": counts.hits + counts.misses,
        "hits": counts.hits,
        "misses": counts.misses,
        "false_alarms": counts.false_alarms,
        "specificity": counts.specificity,
    }
    for name in ("accuracy", "f1", "precision", "recall", "dice", "circumference_error_mm"):
        value = found.get(name)
        line[name] = None if value is None or not np.isfinite(value) else round(value, 6)
    line["circumference_measured"] = sum(one.measured for one in outcomes)
    return line


def write_figures(outcomes: Sequence[FrameOutcome], title: str, folder: Path) -> list[str]:
    """Write the pictures and tables of a judgement.

    Parameters
    ----------
    outcomes : sequence of FrameOutcome
    title : str
    folder : Path
        Gets ``confusion.png``, ``curves.png`` (precision over recall, and ROC), ``cases.csv`` and
        ``frames.csv``.

    Returns
    -------
    list of str
        Their paths.
    """
    cases, frames = folder / "cases.csv", folder / "frames.csv"
    write_atomically(cases, _csv(by_case(outcomes)))
    write_atomically(frames, _csv([_frame(one) for one in outcomes]))
    pictures = folder / "confusion.png", folder / "curves.png"
    _draw_confusion(confusion(outcomes), title, pictures[0])
    _draw_curves(outcomes, title, pictures[1])
    return [str(path) for path in (*pictures, cases, frames)]


def _frame(one: FrameOutcome) -> dict[str, object]:
    return {
        "case": one.sweep.split(_BETWEEN)[0],
        "sweep": one.sweep,
        "frame": one.frame,
        "positive": int(one.positive),
        "decision": int(one.decision),
        "score": round(one.score, 6),
        "dice": one.dice,
        "circumference_error_mm": one.circumference_error_mm,
    }


def _csv(lines: Sequence[Mapping[str, object]]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in line.items()} for line in lines)
    return text.getvalue()


def _draw_confusion(counts: Confusion, title: str, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 3.8), dpi=120, layout="constrained")
    axes = figure.subplots()
    table = np.array([[counts.rejections, counts.false_alarms], [counts.misses, counts.hits]])
    # shades by row: frames without an abdomen are many, and would leave the others white
    axes.imshow(table / np.maximum(table.sum(axis=1, keepdims=True), 1), cmap="Blues", vmax=1.4)
    for row in range(2):
        for column in range(2):
            axes.text(column, row, f"{table[row, column]:,}", ha="center", va="center")
    words = ("no abdomen", "abdomen")
    axes.set(xticks=[0, 1], xticklabels=words, yticks=[0, 1], yticklabels=words)
    axes.set(xlabel="the model says", ylabel="the expert says")
    figure.suptitle(title, fontsize=10)
    _save(figure, path)


def _draw_curves(outcomes: Sequence[FrameOutcome], title: str, path: Path) -> None:
    from matplotlib.figure import Figure
    from sklearn.metrics import average_precision_score, precision_recall_curve

    figure = Figure(figsize=(8.4, 4), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    truth = [one.positive for one in outcomes]
    counts = confusion(outcomes)
    if any(truth):
        scores = [one.score for one in outcomes]
        precision, recall, _ = precision_recall_curve(truth, scores)
        left.plot(recall, precision, color=colours.MODEL)
        called = counts.hits + counts.false_alarms
        at = counts.hits / sum(truth), counts.hits / called if called else 1.0
        left.plot(*at, "D", color=colours.EXPERT, label="at the model's threshold")
        left.set_title(f"average precision {average_precision_score(truth, scores):.3f}")
        left.legend(frameon=False, loc="lower left")
    false, true, area = roc(outcomes)
    if len(false):
        right.plot(false, true, color=colours.MODEL)
        right.plot([0, 1], [0, 1], ":", color=colours.NONE)
        specificity = counts.specificity or 0.0
        right.plot(1 - specificity, counts.hits / sum(truth), "D", color=colours.EXPERT)
        right.set_title(f"area under the ROC {area:.3f}")
    _named(left, "recall", "precision")
    _named(right, "1 - specificity", "recall")
    figure.suptitle(title, fontsize=10)
    _save(figure, path)


def _named(axes: "Axes", x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: object, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with atomic_file(path) as new:
        FigureCanvasAgg(figure).print_png(str(new))  # type: ignore[arg-type]
