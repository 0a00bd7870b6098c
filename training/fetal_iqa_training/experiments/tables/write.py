"""The files of an experiment: CSV, JSON, Markdown and a picture, anew after every run."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.data.datasets import origin
from fetal_iqa_training.data.split import read_split
from fetal_iqa_training.experiments.tables.curves import draw_curves
from fetal_iqa_training.experiments.tables.format import (
    as_markdown,
    rows_as_csv,
    runs_as_csv,
    tests_as_csv,
)
from fetal_iqa_training.experiments.tables.locks import lock_of
from fetal_iqa_training.experiments.tables.plan import Plan
from fetal_iqa_training.experiments.tables.plots import draw_ranks, draw_rows
from fetal_iqa_training.experiments.tables.results import RowResult
from fetal_iqa_training.experiments.tables.significance import paired_tests
from fetal_iqa_training.experiments.tables.systems import Table
from fetal_iqa_training.settings import FitSettings
from napari_fetal_iqa.version import TOOL_VERSION


def table_files(table: Table, plan: Plan) -> list[str]:
    """Name the files of a table."""
    ends = (".md", ".csv", "-runs.csv", "-tests.csv", ".json", ".png", "-curves.png")
    return [str(plan.out / f"{table.name}{end}") for end in ends]


def write_table(
    table: Table, plan: Plan, command: str, read_results: Callable[[], Sequence[RowResult]]
) -> None:
    """Write what there is so far into the :func:`table_files`.

    Parameters
    ----------
    table : Table
    plan : Plan
    command : str
    read_results : callable
        Called while no other process writes this table, so that the last one to write has seen
        the runs of all.
    """
    with lock_of(plan.out, table.name):
        results = read_results()
        markdown, by_row, by_run, pairs, everything, picture, curves = map(
            Path, table_files(table, plan)
        )
        tests = paired_tests(results, table.metric)
        write_atomically(by_row, rows_as_csv(results))
        write_atomically(by_run, runs_as_csv(results))
        write_atomically(pairs, tests_as_csv(tests))
        rows: list[JsonValue] = [result.as_json() for result in results]
        tested: list[JsonValue] = [asdict(test) for test in tests]
        write_json(everything, table.name, plan, command, {"rows": rows, "tests": tested}, results)
        write_atomically(
            markdown, as_markdown(table, results, about(plan, command, results), tests)
        )
        if table.name == "rank":
            draw_ranks(table.title, results, picture)
        else:
            draw_rows(table.title, results, table.metric, picture)
        draw_curves(table.title, results, curves)


def write_json(
    path: Path,
    experiment: str,
    plan: Plan,
    command: str,
    found: Mapping[str, JsonValue],
    results: Sequence[RowResult],
) -> None:
    """Write an experiment's results with what it was run with."""
    ran_with: dict[str, JsonValue] = {
        "experiment": experiment,
        "command": command,
        "seeds": [*_seeds(plan, results)],
        "split_seed": plan.split_seed,
        "split": read_split(plan.listed).sha256 if plan.listed else None,
        "settings": plan.common.model_dump(
            mode="json", exclude={"task", "encoder", "strategy", "lora", "seed", "split_seed"}
        ),
        "stand_in": plan.stand_in,
        "from_scratch": plan.from_scratch,
        "data_origin": origin(plan.data),
        "tool_version": TOOL_VERSION,
    }
    write_atomically(path, json.dumps({**ran_with, **found}, indent=2) + "\n")


def _seeds(plan: Plan, results: Sequence[RowResult]) -> list[int]:
    """Seeds of all runs that are there, of whatever job; before the first, those of this one."""
    return sorted({run.seed for row in results for run in row.runs}) or list(plan.seeds)


def about(plan: Plan, command: str, results: Sequence[RowResult]) -> list[str]:
    """Describe for people what an experiment was run with.

    Parameters
    ----------
    plan : Plan
    command : str
        Of the last job.
    results : sequence of RowResult
        Of this job and of earlier ones; their seeds are named, row by row where they differ.
    """
    common = plan.common
    all_seeds = _seeds(plan, results)
    seeds = ", ".join(map(str, all_seeds))
    fewer = [
        f"{row.row.name} {', '.join(str(run.seed) for run in row.runs)}"
        for row in results
        if row.runs and [run.seed for run in row.runs] != all_seeds
    ]
    seeds += f" (of these alone: {'; '.join(fewer)})" if fewer else ""
    made = origin(plan.data)
    phantoms = isinstance(made, Mapping) and "phantoms" in made
    split = (
        "as listed"
        if plan.listed
        else f"seed {plan.split_seed}, {common.validation_share:.0%} validation, "
        f"{common.test_share:.0%} test"
    )
    return [
        f"Last command of this folder: `{command}`",
        f"Seeds {seeds}; one split by subject ({split}); epochs: {common.epochs}, frames a "
        f"batch: {common.batch_size}, augmented copies of each frame: {common.copies}, AdamW at "
        f"{common.learning_rate:g}.",
        *other_than_paper(plan),
        *(["Data: simulated phantoms, no patients."] if phantoms else []),
    ]


_EACH_ROW = {"task", "encoder", "strategy", "lora", "recipe", "seed", "split_seed"}
_NO_MATTER = {"device", "workers", "precision"}
_OF_A_DRAWN_SPLIT = {"validation_share", "test_share"}


def other_than_paper(plan: Plan) -> list[str]:
    """Name whatever the settings of all rows have other than the paper's recipe; none, nothing.

    The defaults of :class:`~fetal_iqa_training.settings.FitSettings` are the paper's.
    """
    left_out = _EACH_ROW | _NO_MATTER | (_OF_A_DRAWN_SPLIT if plan.listed else set())
    changed = [
        f"{name} {_plain(value)} (the paper: {_plain(field.default)})"
        for name, field in FitSettings.model_fields.items()
        if name not in left_out and (value := getattr(plan.common, name)) != field.default
    ]
    return [f"Other than the paper's recipe: {', '.join(changed)}."] if changed else []


def _plain(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
