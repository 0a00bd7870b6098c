"""``--config FILE``: the options of a command, as a run wrote them and a later one reads them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fetal_iqa_models.atomic_file import write_atomically

_LARGEST = 1_000_000
_NOT_KEPT = {"config", "json_progress", "json_out", "runs_only", "dry_run", "stop_file"}
"""Of how a command is run, and not of what it does."""


def _take_options(context: typer.Context, path: Path | None) -> Path | None:
    """Let a file give the options that the command line does not."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not JSON"
        raise typer.BadParameter(f"{path}: cannot be read ({reason})") from None
    if not isinstance(found, dict) or not isinstance(options := found.get("options"), dict):
        raise typer.BadParameter(f"{path}: not what a run wrote: has no options")
    if (command := found.get("command")) != context.info_name:
        raise typer.BadParameter(
            f"{path}: has the options of {str(command)[:50]!r}, not of {context.info_name!r}; give "
            "it to that command"
        )
    known = {parameter.name for parameter in context.command.params} - {"config"}
    if foreign := sorted(options.keys() - known):
        raise typer.BadParameter(f"{path}: {context.info_name} takes no option {foreign[0][:50]!r}")
    context.default_map = {**(context.default_map or {}), **options}
    return path


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        is_eager=True,  # before the options that it stands in for
        callback=_take_options,
        help="Take the options from a file that an earlier run wrote; those given here count more.",
    ),
]


def config_beside(out: Path) -> Path:
    """Where the options are that a model was made with: beside its folder, which is passed on."""
    return out.with_name(f"{out.name}.config.json")


def write_config(path: Path, command: str, values: Mapping[str, Any]) -> None:
    """Write what a command was called with, to be given as ``--config``.

    Parameters
    ----------
    path : Path
    command : str
    values : mapping
        Of the options by their names; those that are None are left out.
    """
    options = {
        name: _plain(value)
        for name, value in values.items()
        if value is not None and name not in _NOT_KEPT
    }
    write_atomically(path, json.dumps({"command": command, "options": options}, indent=2) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, str):  # a model folder, or NAME=FILE
        name, equals, file = value.rpartition("=")
        a_place = os.path.basename(file) != file and os.path.exists(file)
        return name + equals + os.path.abspath(file) if a_place else value
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
