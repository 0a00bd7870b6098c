"""The options that all experiments share, written once and read into one plan."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetal_iqa_training.cli.config_file import ConfigOption, united, write_config
from fetal_iqa_training.cli.experiment_devices import is_one_of_several
from fetal_iqa_training.cli.options import (
    ClassWeights,
    DeviceOption,
    FreshCopies,
    JsonOut,
    JsonProgress,
    LoggerOption,
    PrecisionOption,
    SplitOption,
    checked,
    read_class_weights,
    read_loggers,
    refuse_idle,
)
from fetal_iqa_training.experiments.tables.locks import lock_of
from fetal_iqa_training.experiments.tables.plan import Plan
from fetal_iqa_training.experiments.tables.systems import Row, choose_rows
from fetal_iqa_training.settings import FitSettings

if TYPE_CHECKING:
    from fetal_iqa_training.experiments.tables.results import RowResult

Data = Annotated[
    Path, typer.Option(help="Data set folder in the layout of ACOUSLIC-AI.", show_default=False)
]
Out = Annotated[
    Path,
    typer.Option(
        help="Folder of results and models. The same command goes on where it was; several "
        "experiments may share it, and share models.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class ExperimentOptions:
    """What the shared options of an experiment ask for.

    Parameters
    ----------
    plan : Plan
    rows : tuple of str
        Names or patterns of the rows to run; none for all.
    json_progress : bool
    devices : int
        Processes that make the runs.
    runs_only : bool
        Make the runs and nothing of what is made of them.
    json_out : bool
        One JSON document at the end.
    command : str
        Name of the experiment.
    values : mapping
        Of all its options, as they were given.
    """

    plan: Plan
    rows: tuple[str, ...]
    json_progress: bool
    devices: int = 1
    runs_only: bool = False
    json_out: bool = False
    command: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def choose_rows(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """Choose the rows that are asked for.

        Raises
        ------
        typer.BadParameter
            Where another option does nothing in one of them.
        TrainingError
            Where a name fits none.
        """
        chosen = tuple(choose_rows(rows, self.rows))
        outlines = [row.name for row in chosen if row.task == "seg"]
        refuse_idle("--class-weights", self.plan.common.class_weights, _rows(outlines))
        return chosen

    def write_config(self, chosen: Sequence[Row], results: Sequence["RowResult"]) -> None:
        """Write what a later run can be given as ``--config`` to make all that is there.

        Of the folder's earlier jobs the rows and seeds are kept, if they are of the same options.

        Parameters
        ----------
        chosen : sequence of Row
            Those of this job.
        results : sequence of RowResult
            What is there of any job.
        """
        if is_one_of_several():
            return
        first = self.plan.common.seed
        runs = max((run.seed + 1 - first for r in results for run in r.runs), default=0)
        there = [r.row.name for r in results if r.runs]
        rows = united([row.name for row in chosen], there) if self.rows else None
        values = {**self.values, "rows": rows, "runs": max(runs, self.plan.runs), "devices": None}
        with lock_of(self.plan.out, self.command):
            path = self.plan.out / f"{self.command}.config.json"
            write_config(path, self.command, values, add={"rows": united, "runs": max})


def _read_options(
    data: Data,
    out: Out,
    runs: Annotated[int, typer.Option(min=1, help="Fits of each row, a seed each.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of the first run.")] = 0,
    device: DeviceOption = "auto",
    rows: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these rows: a row's name, an encoder, a task, a pattern such as '*-linear', "
            "or paper; may be given several times."
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 5,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    copies: Annotated[int, typer.Option(min=0, help="Augmented copies of each frame.")] = 2,
    fresh_copies: FreshCopies = False,
    validation_share: Annotated[float, typer.Option(help="Of the subjects; without a list.")] = 0.1,
    test_share: Annotated[
        float, typer.Option(help="Of the subjects; without a list; more than 0.")
    ] = 0.2,
    split: SplitOption = None,
    prepared: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Training and validation frames that fetal-iqa-train prepare acouslic built, "
            "with their split: they are not read anew for every run.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that augment.")] = 0,
    precision: PrecisionOption = "auto",
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="File of an encoder's pretrained weights; else those fetched before. May be "
            "given several times.",
        ),
    ] = None,
    from_scratch: Annotated[
        bool,
        typer.Option(
            "--from-scratch", help="Start all encoders at random: to see what a row costs."
        ),
    ] = False,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="A trial: this encoder, at random, in place of every row's, such as "
            "fetalclip-tiny. The results say so."
        ),
    ] = None,
    class_weights: ClassWeights = None,
    logger: LoggerOption = None,
    devices: Annotated[
        int,
        typer.Option(
            min=1, help="Processes that make the runs, a GPU each; a run is the same on any."
        ),
    ] = 1,
    runs_only: Annotated[
        bool,
        typer.Option(
            "--runs-only", help="Make the runs alone, as one of several jobs on a cluster."
        ),
    ] = False,
    config: ConfigOption = None,
    json_out: JsonOut = False,
    json_progress: JsonProgress = False,
) -> ExperimentOptions:
    at_random = "--from-scratch" if from_scratch else encoder and "--encoder"
    refuse_idle("--weights", weights, at_random)
    common = checked(
        FitSettings,
        task="cls",
        encoder=encoder or "each row's own",
        epochs=epochs,
        batch_size=batch_size,
        copies=copies,
        fresh_copies=fresh_copies,
        validation_share=validation_share,
        test_share=test_share,
        workers=workers,
        seed=seed,
        device=device,
        precision=precision,
        class_weights=read_class_weights(class_weights),
    )
    plan = Plan(
        data,
        out,
        runs,
        common,
        given_weights=files_by_name(weights or []),
        from_scratch=from_scratch,
        split=split,
        prepared=prepared,
        stand_in=encoder,
        loggers=read_loggers(logger),
    )
    return ExperimentOptions(plan, tuple(rows or ()), json_progress, devices, runs_only, json_out)


def _rows(names: Sequence[str]) -> str | None:
    return f"the rows {', '.join(names)}, which outline" if names else None


def files_by_name(named: list[str]) -> dict[str, Path]:
    """Read ``--weights NAME=FILE``."""
    pairs = [entry.partition("=") for entry in named]
    if wrong := [entry for entry, (_, _, file) in zip(named, pairs, strict=True) if not file]:
        raise typer.BadParameter(f"expected NAME=FILE, found {wrong[0]!r}", param_hint="--weights")
    return {name: Path(file) for name, _, file in pairs}


def with_experiment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that it has the shared options, and gets them as its first argument.

    Parameters
    ----------
    command : callable
        ``command(options, **own_options)``, with :class:`ExperimentOptions` first.
    """
    shared = inspect.signature(_read_options).parameters
    own = list(inspect.signature(command).parameters.values())[1:]

    def with_options(**values: Any) -> None:
        options = _read_options(**{name: values[name] for name in shared})
        options = replace(options, command=command.__name__, values=values)
        command(options, **{name: value for name, value in values.items() if name not in shared})

    parameters = [
        option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in (*shared.values(), *own)
    ]
    described: Any = with_options  # typer reads its options here
    described.__signature__ = inspect.Signature(parameters)
    described.__annotations__ = {option.name: option.annotation for option in parameters}
    described.__doc__, described.__name__ = command.__doc__, command.__name__
    return with_options
