"""A table as CSV for programs and as Markdown for people, beside the paper's results."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence

from fetal_iqa_training.experiments.tables.results import (
    COSTS,
    METRICS,
    RowResult,
    compare_runs,
)
from fetal_iqa_training.experiments.tables.systems import Table
from napari_fetal_iqa.foreign_text import csv_cell

NAMES = {
    "dice": "Dice",
    "accuracy": "accuracy",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "average_precision": "average precision",
    "circumference_error_mm": "error of the circumference (mm)",
}
"""The metrics, as people call them."""

PAPER = "arXiv 2507.22802"

Cells = Mapping[str, object]
Column = tuple[str, Callable[[RowResult], str]]


def rows_as_csv(results: Sequence[RowResult]) -> str:
    """Write a line per row: mean and standard deviation, the paper's value, and the cost."""

    def line(result: RowResult) -> Cells:
        row = result.row
        cells: dict[str, object] = {
            "row": row.name,
            "title": row.title,
            "in_paper": row.in_paper,
            "encoder": result.encoder,
            "warning": result.warning,
            "task": row.task,
            "strategy": row.strategy,
            "rank": row.lora.rank if row.strategy == "lora" else None,
            "with_qkv": row.with_qkv,
            "recipe": row.recipe,
            "trainable": result.trainable,
            "trainable_paper": row.paper.get("trainable"),
            "runs": len(result.runs),
        }
        for name in METRICS:
            found = result.metric(name)
            cells[f"{name}_mean"] = None if found is None else found.mean
            cells[f"{name}_std"] = None if found is None else found.std
            cells[f"{name}_paper"] = row.paper.get(name)
        return cells | {name: result.cost(name) for name in COSTS} | {"failure": result.failure}

    return as_csv(map(line, results))


def runs_as_csv(results: Sequence[RowResult]) -> str:
    """Write a line per run."""
    lines: list[Cells] = []
    for result in results:
        for run in result.runs:
            cost = run.cost.model_dump(exclude={"settings"}) if run.cost else {}
            named = {"row": result.row.name, "seed": run.seed, "warning": result.warning}
            metrics = {name: run.metrics.get(name) for name in METRICS}
            epochs = " ".join(f"{seconds:.3f}" for seconds in cost.get("epoch_seconds", ()))
            costs = {name: cost.get(name) for name in (*COSTS, "device")}
            lines.append(named | metrics | costs | {"epoch_seconds": epochs})
    return as_csv(lines)


def as_csv(lines: Iterable[Cells]) -> str:
    """Write lines of the same cells; what is not known stays empty."""
    text = io.StringIO()
    writer: csv.DictWriter | None = None
    for line in lines:
        if writer is None:
            writer = csv.DictWriter(text, list(line), lineterminator="\n")
            writer.writeheader()
        writer.writerow({name: csv_cell(_rounded(value)) for name, value in line.items()})
    return text.getvalue()


def _rounded(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value


def as_markdown(table: Table, results: Sequence[RowResult], about: Sequence[str]) -> str:
    """Write a table for people.

    Parameters
    ----------
    table : Table
    results : sequence of RowResult
    about : sequence of str
        Paragraphs above it.
    """
    failures = [f"- {r.row.name}: {r.failure}" for r in results if r.failure is not None]
    columns = _columns(table, results)
    parts = [
        *about,
        markdown_table(
            [header for header, _ in columns],
            [[cell(result) for _, cell in columns] for result in results],
        ),
        f"Paper: {PAPER}. An empty cell of the paper: not in the facts at hand. Mean ± sample "
        "standard deviation over the runs; the time and memory are means over them.",
    ]
    if failures:
        parts.append("Not finished:\n\n" + "\n".join(failures))
    return document(table.title, results, parts)


def document(title: str, results: Iterable[RowResult], parts: Iterable[str]) -> str:
    """Write paragraphs of Markdown below a title and what the results are not."""
    warnings = sorted({f"**{result.warning}**" for result in results if result.warning})
    return "\n\n".join([f"# {title}", *warnings, *parts]) + "\n"


def markdown_table(headers: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a table of Markdown."""
    rows = [headers, ["---"] * len(headers), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _columns(table: Table, results: Sequence[RowResult]) -> list[Column]:
    columns: list[Column] = [
        ("system", _system),
        ("training", lambda r: r.training),
        ("trainable", lambda r: _millions(r.trainable)),
        ("paper", lambda r: _millions(r.row.paper.get("trainable"))),
    ]
    for name in METRICS:
        if any(r.metric(name) or name in r.row.paper for r in results):
            columns += _metric_columns(name, any(name in r.row.paper for r in results))
    reference = next((r for r in results if r.row.name == table.reference), None)
    if reference is not None and len(results) > 1:
        columns.append(
            (
                f"{NAMES[table.metric]} less that of {reference.row.title}, run by run",
                lambda r: _signed(compare_runs(r, reference, table.metric)),
            )
        )
    return [
        *columns,
        ("runs", lambda r: str(len(r.runs)) + (" (failed)" if r.failure else "")),
        ("s per run", lambda r: _plain(r.cost("seconds"))),
        ("s per epoch", lambda r: _plain(r.cost("epoch_seconds"))),
        ("GPU MiB", lambda r: _plain(r.cost("gpu_mib"))),
        ("process MiB", lambda r: _plain(r.cost("process_mib"))),
    ]


def _system(result: RowResult) -> str:
    remarks = [
        *(["not in the paper"] if not result.row.in_paper else []),
        *(["random weights"] if result.random else []),
    ]
    return result.row.title + (f" ({', '.join(remarks)})" if remarks else "")


def _metric_columns(name: str, in_paper: bool) -> list[Column]:
    columns: list[Column] = [(NAMES[name], lambda r: _shown(r.metric(name)))]
    if in_paper:
        columns.append(("paper", lambda r: _digits(r.row.paper.get(name))))
    return columns


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _signed(value: object) -> str:
    text = _shown(value)
    return text if not text or text.startswith("-") else f"+{text}"


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _millions(count: float | None) -> str:
    """Write a number of parameters as papers do; small ones in full."""
    if count is None:
        return ""
    return f"{count / 1e6:.1f} M" if count >= 1e5 else f"{count:.0f}"
