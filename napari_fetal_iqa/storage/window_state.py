"""How the window was left: which sections of the panel were open, and which docks were."""

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
    worklist_closed : bool
        Whether somebody closed it since a folder was opened.
    timeline_closed : bool
        Whether somebody closed it and did not show it again.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    open_sections: frozenset[str] = frozenset()
    worklist_closed: bool = False
    timeline_closed: bool = False


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
    before = load()
    sections = before.open_sections | {title} if is_open else before.open_sections - {title}
    _keep(before.model_copy(update={"open_sections": sections}))


def keep_worklist(closed: bool) -> None:
    """Note whether the worklist is closed; where it cannot, so be it."""
    before = load()
    if before.worklist_closed != closed:
        _keep(before.model_copy(update={"worklist_closed": closed}))


def keep_timeline(closed: bool) -> None:
    """Note whether the timeline is closed; where it cannot, so be it."""
    before = load()
    if before.timeline_closed != closed:
        _keep(before.model_copy(update={"timeline_closed": closed}))


def _keep(state: WindowState) -> None:
    try:
        write_atomically(_place(), state.model_dump_json())
    except OSError:
        logger.warning("how the window is left could not be noted")


def _place() -> Path:
    return paths.home() / "window.json"
