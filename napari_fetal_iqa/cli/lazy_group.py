"""Commands that are imported when they are asked for: to list them imports none."""

import importlib
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class Command:
    """A command, or a group of some, and where it is.

    Parameters
    ----------
    module : str
        In this package.
    attribute : str
        Of the module: the function of a command, or the typer of a group.
    summary : str
        First sentence of its help, for the list.
    """

    module: str
    attribute: str
    summary: str

    def load(self, name: str) -> Any:
        """Import the command."""
        found = getattr(importlib.import_module(f"{__package__}.{self.module}"), self.attribute)
        command: Any
        if isinstance(found, typer.Typer):
            command = typer.main.get_group(found)
        else:
            alone = typer.Typer(add_completion=False)
            alone.command(name)(found)
            command = typer.main.get_command(alone)
        command.name = name
        return command


COMMANDS = {
    "demo": Command("demo", "demo", "Show the main job on a phantom sweep with the demo models."),
    "info": Command(
        "info", "info", "Show what is in a sweep: shape, spacing, sweeps, identity, format."
    ),
    "analyse": Command(
        "analyse",
        "analyse",
        "Score every frame, outline the abdomen, and choose the frame to measure.",
    ),
    "anonymise": Command(
        "anonymise", "anonymise", "Write a copy of a sweep that does not say whose it is."
    ),
    "report": Command(
        "report",
        "report",
        "Write what was measured in a case: one page to sign, or the same as data.",
    ),
    "export-dicom": Command(
        "export_dicom",
        "export_dicom",
        "Write what was measured in a case as DICOM: segmentation, report, and a picture.",
    ),
    "fetch-dicom": Command(
        "fetch_dicom",
        "fetch_dicom",
        "Fetch the ultrasound images of a study from an archive, to be opened as one sweep volume.",
    ),
    "weights": Command(
        "weights", "app", "Pretrained weights of the encoders: what there is, get it, check it."
    ),
    "models": Command(
        "models",
        "app",
        "Models on this machine: list them, use them, go back, delete, send and receive them.",
    ),
    "corrections": Command(
        "corrections",
        "app",
        "The experts' corrections: list, check and export them, merge two stores.",
    ),
}


class LazyGroup(TyperGroup):
    """The group of :data:`COMMANDS`."""

    def __init__(self, **options: Any) -> None:
        listed = [TyperCommand(name, help=one.summary) for name, one in COMMANDS.items()]
        super().__init__(**{**options, "commands": listed})
        self._listing = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with the list of the commands."""
        self._listing = True
        super().format_help(ctx, formatter)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; imported, unless it is for the list."""
        if self._listing or cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        return COMMANDS[cmd_name].load(cmd_name)
