"""What the window remembers from one start to the next."""

import getpass
import logging

from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.storage import paths

logger = logging.getLogger(__name__)


class Settings(BaseModel):
    """Choices of the person at this machine.

    Parameters
    ----------
    reviewer : str
        Name under which corrections are stored.
    cls_model, seg_model : str
        Model folders, or the names of built-in models; empty for none.
    analyse_on_open : bool
        Start the analysis by itself when a sweep is opened.
    """

    # ignored: what a newer version may have written beside
    model_config = ConfigDict(frozen=True, extra="ignore")

    reviewer: str = ""
    cls_model: str = "demo-cls"
    seg_model: str = "demo-seg"
    analyse_on_open: bool = True


def load_settings() -> Settings:
    """Read the settings; defaults, with a warning, where they cannot be read."""
    path = paths.home() / "settings.json"
    try:
        return Settings.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValidationError):
        logger.warning("the settings cannot be read; using defaults")
        return Settings()


def save_settings(settings: Settings) -> None:
    """Keep the settings for the next start."""
    write_atomically(paths.home() / "settings.json", settings.model_dump_json(indent=1))


def save_changes(before: Settings, after: Settings) -> None:
    """Keep what was changed, and leave the rest as another program may have set it since."""
    changed = {name: value for name, value in after if value != getattr(before, name)}
    save_settings(load_settings().model_copy(update=changed))


def suggested_reviewer() -> str:
    """Name to propose where no reviewer was given yet: that of the account."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "reviewer"
