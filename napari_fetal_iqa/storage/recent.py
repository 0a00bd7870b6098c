"""What was opened last on this machine: sweeps, and folders of sweeps."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.storage import paths

logger = logging.getLogger(__name__)

MOST = 10
"""As many are kept: a menu of more is no help."""


@dataclass(frozen=True)
class Recent:
    """A sweep that was opened.

    Parameters
    ----------
    path : str
        File or folder of the sweep.
    folder : str
        Folder of sweeps, where it was opened as one of them; else empty.
    """

    path: str
    folder: str = ""

    @property
    def name(self) -> str:
        """What to call it."""
        return Path(self.path).name or self.path


def recent_sweeps() -> tuple[Recent, ...]:
    """Return what was opened, the latest first; what is gone by now is left out."""
    return tuple(one for one in _read() if Path(one.path).exists())


def remember_opened(path: Path, folder: Path | None = None) -> None:
    """Note that a sweep was opened, alone or as one of a folder; where it cannot, so be it."""
    opened = Recent(str(path.resolve()), str(folder.resolve()) if folder else "")
    others = [one for one in _read() if one.path != opened.path]
    text = json.dumps([asdict(one) for one in (opened, *others)][:MOST], indent=1)
    try:
        write_atomically(_place(), text)
    except OSError:
        logger.warning("what was opened could not be noted")


def _read() -> tuple[Recent, ...]:
    try:
        kept = json.loads(paths.read_small_text(_place()))
        return tuple(Recent(str(one["path"]), str(one["folder"])) for one in kept)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        logger.warning("the list of what was opened is damaged; starting a new one")
        return ()


def _place() -> Path:
    return paths.home() / "recent.json"
