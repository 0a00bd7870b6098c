"""What the window remembers from one start to the next."""

import getpass
import logging
from typing import Annotated

from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.fields import FormField
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

    reviewer: Annotated[
        str, FormField("Reviewer", "Name under which your corrections are stored.")
    ] = ""
    cls_model: Annotated[
        str,
        FormField(
            "CLS model",
            "CLS model, for the quality: a model folder, or a name: demo-cls, sononet-cls or "
            "zero-shot, for instance; empty for none.",
            folder=True,
            empty="none",
        ),
    ] = "demo-cls"
    seg_model: Annotated[
        str,
        FormField(
            "SEG model",
            "SEG model, for the outline: a model folder, or demo-seg; empty for none.",
            folder=True,
            empty="none",
        ),
    ] = "demo-seg"
    analyse_on_open: Annotated[
        bool,
        FormField("Analyse when a sweep is opened", "Start by itself, without pressing Analyse."),
    ] = True


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


class SettingsFile:
    """The settings in use, and whether changes of them are the user's own to keep.

    Parameters
    ----------
    settings : Settings, optional
        Somebody else's, which are not kept; by default the user's own, as
        :func:`load_settings` reads them.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.own = settings is None
        self.settings = settings or load_settings()
        if not self.settings.reviewer:
            self.keep(self.settings.model_copy(update={"reviewer": suggested_reviewer()}))

    def keep(self, settings: Settings) -> None:
        """Use other settings from now on, and at the next start where they are the user's own."""
        before, self.settings = self.settings, settings
        if not self.own:
            return
        try:
            save_changes(before, settings)
        except OSError:
            logger.warning("the settings could not be saved")
