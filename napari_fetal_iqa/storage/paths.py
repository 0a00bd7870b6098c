"""Where this machine keeps settings, corrections and caches, and where sweeps were last seen."""

import errno
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from fetal_iqa_models.atomic_file import atomic_file, write_atomically
from napari_fetal_iqa.errors import SweepError

logger = logging.getLogger(__name__)

_one_writer = threading.Lock()  # sweeps open in threads, and each changes the whole list


def home() -> Path:
    """Folder of the user's own data; the environment variable ``FETAL_IQA_HOME`` moves it."""
    chosen = os.environ.get("FETAL_IQA_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("napari-fetal-iqa", False))


def cache() -> Path:
    """Folder of what can be made again: analyses, generated phantoms."""
    chosen = os.environ.get("FETAL_IQA_HOME")
    if chosen:
        return Path(chosen) / "cache"
    return Path(platformdirs.user_cache_dir("napari-fetal-iqa", False))


def weights() -> Path:
    """Folder of the pretrained weights that were fetched or imported."""
    return home() / "weights"


def graphs() -> Path:
    """Folder of the graphs that were compiled on this machine, or came with a packed model."""
    return cache() / "compiled"


def models() -> Path:
    """Folder of the models that were fine-tuned on this machine."""
    return home() / "models"


def default_store() -> Path:
    """Return the corrections store that the window uses unless another is chosen."""
    return home() / "corrections.sqlite"


def remember_location(identity: str, path: Path) -> None:
    """Note where the sweep of this content identity lies on this machine.

    Kept outside the corrections store, which may be mailed: a path may name a patient.
    """
    place = str(path.resolve())
    with _one_writer:
        known = _locations()
        if known.get(identity) != place:
            known[identity] = place
            write_atomically(home() / "sweep-locations.json", json.dumps(known, indent=1))


def known_location(identity: str) -> Path | None:
    """Where the sweep of this content identity was last seen, if anywhere."""
    place = _locations().get(identity)
    return Path(place) if place else None


def _locations() -> dict[str, str]:
    try:
        known = json.loads((home() / "sweep-locations.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        logger.warning("the list of known sweeps is damaged; starting a new one")
        return {}
    return {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a sweep's file as :func:`~fetal_iqa_models.atomic_file.atomic_file` does.

    Raises
    ------
    SweepError
        Where the disk refuses.
    """
    try:
        with atomic_file(path) as new:
            yield new
    except OSError as error:
        raise SweepError(
            f"{path.name}: cannot be written ({error.strerror}); choose another folder"
        ) from error


def read_small_text(path: Path, largest: int = 1 << 20) -> str:
    """Read a text file that somebody else may have put there.

    Raises
    ------
    OSError
        Where it is no file but a pipe or a device, which might never end, or has more than
        ``largest`` bytes.
    ValueError
        Where it is no UTF-8.
    """
    if not path.is_file():
        raise OSError(errno.ENOENT, "no such file", path.name)
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise OSError(errno.EFBIG, "larger than it can be", path.name)
    return content.decode("utf-8")
