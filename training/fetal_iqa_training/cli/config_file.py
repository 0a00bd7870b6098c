"""``--config FILE``: the options of a command, as a run wrote them and a later one reads them."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
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


def write_config(
    path: Path,
    command: str,
    values: Mapping[str, Any],
    add: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType({}),
) -> bool:
    """Write what a command was called with, to be given as ``--config``.

    Parameters
    ----------
    path : Path
    command : str
    values : mapping
        Of the options by their names; those that are None are left out.
    add : mapping, optional
        How the value of an option is joined with that of the file that is there; one that is left
        out of either is left out of both. A file of otherwise different options is written anew.

    Returns
    -------
    bool
        Whether it also tells what an earlier job had, where there was one.
    """
    options = {
        name: _plain(value)
        for name, value in values.items()
        if value is not None and name not in _NOT_KEPT
    }
    earlier = _options_in(path, command) if add else None
    alike = earlier is None or _others(earlier, add) == _others(options, add)
    if earlier is not None and alike:
        for name, join in add.items():
            joined = options.pop(name, None), earlier.get(name)
            if None not in joined:
                options[name] = join(joined[1], joined[0])
    write_atomically(path, json.dumps({"command": command, "options": options}, indent=2) + "\n")
    return alike


def united(these: list[str], those: list[str]) -> list[str]:
    """Join the values of an option that two jobs had, each once."""
    return list(dict.fromkeys([*these, *those]))


_OF_HOW = {"device", "workers", "logger", "prepared", "weights"}
"""Options that jobs on one folder may each have of their own."""


def _others(options: Mapping[str, Any], add: Mapping[str, object]) -> dict[str, Any]:
    return {k: v for k, v in options.items() if k not in add and k not in _OF_HOW}


def _options_in(path: Path, command: str) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes()[:_LARGEST])
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("command") != command:
        return None
    options = found.get("options")
    return options if isinstance(options, dict) else None


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, str):  # a model folder, or NAME=FILE
        name, equals, file = value.rpartition("=")
        a_place = os.path.basename(file) != file and os.path.exists(file)
        return name + equals + os.path.abspath(file) if a_place else value
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
