"""What the window remembers from one start to the next."""

import getpass
import json
import logging
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.fields import FormField
from napari_fetal_iqa.storage import paths

logger = logging.getLogger(__name__)

AUTOMATIC = "automatic"
"""In place of a model: the built-in one that suits the sweep, another for phantoms."""

_LAYOUT = "layout"
"""Of the file; 2 since "automatic". Files before it have none, and name the demo models wherever
none was chosen, for the first start wrote all fields."""


def _or_auto(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Return "auto" for a choice that this version does not know: the rest is still meant."""
    try:
        return validate(value)
    except ValidationError:
        return "auto"


class Settings(BaseModel):
    """Choices of the person at this machine.

    Parameters
    ----------
    reviewer : str
        Name under which corrections are stored.
    cls_model, seg_model : str
        Model folders, or the names of built-in models; empty for none; :data:`AUTOMATIC` for those
        that suit the sweep.
    engine : "auto", "torch" or "openvino"
        What computes the analysis; a value that a newer version wrote is "auto" here.
    precision : "auto" or "float32"
        In which OpenVINO computes; as of the engine.
    analyse_on_open : bool
        Start the analysis by itself when a sweep is opened.
    outline_all : bool
        Outline every frame, also those whose quality leaves no chance.
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
            "zero-shot, for instance; automatic for the one that suits each sweep; empty for none.",
            folder=True,
            empty="none",
        ),
    ] = AUTOMATIC
    seg_model: Annotated[
        str,
        FormField(
            "SEG model",
            "SEG model, for the outline: a model folder, or a name: demo-seg, for instance; "
            "automatic for the one that suits each sweep; empty for none.",
            folder=True,
            empty="none",
        ),
    ] = AUTOMATIC
    engine: Annotated[
        Annotated[Literal["auto", "torch", "openvino"], WrapValidator(_or_auto)],
        FormField(
            "Engine",
            "What computes the analysis; which one did is named beside the models.",
            choices={
                "auto": ("automatic", "torch on a graphics card, else OpenVINO"),
                "torch": ("torch", "also without a graphics card, where it is slower"),
                "openvino": ("OpenVINO", "on the CPU, also where there is a graphics card"),
            },
        ),
    ] = "auto"
    precision: Annotated[
        Annotated[Literal["auto", "float32"], WrapValidator(_or_auto)],
        FormField(
            "Precision",
            "Numbers that OpenVINO computes with. Fewer digits are taken only where they agreed "
            "with float32 on other frames; which it was is in the results.",
            choices={
                "auto": ("automatic", "the fastest on this processor that agreed with float32"),
                "float32": ("float32", "full precision, also where less is faster"),
            },
        ),
    ] = "auto"
    analyse_on_open: Annotated[
        bool,
        FormField("Analyse when a sweep is opened", "Start by itself, without pressing Analyse."),
    ] = True
    outline_all: Annotated[
        bool,
        FormField(
            "Outline every frame",
            "Outline also the frames whose quality leaves no chance of an abdomen, which takes "
            "longer. Without it such a frame is outlined when you open it.",
        ),
    ] = False

    @property
    def cascade_by(self) -> Literal["auto", "off"]:
        """Which frames the analysis outlines, in the words of ``analyse --cascade``."""
        return "off" if self.outline_all else "auto"


def load_settings() -> Settings:
    """Read the settings; defaults, with a warning, where they cannot be read."""
    path = paths.home() / "settings.json"
    try:
        return Settings.model_validate(_as_meant(json.loads(path.read_text(encoding="utf-8"))))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, RecursionError):  # ValidationError is a ValueError
        logger.warning("the settings cannot be read; using defaults")
        return Settings()


def _as_meant(written: Any) -> Any:
    """Return the fields of a file; one before "automatic" named demo models that nobody chose.

    Whether somebody went back to a demo model there cannot be told any more: that is chosen again.
    """
    if isinstance(written, dict) and _LAYOUT not in written:
        unchosen = {"cls_model": "demo-cls", "seg_model": "demo-seg"}
        return {
            name: AUTOMATIC if unchosen.get(name) == value else value
            for name, value in written.items()
        }
    return written


def save_settings(settings: Settings) -> None:
    """Keep the settings for the next start."""
    written = {_LAYOUT: 2, **settings.model_dump(mode="json")}
    write_atomically(paths.home() / "settings.json", json.dumps(written, indent=1))


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
