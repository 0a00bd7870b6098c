"""Options that the commands of ``fetal-iqa-train`` share, and settings made of them."""

from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import typer
from pydantic import BaseModel, ValidationError

from fetal_iqa_training.fitting.loggers import check_loggers
from fetal_iqa_training.settings import Device, LoggerName, OwnPart, Precision, Task

_S = TypeVar("_S", bound=BaseModel)

_DATA = typer.Option(
    help="Data set folder in the layout of ACOUSLIC-AI, HC18, FOCUS or standard planes, or a "
    "collection of such folders.",
    show_default=False,
)
Data = Annotated[Path, _DATA]
OptionalData = Annotated[Path | None, _DATA]
Out = Annotated[
    Path, typer.Option(help="Model folder to make; must not exist.", show_default=False)
]
TaskOption = Annotated[
    Task,
    typer.Option(help="cls scores a frame's quality, seg outlines it.", show_default=False),
]
Weights = Annotated[
    Path | None,
    typer.Option(help="File of the encoder's pretrained weights; else those fetched before."),
]
Seed = Annotated[int, typer.Option(help="The same seed on the CPU gives the same weights.")]
DeviceOption = Annotated[Device, typer.Option(help="Where to compute.")]
PrecisionOption = Annotated[
    Precision, typer.Option(help="auto: bf16 where the device has it, else fp32.")
]
SplitOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Who is in which part: what fetal-iqa-train prepare acouslic --out wrote.",
    ),
]
StopFile = Annotated[
    Path | None,
    typer.Option(help="End early, and keep what was learnt, once this file is there."),
]
FreshCopies = Annotated[
    bool,
    typer.Option(
        "--fresh-copies",
        help="Make copies anew in each epoch, at the network's size; by default they are made "
        "once, before resizing, as in the paper.",
    ),
]
PartOption = Annotated[
    OwnPart | None,
    typer.Option(help="Of the list of --split, or of the model's own split; all for everything."),
]
ClassWeights = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER|balanced",
        help="How much more a frame with an abdomen counts in the loss of cls; balanced: as many "
        "times as frames without are more.",
    ),
]
LoggerOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="tensorboard|mlflow|wandb",
        help="Note the losses there, too, beside the CSV file; may be given several times.",
    ),
]
JsonProgress = Annotated[
    bool, typer.Option("--json-progress", help="Write progress as JSON lines on stdout.")
]
JsonOut = Annotated[
    bool,
    typer.Option(
        "--json",
        help="At the end write one JSON document on stdout, with the files and what failed; by "
        "default the paths, for people.",
    ),
]


def read_loggers(given: list[str] | None) -> tuple[LoggerName, ...]:
    """Read ``--logger``; refuse one whose package is missing."""
    names = get_args(LoggerName)
    if unknown := [name for name in given or () if name not in names]:
        raise typer.BadParameter(
            f"{unknown[0]!r} is none of {', '.join(names)}", param_hint="--logger"
        )
    chosen: tuple[LoggerName, ...] = tuple(dict.fromkeys(given or ()))  # type: ignore[arg-type]
    check_loggers(chosen)
    return chosen


def read_class_weights(given: str | None) -> float | str | None:
    """Read ``--class-weights``; a word that is no number is left to the settings to refuse."""
    try:
        return given if given is None else float(given)
    except ValueError:
        return given


def refuse_idle(option: str, given: object, beside: str | None) -> None:
    """Refuse an option that would do nothing, as bad usage: else it seems to have been heard.

    Parameters
    ----------
    option : str
    given : object
        Its value; None, 0, False or nothing in a list where it was not given.
    beside : str or None
        What makes it do nothing, in words; None where it does something.

    Raises
    ------
    typer.BadParameter
    """
    if given and beside is not None:
        raise typer.BadParameter(
            f"does nothing with {beside}; leave one of the two away", param_hint=option
        )


def checked(kind: type[_S], **values: Any) -> _S:
    """Make settings of options; a value that cannot be is bad usage."""
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise typer.BadParameter(first["msg"], param_hint=str(first["loc"][0])) from None
