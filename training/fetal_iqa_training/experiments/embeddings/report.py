"""How far the labels lie apart in every row's embeddings: CSV, JSON and Markdown."""

from collections.abc import Sequence

from pydantic import JsonValue

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.experiments.embeddings.run import EmbeddedRow
from fetal_iqa_training.experiments.tables.csv_text import Cells, as_csv
from fetal_iqa_training.experiments.tables.format import document, markdown_table
from fetal_iqa_training.experiments.tables.plan import Plan
from fetal_iqa_training.experiments.tables.write import about, write_json

METRICS = ("silhouette", "balanced")


def write_embeddings(plan: Plan, rows: Sequence[EmbeddedRow], command: str) -> list[str]:
    """Write ``embeddings.md``, ``.csv`` and ``.json``; return their paths."""
    markdown, table, everything = (plan.out / f"embeddings.{end}" for end in ("md", "csv", "json"))
    write_atomically(table, separation_csv(rows))
    results = [row.result for row in rows]
    write_atomically(markdown, separation_markdown(rows, about(plan, command, results)))
    found: list[JsonValue] = [row.as_json() for row in rows]
    write_json(everything, "embeddings", plan, command, {"rows": found}, results)
    return [str(path) for path in (markdown, table, everything)]


def separation_csv(rows: Sequence[EmbeddedRow]) -> str:
    """Write a line per row: both metrics of separation, before and after training."""

    def line(row: EmbeddedRow) -> Cells:
        cells: dict[str, object] = {
            "row": row.result.row.name,
            "warning": row.result.warning,
            "runs": len(row.after),
        }
        for name in METRICS:
            found = row.spread(name)
            cells[f"{name}_before"] = None if row.before is None else getattr(row.before, name)
            cells[f"{name}_after_mean"] = None if found is None else found.mean
            cells[f"{name}_after_std"] = None if found is None else found.std
        return cells

    return as_csv(map(line, rows))


def separation_markdown(rows: Sequence[EmbeddedRow], about: Sequence[str]) -> str:
    """Write the separation of all rows for people."""
    lines = [
        [
            row.result.row.title,
            row.result.training,
            *(
                cell
                for name in METRICS
                for cell in (
                    "" if row.before is None else f"{getattr(row.before, name):.4f}",
                    str(row.spread(name) or ""),
                )
            ),
            str(len(row.after)),
        ]
        for row in rows
    ]
    headers = [
        "system", "training", "silhouette before", "after", "balanced before", "after", "runs",
    ]  # fmt: skip
    parts = [
        *about,
        markdown_table(headers, lines),
        "Silhouette in the whole embedding, -1 to 1; balanced: mean of the two kinds' means. The "
        "paper's figures: not in the facts at hand.",
    ]
    title = "Embeddings: how far frames with and without an abdomen lie apart"
    return document(title, [row.result for row in rows], parts)
