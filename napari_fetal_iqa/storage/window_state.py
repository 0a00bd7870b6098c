"""How the window was left: which sections of the panel were open."""

import logging
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.storage import paths

logger = logging.getLogger(__name__)


class WindowState(BaseModel):
    """What is found again at the next start.

    Parameters
    ----------
    open_sections : frozenset of str
        By their titles.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    open_sections: frozenset[str] = frozenset()


def load() -> WindowState:
    """Read how the window was left; as at first where that cannot be read."""
    try:
        return WindowState.model_validate_json(paths.read_small_text(_place()))
    except FileNotFoundError:
        return WindowState()
    except (OSError, ValueError, ValidationError):
        logger.warning("how the window was left cannot be read; it begins as at first")
        return WindowState()


def keep_section(title: str, is_open: bool) -> None:
    """Note whether a section is open; where it cannot, so be it."""
    sections = load().open_sections
    sections = sections | {title} if is_open else sections - {title}
    try:
        write_atomically(_place(), WindowState(open_sections=sections).model_dump_json())
    except OSError:
        logger.warning("how the window is left could not be noted")


def _place() -> Path:
    return paths.home() / "window.json"
