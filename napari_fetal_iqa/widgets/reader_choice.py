"""Which reader napari opens sweeps with: ours, where the person wants so and chose no other."""

import json
from collections.abc import Iterable
from fnmatch import fnmatch

from napari.settings import get_settings
from npe2 import PluginManager

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.storage import paths

PLUGIN = "napari-fetal-iqa"


def patterns() -> tuple[str, ...]:
    """Return the endings of our reader, in small letters and in capitals, as napari keeps them."""
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    ours = {
        pattern
        for reader in manifest.contributions.readers or ()
        for pattern in reader.filename_patterns
        if pattern.startswith("*.")  # not those that other files may have, too
    }
    return tuple(sorted(ours | {pattern.upper() for pattern in ours}))


def without_choice(wanted: Iterable[str]) -> tuple[str, ...]:
    """Return those for which the person has not chosen a reader."""
    chosen = get_settings().plugins.extension2reader
    return tuple(
        pattern
        for pattern in wanted
        if not any(fnmatch(pattern.replace("*", "a"), other) for other in chosen)
    )


def remember_ours() -> None:
    """Open sweeps with our reader from now on, but where the person chose another."""
    plugins = get_settings().plugins
    ours = dict.fromkeys(without_choice(patterns()), PLUGIN)
    if ours:  # a new dict, for napari to notice and keep it
        plugins.extension2reader = {**plugins.extension2reader, **ours}


def was_asked() -> bool:
    """Whether the person was asked before, whatever the answer."""
    return _asked().exists()


def note_asked(answer: bool) -> None:
    """Note that the person was asked.

    Raises
    ------
    OSError
        Where it cannot be noted.
    """
    write_atomically(_asked(), json.dumps({"reader": answer}))


def shall_ask() -> bool:
    """Whether to ask: never before, and napari would ask for some of our endings."""
    try:
        return not was_asked() and bool(without_choice(patterns()))
    except KeyError:  # not installed as a plugin: run from its sources
        return False


def _asked() -> "paths.Path":
    return paths.home() / "reader-asked.json"
