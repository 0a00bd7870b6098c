"""Pictures of a table: a metric by row, or over the rank of the LoRA."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_iqa_models.atomic_file import atomic_file
from fetal_iqa_training.experiments.tables.format import NAMES
from fetal_iqa_training.experiments.tables.results import RowResult
from napari_fetal_iqa import colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SIDE_BY_SIDE = 0.17
"""Of a line's height, to either side of its middle."""


def draw_rows(title: str, results: Sequence[RowResult], metric: str, path: Path) -> None:
    """Draw a metric of every row, mean and standard deviation, beside the paper's.

    Parameters
    ----------
    title : str
    results : sequence of RowResult
    metric : str
        Such as ``f1``; rows without it keep an empty line.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.6 + 0.32 * len(results)), dpi=120, layout="constrained")
    axes = figure.subplots()
    for place, result in enumerate(results):
        found = result.metric(metric)
        in_paper = result.row.paper.get(metric)
        # one above the other: results that agree would hide each other
        above = SIDE_BY_SIDE if in_paper else 0.0
        if found is not None:
            at = place - above
            axes.errorbar(found.mean, at, xerr=found.std, fmt="o", color=colours.MODEL, capsize=3)
        if in_paper is not None:
            axes.errorbar(
                in_paper.mean,
                place + above,
                xerr=in_paper.std,
                fmt="D",
                color=colours.EXPERT,
                fillstyle="none",
                capsize=3,
            )
    axes.plot([], [], "o", color=colours.MODEL, label="here, mean ± standard deviation")
    axes.plot([], [], "D", color=colours.EXPERT, fillstyle="none", label="paper, likewise")
    axes.set_yticks(range(len(results)), [f"{r.row.title}, {r.training}" for r in results])
    axes.set_ylim(max(1, len(results)) - 0.5, -0.5)
    axes.set_xlabel(NAMES[metric])
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle("\n".join([title, *_warnings(results)]), fontsize=10)
    save_png(figure, path)


_BESIDE = 0.06
"""Of a doubling of the rank: lines that agree would hide each other's points."""


def draw_ranks(title: str, results: Sequence[RowResult], path: Path) -> None:
    """Draw F1 and Dice over the rank of the LoRA, with and without queries, keys and values."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), dpi=120, layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2), ("f1", "dice"), strict=True):
        for task, colour in (("cls", colours.MODEL), ("seg", colours.EXPERT)):
            for qkv, line, marker in ((False, "-", "o"), (True, "--", "s")):
                shift = 2 ** (_BESIDE * ((task == "seg") - 0.5 + 2 * qkv - 1))
                points = [
                    (result.row.lora.rank * shift, found.mean, found.std or 0.0)
                    for result in results
                    if (result.row.task, result.row.with_qkv) == (task, qkv)
                    and (found := result.metric(metric)) is not None
                ]
                if points:
                    at, means, stds = zip(*sorted(points), strict=True)
                    label = f"{task.upper()}{', with qkv' if qkv else ''}"
                    style = {"linestyle": line, "marker": marker, "color": colour, "capsize": 3}
                    axes.errorbar(at, means, stds, label=label, **style)
        axes.set_xscale("log", base=2)
        ranks = sorted({result.row.lora.rank for result in results})
        axes.set_xticks(ranks, map(str, ranks))
        axes.set_xlabel("rank")
        axes.set_ylabel(NAMES[metric])
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    figure.suptitle("\n".join([title, *_warnings(results)]), fontsize=10)
    save_png(figure, path)


def nested(count: int) -> list[float]:
    """Return sizes from large to small: drawn in this order, marks and lines that agree all show.

    Returns
    -------
    list of float
        From 2.6 to 1, as multiples of the smallest.
    """
    return [1 + 1.6 * step / max(1, count - 1) for step in reversed(range(count))]


def mark(figure: Figure, results: Sequence[RowResult], title: str = "") -> Figure:
    """Write above a picture its title and, where they are no results of the paper's, so."""
    if lines := [*([title] if title else []), *_warnings(results)]:
        figure.suptitle("\n".join(lines), fontsize=10)
    return figure


def save_png(drawing: Figure, path: Path) -> None:
    """Write a picture whole or not at all.

    Parameters
    ----------
    drawing : Figure
    path : Path
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with atomic_file(path) as new:
        FigureCanvasAgg(drawing).print_png(str(new))


def _warnings(results: Sequence[RowResult]) -> list[str]:
    return sorted({result.warning for result in results if result.warning})
