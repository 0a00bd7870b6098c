"""The embeddings of every row before and after training, on frames of the test part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from fetal_iqa_models import encoder_spec, load_model
from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import Spread, spread
from fetal_iqa_training.experiments.embeddings.project import (
    Projection,
    Separation,
    embed,
    project,
    separation,
)
from fetal_iqa_training.experiments.part_frames import PartFrames, read_part
from fetal_iqa_training.experiments.tables.catalogue import CLS
from fetal_iqa_training.experiments.tables.csv_text import as_csv
from fetal_iqa_training.experiments.tables.plan import Plan, Weights
from fetal_iqa_training.experiments.tables.plots import mark, save_png
from fetal_iqa_training.experiments.tables.results import RowResult
from fetal_iqa_training.fitting.network import build_network
from fetal_iqa_training.progress import Report
from napari_fetal_iqa import colours
from napari_fetal_iqa.storage import paths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST_FRAMES = 5  # of fewer, t-SNE's perplexity, (N - 1) / 3, leaves a frame one neighbour
STAGES = {"before": "before training", "after": "after training"}


@dataclass(frozen=True)
class EmbeddedRow:
    """A row's separation of the two kinds of frames.

    Parameters
    ----------
    result : RowResult
    before : Separation or None
        Of the encoder that the first run began with; None where there is one kind of frame only.
    after : tuple of Separation
        Of each run.
    """

    result: RowResult
    before: Separation | None
    after: tuple[Separation, ...]

    def spread(self, name: str) -> Spread | None:
        """Summarise ``silhouette`` or ``balanced`` over the runs."""
        return spread([getattr(run, name) for run in self.after])

    def as_json(self) -> dict[str, JsonValue]:
        """Return the row, and its separation before training and after, run by run."""
        return {
            **self.result.as_json(),
            "separation": {
                "before": None if self.before is None else asdict(self.before),
                "after": [asdict(run) for run in self.after],
            },
        }


def embed_rows(
    plan: Plan, weights: Weights, results: Sequence[RowResult], limit: int, report: Report
) -> Iterator[EmbeddedRow]:
    """Embed test frames with every row's runs; write CSV and picture of each row's first run.

    Parameters
    ----------
    plan : Plan
    weights : mapping
        Pretrained weights by encoder.
    results : sequence of RowResult
        Classifiers; those without a run are left out.
    limit : int
        Frames at most, the same for all rows.
    report : callable

    Yields
    ------
    EmbeddedRow

    Raises
    ------
    TrainingError
        Where the test part has too few frames.
    """
    seed = plan.common.seed
    kept: dict[int, PartFrames] = {}
    # Windows keeps files that are still memory-mapped, hence ignore_cleanup_errors
    with TemporaryDirectory(prefix="fetal-iqa-", ignore_cleanup_errors=True) as folder:
        for result in results:
            if not result.runs:
                continue
            size = encoder_spec(result.encoder).image_size
            if size not in kept:
                frames = read_part(plan.split_cases().test, size, Path(folder) / str(size), report)
                kept[size] = frames.sample(limit, seed)
            if len(kept[size]) < FEWEST_FRAMES:
                raise TrainingError("the test part has too few frames to embed; add cases")
            yield _embed_row(plan, weights, result, kept[size])


def _embed_row(plan: Plan, weights: Weights, result: RowResult, part: PartFrames) -> EmbeddedRow:
    device = plan.common.device
    first = result.runs[0]
    begun = build_network(plan.settings_of(result.row, first.seed), weights[result.encoder])
    before = embed(begun.encoder, part.frames, device)
    after = []
    shown = {"before": project(before, plan.common.seed)}
    for run in result.runs:
        model = load_model(run.folder, weights[result.encoder], paths.weights())
        embeddings = embed(model.encoder, part.frames, device)
        after.append(separation(embeddings, part.positive))
        if run is first:
            shown["after"] = project(embeddings, plan.common.seed)
    base = plan.out / "embeddings" / f"{first.folder.parent.name}-seed-{first.seed}"
    write_atomically(base.with_suffix(".csv"), _coordinates(part, shown))
    _draw(result, part, shown, base.with_suffix(".png"))
    if result.row == CLS:
        draw_figure2(result, part, shown["after"], plan.out / "figure2.png")
    return EmbeddedRow(
        result, separation(before, part.positive), tuple(one for one in after if one is not None)
    )


def _coordinates(part: PartFrames, shown: Mapping[str, Projection]) -> str:
    return as_csv(
        {
            "sweep": part.sweep[row],
            "frame": part.number[row],
            "positive": int(part.positive[row]),
            "stage": stage,
            "pca_1": float(found.pca[row, 0]),
            "pca_2": float(found.pca[row, 1]),
            "tsne_1": float(found.tsne[row, 0]),
            "tsne_2": float(found.tsne[row, 1]),
        }
        for stage, found in shown.items()
        for row in range(len(part))
    )


def draw_figure2(result: RowResult, part: PartFrames, found: Projection, path: Path) -> None:
    """Draw PCA and t-SNE of a trained row in the form of the paper's Figure 2, by label."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.4), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    _scatter(left, found.pca, part, "PCA")
    _scatter(right, found.tsne, part, "t-SNE")
    for axes in (left, right):
        axes.set(xticks=[], yticks=[])
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    mark(figure, [result], f"What the last layer of {result.row.title} sees")
    save_png(figure, path)


def _draw(result: RowResult, part: PartFrames, shown: Mapping[str, Projection], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 8), dpi=120, layout="constrained")
    for line, (stage, found) in zip(figure.subplots(2, 2), shown.items(), strict=True):
        first, second = (f"{share:.0%} of the variance" for share in found.variance)
        _scatter(line[0], found.pca, part, f"PCA, {STAGES[stage]}")
        line[0].set(xlabel=first, ylabel=second)
        _scatter(line[1], found.tsne, part, f"t-SNE, {STAGES[stage]}")
        line[1].set(xticks=[], yticks=[])
    handles, labels = line[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    title = f"{result.row.title}, {result.training}"
    figure.suptitle("\n".join([title, *([result.warning] if result.warning else [])]), fontsize=10)
    save_png(figure, path)


def _scatter(axes: "Axes", points: NDArray[np.float64], part: PartFrames, title: str) -> None:
    colour = np.where(part.positive, colours.EXPERT, colours.NONE)
    # in a mixed order and translucent: drawn kind by kind, the last would hide the others
    order = np.random.default_rng(0).permutation(len(points))
    x, y = points[order].T
    axes.scatter(x, y, s=np.where(part.positive, 14, 9)[order], c=colour[order], alpha=0.6, lw=0)
    for label, one in (
        ("no abdomen", colours.NONE),
        ("fetal abdomen, measurable", colours.EXPERT),
    ):
        axes.scatter([], [], s=12, color=one, label=label, linewidths=0)
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
