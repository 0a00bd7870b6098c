"""A table as CSV for programs and as Markdown for people, beside the paper's results."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial

from fetal_iqa_training.experiments.tables.csv_text import Cells, as_csv
from fetal_iqa_training.experiments.tables.paper import PAPER, PAPER_DICE
from fetal_iqa_training.experiments.tables.results import (
    COSTS,
    COUNTED,
    METRICS,
    BesidePaper,
    RowResult,
    compare_runs,
)
from fetal_iqa_training.experiments.tables.significance import PairedTest
from fetal_iqa_training.experiments.tables.systems import Table

NAMES = {
    PAPER_DICE: "Dice, pooled over all pixels",
    "dice": "Dice, mean over positive frames",
    "accuracy": "accuracy",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "average_precision": "average precision",
    "circumference_error_mm": "error of the circumference (mm)",
    "circumference_measured": "frames that this error is of",
}
"""The metrics, as people call them."""

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
            "starts_from": row.starts_from,
            "trainable": result.trainable,
            "trainable_paper": row.paper_trainable,
            "runs": len(result.runs),
        }
        for name in METRICS:
            found = result.metric(name)
            cells[f"{name}_mean"] = None if found is None else found.mean
            cells[f"{name}_std"] = None if found is None else found.std
            theirs, beside = row.paper.get(name), result.beside_paper(name)
            cells[f"{name}_paper"] = None if theirs is None else theirs.mean
            cells[f"{name}_paper_std"] = None if theirs is None else theirs.std
            cells[f"{name}_difference"] = None if beside is None else beside.difference
            cells[f"{name}_within_spreads"] = None if beside is None else beside.within_spreads
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


def tests_as_csv(tests: Sequence[PairedTest]) -> str:
    """Write a line per pair of rows."""
    return as_csv(asdict(test) for test in tests)


def as_markdown(
    table: Table,
    results: Sequence[RowResult],
    about: Sequence[str],
    tests: Sequence[PairedTest] = (),
) -> str:
    """Write a table for people.

    Parameters
    ----------
    table : Table
    results : sequence of RowResult
    about : sequence of str
        Paragraphs above it.
    tests : sequence of PairedTest
    """
    failures = [f"- {r.row.name}: {r.failure}" for r in results if r.failure is not None]
    columns = _columns(table, results)
    parts = [
        *about,
        markdown_table(
            [header for header, _ in columns],
            [[cell(result) for _, cell in columns] for result in results],
        ),
        "Mean ± sample standard deviation over the runs; the time and memory are means over them.",
        *_beside_paper(results),
        *_tested(table, results, tests),
    ]
    if failures:
        parts.append("Not finished:\n\n" + "\n".join(failures))
    return document(table.title, results, parts)


def _beside_paper(results: Sequence[RowResult]) -> list[str]:
    """Set every figure of the paper beside ours; nothing where the paper has none."""
    lines = [
        [
            _system(result),
            result.training,
            NAMES[name],
            _shown(result.metric(name)),
            str(theirs),
            *_differing(result.beside_paper(name)),
        ]
        for result in results
        for name, theirs in result.row.paper.items()
    ]
    if not lines:
        return []
    headers = ["system", "training", "metric", "here", "paper", "here less paper", "within"]
    return [
        f"## Beside the paper, {PAPER}",
        markdown_table(headers, lines),
        "Within: mean ± standard deviation of the two overlap. Of a single run there is no "
        "deviation, and so no answer.",
    ]


def _differing(beside: BesidePaper | None) -> tuple[str, str]:
    if beside is None:
        return "", ""
    within = {True: "yes", False: "no", None: ""}[beside.within_spreads]
    return f"{beside.difference:+.4f}", within


def _tested(table: Table, results: Sequence[RowResult], tests: Sequence[PairedTest]) -> list[str]:
    """Say of every row whether it differs from the reference; all pairs are in the CSV file."""
    titles = {r.row.name: f"{r.row.title}, {r.training}" for r in results}
    lines = []
    for test in tests:
        if table.reference not in (test.row, test.other):
            continue
        sign = 1 if test.other == table.reference else -1
        other = test.row if sign > 0 else test.other
        row = [titles[other], f"{sign * test.difference:+.4f}", _p(test.p), _p(test.p_holm)]
        lines.append([*row, str(test.subjects), str(test.runs)])
    if not lines:
        return []
    name = NAMES[tests[0].metric]
    headers = ["system", f"{name} less", "p", "p, Holm", "subjects", "runs"]
    return [
        f"## Against {titles[table.reference]}",
        markdown_table(headers, lines),
        "Paired randomisation test: the results of whole subjects are swapped between the two "
        f"systems. Holm: corrected for all {len(tests)} pairs of this table.",
    ]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


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
        ("trainable", lambda r: count_in_words(r.trainable)),
        ("paper", lambda r: count_in_words(r.row.paper_trainable)),
    ]
    for name in METRICS:
        if any(r.metric(name) for r in results):
            columns.append((NAMES[name], partial(_metric, name)))
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


def _metric(name: str, result: RowResult) -> str:
    found = result.metric(name)
    if found is not None and name == COUNTED:
        return _plain(found.mean) + ("" if found.std is None else f" ± {found.std:.1f}")
    return _shown(found)


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _signed(value: object) -> str:
    text = _shown(value)
    return text if not text or text.startswith("-") else f"+{text}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def count_in_words(count: float | None) -> str:
    """Write a number of parameters as the paper does: 1.0 K, 2.4 M, 134 M."""
    if count is None:
        return ""
    if count < 1e5:
        return f"{count / 1e3:.1f} K"
    return f"{count / 1e6:.0f} M" if count >= 1e8 else f"{count / 1e6:.1f} M"
