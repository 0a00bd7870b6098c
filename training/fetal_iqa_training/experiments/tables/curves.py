"""Learning curves: the losses of every run, epoch by epoch, a panel per row."""

from collections.abc import Sequence
from pathlib import Path

from fetal_iqa_training.experiments.tables.plots import mark, save_png
from fetal_iqa_training.experiments.tables.results import RowResult
from fetal_iqa_training.fitting.loggers import Logs, read_losses
from napari_fetal_iqa import colours

COLUMNS = 3


def logs_of(folder: Path) -> Logs:
    """Where a run is logged: beside its model folder."""
    return Logs(folder.parent / "logs", folder.name)


def draw_curves(title: str, results: Sequence[RowResult], path: Path) -> None:
    """Draw training and validation loss over the epochs; a thin line per run.

    Parameters
    ----------
    title : str
    results : sequence of RowResult
        Rows without a logged run keep an empty panel.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    rows = -(-max(1, len(results)) // COLUMNS)
    figure = Figure(figsize=(9, 0.8 + 2.4 * rows), dpi=120, layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in panels[len(results) :]:
        axes.set_visible(False)
    for axes, result in zip(panels, results, strict=False):
        for run in result.runs:
            losses = read_losses(logs_of(run.folder))
            for name, colour, marker in (
                ("training", colours.MODEL, "o"),
                ("validation", colours.EXPERT, "D"),
            ):
                points = [(one.epoch + 1, getattr(one, name)) for one in losses]
                known = [(epoch, loss) for epoch, loss in points if loss is not None]
                if known:
                    x, y = zip(*known, strict=True)
                    axes.plot(x, y, marker=marker, markersize=3, color=colour, alpha=0.6)
        axes.set_title(f"{result.row.title}, {result.training}", fontsize=8)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel="epoch", ylabel="loss")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].plot([], [], "o-", color=colours.MODEL, label="training")
    panels[0].plot([], [], "D-", color=colours.EXPERT, label="validation")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    mark(figure, results, f"{title}: loss of every run")
    save_png(figure, path)
