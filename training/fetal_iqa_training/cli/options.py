"""Options that the commands of ``fetal-iqa-train`` share, and settings made of them."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from fetal_iqa_training.settings import Device, Part, Precision, Task

_S = TypeVar("_S", bound=BaseModel)

Data = Annotated[
    Path,
    typer.Option(help="Data set folder in the layout of ACOUSLIC-AI or HC18.", show_default=False),
]
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
PartOption = Annotated[Part, typer.Option(help="Of the split; of use with --split alone.")]
JsonProgress = Annotated[
    bool, typer.Option("--json-progress", help="Write progress as JSON lines on stdout.")
]


def checked(kind: type[_S], **values: Any) -> _S:
    """Make settings of options; a value that cannot be is bad usage."""
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise typer.BadParameter(first["msg"], param_hint=str(first["loc"][0])) from None
