"""``fetal-iqa-train experiment``: the tables and figures of arXiv 2507.22802, a command each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from fetal_iqa_training.cli.experiment_devices import run_on_devices
from fetal_iqa_training.cli.experiment_options import ExperimentOptions, with_experiment_options
from fetal_iqa_training.cli.planes import planes
from fetal_iqa_training.cli.reporting import command_line
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.tables.catalogue import CLS, SEG, TABLES
from fetal_iqa_training.experiments.tables.locks import lock_of
from fetal_iqa_training.experiments.tables.plan import Weights, find_weights
from fetal_iqa_training.experiments.tables.systems import Row
from napari_fetal_iqa.storage import paths

if TYPE_CHECKING:
    from fetal_iqa_training.cli.experiment_progress import ExperimentProgress
    from fetal_iqa_training.experiments.tables.results import RowResult

experiment = typer.Typer(
    help="Reproduce the tables and figures of arXiv 2507.22802.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Results = tuple["RowResult", ...]
ReadResults = Callable[[], Results]


class Made(NamedTuple):
    """The results of rows, and how to read what there is of them later, of whatever process."""

    results: Results
    read: ReadResults


def _run(
    options: ExperimentOptions,
    rows: Sequence[Row],
    weights: Weights,
    progress: "ExperimentProgress",
    table: Sequence[Row] = (),
    after_run: Callable[["ReadResults"], None] = lambda read_results: None,
) -> "Made":
    """Make all runs of rows; name the rows that fail as they do.

    ``after_run`` gets a function that reads the results so far, of whatever process.
    """
    from fetal_iqa_training.experiments.tables.runner import Runner

    runner = Runner(options.plan, weights, progress.begin_run, command_line())
    named: set[str] = set()
    chosen = {row.name for row in rows}
    options.plan.split_cases()  # refused before anything is written
    options.write_config(rows, runner.results(rows, table))
    if options.devices > 1:
        run_on_devices(options.devices, options.plan.common.device)
        runs: Iterable[Results] = [runner.results(rows, table)]
    else:
        runs = runner.run(rows, table)
    results: Results = ()
    for results in runs:
        for result in results:
            if result.failure is not None and result.row.name in chosen - named:
                named.add(result.row.name)
                progress.failed(result.row.name, result.failure)
        after_run(partial(runner.results, rows, table))
    options.write_config(rows, results)
    for name in dict.fromkeys(runner.made_elsewhere):
        progress.note(f"{name}: runs are being made by another process")
    return Made(results, partial(runner.results, rows, table))


@contextmanager
def _studied(options: ExperimentOptions, made: Made) -> Iterator[Results]:
    """Yield the results of rows while no other process writes this study.

    So the last one to write has seen the runs of all.
    """
    with lock_of(options.plan.out, f"{options.command}-study"):
        yield made.read()


def _end(results: Results, rows: Sequence[Row]) -> None:
    """Fail where a row did."""
    chosen = {row.name for row in rows}
    failed = [r.row.name for r in results if r.failure is not None and r.row.name in chosen]
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(rows)} rows failed, as named above; the same command tries "
            "them again"
        )


def _table(name: str, options: ExperimentOptions) -> None:
    from fetal_iqa_training.cli.experiment_progress import experiment_progress
    from fetal_iqa_training.experiments.tables.write import table_files, write_table

    table = TABLES[name]
    rows = options.choose_rows(table.rows)
    with experiment_progress(options.json_progress, options.json_out) as progress:
        write = partial(write_table, table, options.plan, command_line())
        weights = find_weights(options.plan, rows, paths.weights())
        results, _ = _run(options, rows, weights, progress, table.rows, write)
        progress.done(table_files(table, options.plan))
        _end(results, rows)


@experiment.command(epilog="Example: fetal-iqa-train experiment table1 --data acouslic --out paper")
@with_experiment_options
def table1(options: ExperimentOptions) -> None:
    """Table 1 of the paper: classification, all systems."""
    _table("table1", options)


@experiment.command(epilog="Example: fetal-iqa-train experiment table2 --data acouslic --out paper")
@with_experiment_options
def table2(options: ExperimentOptions) -> None:
    """Table 2 of the paper: FetalCLIP_CLS and FetalCLIP_SEG as classifiers of frames."""
    _table("table2", options)


@experiment.command(
    epilog="Example: fetal-iqa-train experiment table3 --data acouslic --out paper "
    "--rows '*-linear'"
)
@with_experiment_options
def table3(options: ExperimentOptions) -> None:
    """Table 3 of the paper: strategies of fine-tuning, the head alone, everything, or LoRA."""
    _table("table3", options)


@experiment.command(epilog="Example: fetal-iqa-train experiment table4 --data acouslic --out paper")
@with_experiment_options
def table4(options: ExperimentOptions) -> None:
    """Table 4 of the paper: whether the domain of the pretraining matters."""
    _table("table4", options)


@experiment.command(
    epilog="Example: fetal-iqa-train experiment strategies --data acouslic --out paper "
    "--rows '*-linear'"
)
@with_experiment_options
def strategies(options: ExperimentOptions) -> None:
    """Every strategy of every encoder of the paper, and the published code's recipe."""
    _table("strategies", options)


@experiment.command(
    epilog="Example: fetal-iqa-train experiment segmentation --data acouslic --out paper"
)
@with_experiment_options
def segmentation(options: ExperimentOptions) -> None:
    """Segmentation: FetalCLIP_SEG, the other transformers, and the published code's recipe."""
    _table("segmentation", options)


@experiment.command(
    epilog="Example: fetal-iqa-train experiment encoders --data acouslic --out paper"
)
@with_experiment_options
def encoders(options: ExperimentOptions) -> None:
    """Classification with more encoders than the paper has."""
    _table("encoders", options)


@experiment.command(
    epilog="Example: fetal-iqa-train experiment initialisation --data acouslic --out paper"
)
@with_experiment_options
def initialisation(options: ExperimentOptions) -> None:
    """Adapters that start at random, or from that of the other task."""
    _table("initialisation", options)


@experiment.command(
    epilog="Example: fetal-iqa-train experiment rank --data acouslic --out paper --rows cls"
)
@with_experiment_options
def rank(options: ExperimentOptions) -> None:
    """Ranks of the LoRA from 8 to 128, on its usual targets and with queries, keys and values."""
    _table("rank", options)


@experiment.command(
    epilog="Example: fetal-iqa-train experiment embeddings --data acouslic --out paper "
    "--rows fetalclip --rows densenet121"
)
@with_experiment_options
def embeddings(
    options: ExperimentOptions,
    frames: Annotated[
        int, typer.Option(min=5, help="Test frames at most, drawn by the seed.")
    ] = 3000,
) -> None:
    """PCA and t-SNE of what the last layer sees, before and after training, by label.

    Every classifier of table1; the picture is of the first run, the separation of all. Rows are
    added to those that are there.
    """
    from fetal_iqa_training.cli.experiment_progress import experiment_progress
    from fetal_iqa_training.experiments.embeddings.records import check_same_frames, keep, kept
    from fetal_iqa_training.experiments.embeddings.report import write_embeddings
    from fetal_iqa_training.experiments.embeddings.run import embed_rows

    table = TABLES["table1"].rows
    rows = options.choose_rows(table)
    with experiment_progress(options.json_progress, options.json_out) as progress:
        weights = find_weights(options.plan, rows, paths.weights())
        made = _run(options, rows, weights, progress, table)
        if not options.runs_only:
            plan = options.plan
            check_same_frames(plan, [r for r in made.results if r.row not in rows], frames)
            own = [result for result in made.results if result.row in rows]
            for row in embed_rows(plan, weights, own, frames, progress.report):
                keep(plan, row, frames)
            with _studied(options, made) as results:
                progress.done(write_embeddings(plan, [*kept(plan, results)], command_line()))
        _end(made.results, rows)


@experiment.command(
    epilog="Example: fetal-iqa-train experiment figure3 --data acouslic --out paper"
)
@with_experiment_options
def figure3(options: ExperimentOptions) -> None:
    """Figure 3 of the paper: six pairs of true and predicted masks, one with neither.

    Of the first run of FetalCLIP_SEG, on test frames: five from low to high Dice, none picked by
    hand, and one without an abdomen.
    """
    from fetal_iqa_training.cli.experiment_progress import experiment_progress
    from fetal_iqa_training.experiments.mask_pairs.draw import draw_figure3

    rows = options.choose_rows((SEG,))
    with experiment_progress(options.json_progress, options.json_out) as progress:
        weights = find_weights(options.plan, rows, paths.weights())
        made = _run(options, rows, weights, progress)
        if not options.runs_only:
            with _studied(options, made) as (result,):
                progress.done(draw_figure3(options.plan, weights, result, progress.report))
        _end(made.results, rows)


@experiment.command(
    epilog="Example: fetal-iqa-train experiment threshold --data acouslic --out paper"
)
@with_experiment_options
def threshold(options: ExperimentOptions) -> None:
    """Move the threshold on the mask's area, and fit a rule on mask and CLS.

    The threshold goes from 0.1 % to 5 %; one is chosen on validation frames only. The rule is
    fitted on validation frames, too, and tries to win back SEG's lost precision. Both are judged on
    test frames, with the CLS and SEG of each run.
    """
    from fetal_iqa_training.cli.experiment_progress import experiment_progress
    from fetal_iqa_training.experiments.threshold.report import (
        study_threshold_and_rule,
        write_threshold,
    )
    from fetal_iqa_training.experiments.threshold.runs import score_runs

    with experiment_progress(options.json_progress, options.json_out) as progress:
        weights, made = _run_cls_and_seg(options, progress)
        if options.runs_only:
            _end(made.results, (CLS, SEG))
            return
        with _studied(options, made) as (cls, seg):
            scored = score_runs(options.plan, weights, (cls, seg), progress.report)
            found = study_threshold_and_rule(list(scored), options.plan.common.seed)
            progress.done(write_threshold(options.plan, (cls, seg), found, command_line()))
        _end(made.results, (CLS, SEG))
        if found.rule_failure is not None:
            raise TrainingError(found.rule_failure)


@experiment.command(epilog="Example: fetal-iqa-train experiment sweeps --data acouslic --out paper")
@with_experiment_options
def sweeps(options: ExperimentOptions) -> None:
    """Find out what blind sweeps are for, over whole test cases, all frames of all sweeps.

    Sweeps needed until a good frame is found, hits of the chosen frame, the error of its
    circumference, and what smoothing along time changes.
    """
    from fetal_iqa_training.cli.experiment_progress import experiment_progress
    from fetal_iqa_training.experiments.sweeps.report import study_runs, write_sweeps
    from napari_fetal_iqa.io import list_cases

    list_cases(options.plan.data, must_exist=False)  # single images are no sweeps
    with experiment_progress(options.json_progress, options.json_out) as progress:
        weights, made = _run_cls_and_seg(options, progress)
        if options.runs_only:
            _end(made.results, (CLS, SEG))
            return
        with _studied(options, made) as (cls, seg):
            studied = list(study_runs(options.plan, weights, (cls, seg), progress.report))
            progress.done(write_sweeps(options.plan, (cls, seg), studied, command_line()))
        _end(made.results, (CLS, SEG))


def _run_cls_and_seg(
    options: ExperimentOptions, progress: "ExperimentProgress"
) -> tuple[Weights, Made]:
    """Make the runs of FetalCLIP_CLS and FetalCLIP_SEG."""
    rows = options.choose_rows((CLS, SEG))
    if len(rows) < 2:
        raise TrainingError("this experiment takes CLS and SEG together: leave --rows away")
    weights = find_weights(options.plan, rows, paths.weights())
    return weights, _run(options, rows, weights, progress)


experiment.command(
    epilog="Example: fetal-iqa-train experiment planes --data FETAL_PLANES_DB --external AFRICA "
    "--out planes"
)(planes)


def register(app: typer.Typer) -> None:
    """Add the experiments to ``fetal-iqa-train``."""
    app.add_typer(experiment, name="experiment")
