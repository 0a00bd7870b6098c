"""The comparison of encoders on planes: Markdown, CSV, JSON and a picture, beside the paper's."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.data.planes import PlaneImage
from fetal_iqa_training.experiments.planes.folds import FOLDS
from fetal_iqa_training.experiments.planes.plan import PlanesPlan, Setting
from fetal_iqa_training.experiments.planes.results import PlanesRow
from fetal_iqa_training.experiments.tables.csv_text import as_csv
from fetal_iqa_training.experiments.tables.format import markdown_table
from fetal_iqa_training.experiments.tables.plots import save_png
from napari_fetal_iqa import colours
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.version import TOOL_VERSION

PAPER = "arXiv 2605.27796"
IN_PAPER: dict[tuple[Setting, str], tuple[float, float]] = {
    ("linear", "fetalclip"): (0.9261, 0.9731),
    ("full", "usfm"): (0.9476, 0.9515),
}
"""Macro F1 in and out of domain, of the best encoder of each setting; no other is at hand."""

WORDS = {"linear": "linear probing", "full": "full fine-tuning"}
DOMAINS = ("f1_in", "f1_out")


def planes_files(out: Path) -> list[str]:
    """Name the files."""
    return [str(out / f"planes.{end}") for end in ("md", "csv", "json", "png")]


def write_planes(
    plan: PlanesPlan, rows: Sequence[PlanesRow], skipped: Sequence[str], command: str
) -> None:
    """Write what there is so far into the :func:`planes_files`."""
    markdown, table, everything, picture = map(Path, planes_files(plan.out))
    write_atomically(table, as_csv(map(_line, rows)))
    write_atomically(markdown, planes_markdown(plan, rows, skipped, command))
    found = {
        "experiment": "planes",
        "command": command,
        "tool_version": TOOL_VERSION,
        "skipped": list(skipped),
        "rows": [
            _line(row) | {"folds": [fold.model_dump(mode="json") for fold in row.folds]}
            for row in rows
        ],
    }
    write_atomically(everything, json.dumps(found, indent=2) + "\n")
    _draw(rows, picture)


def _line(row: PlanesRow) -> dict[str, object]:
    paper = IN_PAPER.get((row.setting, row.encoder), (None, None))
    cells: dict[str, object] = {
        "encoder": row.encoder,
        "weights": row.weights,
        "setting": row.setting,
        "folds": len(row.folds),
    }
    for name, theirs in zip(DOMAINS, paper, strict=True):
        found = row.spread(name)
        cells[f"{name}_mean"] = None if found is None else found.mean
        cells[f"{name}_std"] = None if found is None else found.std
        cells[f"{name}_paper"] = theirs
    return cells


def planes_markdown(
    plan: PlanesPlan, rows: Sequence[PlanesRow], skipped: Sequence[str], command: str
) -> str:
    """Write the comparison for people."""
    lines = []
    for row in rows:
        paper = IN_PAPER.get((row.setting, row.encoder))
        cells = [row.encoder, row.weights, WORDS[row.setting]]
        for place, name in enumerate(DOMAINS):
            cells += [str(row.spread(name) or ""), "" if paper is None else f"{paper[place]:.4f}"]
        lines.append([*cells, f"{len(row.folds)} of {FOLDS}"])
    headers = [
        "encoder", "weights", "setting", "F1 in domain", "paper", "F1 out of domain", "paper",
        "folds",
    ]  # fmt: skip
    options = plan.options
    text = "blackened in every image" if plan.mask_text else "left in"
    parts = [
        "# Fetal planes: encoders within and out of their domain",
        f"`{command}`",
        f"In domain: {_described(plan.images)}.",
        f"Out of domain: {_described(plan.external)}." if plan.external else "",
        f"Five folds by subject, seed {options.seed}; macro F1, mean ± sample standard deviation "
        f"over the folds. Text that scanners burn in: {text}. Linear probing: logistic regression "
        f"on standardised features of the frozen encoder.{_training(rows)}"
        + (" Rare planes count more, in both." if options.balanced else ""),
        markdown_table(headers, lines),
        f"Paper, {PAPER}: {_best_of_the_paper()}; of its other encoders no figure is at hand. Its "
        "data sets are FETAL_PLANES_DB and an African cohort: where others are given, the figures "
        "are of others.",
        f"Skipped, because their weights are not here: {', '.join(skipped)}." if skipped else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _best_of_the_paper() -> str:
    """Tell its best encoder of each setting, which need not be a row here."""
    return "; ".join(
        f"{WORDS[setting]} is best with {encoder}, {within:.4f} in domain and {beyond:.4f} out of "
        "it"
        for (setting, encoder), (within, beyond) in IN_PAPER.items()
    )


def _training(rows: Sequence[PlanesRow]) -> str:
    """Tell how the rows that were trained in full were, all alike."""
    trained = next((row.folds[0].made_with for row in rows if row.setting == "full"), None)
    if trained is None:
        return ""
    epochs = counted(int(trained["epochs"]), "epoch")
    return (
        f" Full fine-tuning: AdamW, learning rate {trained['learning_rate']:g} and ten times that "
        f"for the head, batches of {trained['batch_size']}, {epochs}, the one that is kept chosen "
        "on one training subject in eight."
    )


def _described(images: Sequence[PlaneImage]) -> str:
    counts = Counter(image.plane for image in images)
    planes = ", ".join(f"{count} {plane}" for plane, count in sorted(counts.items()))
    return f"{len(images)} images of {len({i.subject for i in images})} subjects ({planes})"


def _draw(rows: Sequence[PlanesRow], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.6 + 0.36 * len(rows)), dpi=120, layout="constrained")
    axes = figure.subplots()
    looks = {"f1_in": (colours.MODEL, "o", -0.15), "f1_out": (colours.EXPERT, "D", 0.15)}
    for place, row in enumerate(rows):
        for name, (colour, marker, aside) in looks.items():
            found = row.spread(name)
            if found is not None:
                axes.errorbar(
                    found.mean, place + aside, xerr=found.std, fmt=marker, color=colour, capsize=3
                )
    axes.plot([], [], "o", color=colours.MODEL, label="in domain")
    axes.plot([], [], "D", color=colours.EXPERT, label="out of domain")
    axes.set_yticks(range(len(rows)), [f"{r.encoder}, {WORDS[r.setting]}" for r in rows])
    axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
    axes.set_xlabel("macro F1, mean ± standard deviation over the folds")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    save_png(figure, path)
