"""``zero-shot``, a CLS model by its name: FetalCLIP in words, made when it is first asked for.

It is a folder among the user's models like any other; only its name is known before it is made.
Looking needs no torch; making does, and belongs to commands and processes of their own.
"""

from pathlib import Path
from typing import TypeVar

import fetal_iqa_models
from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.weights.store import StoredWeights, WeightsStore
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.version import TOOL_VERSION

NAME = "zero-shot"
ENCODER = "fetalclip"
TITLE = "FetalCLIP in words, zero-shot"
_MISSING = f"{NAME}: needs the pretrained weights of {ENCODER}, which are not here; "

NAMES = ", ".join((*BUILT_IN, NAME))
"""Of all models that are known by a name, for the help of commands."""

Reference = TypeVar("Reference", str, Path, str | Path, str | None, str | Path | None)


def folder() -> Path:
    """Return where the model is kept once it is made."""
    return paths.models() / NAME


def located(reference: Reference) -> Reference | str:
    """Return a model's reference as it is; of ``zero-shot`` its folder, whether made or not."""
    return str(folder()) if str(reference) == NAME else reference


def weights_here() -> StoredWeights | None:
    """Return the weights that it is made of, the published ones before others; None without."""
    found = WeightsStore(paths.weights()).entries(ENCODER)
    return found[0] if found else None


def why_not() -> str | None:
    """Say why it is not made and cannot be, for the window; None where nothing is in the way."""
    if folder().exists() or weights_here() is not None:
        return None
    return f"{_MISSING}fetch them first, in the tab of the pretrained weights"


def made(reference: Reference) -> Reference | str:
    """Return a model's reference as it is; of ``zero-shot`` its folder, made where missing.

    Raises
    ------
    ModelError
        Where the weights are not here, or the model cannot be made.
    """
    if str(reference) == NAME and not folder().exists():
        try:
            make(folder())
        except ModelError:
            if not folder().exists():  # else another process was faster
                raise
    return located(reference)


def make(into: Path, prompts: Path | None = None) -> Path:
    """Make a model of words and FetalCLIP's weights; return its folder.

    Parameters
    ----------
    into : Path
        Must not exist yet.
    prompts : Path, optional
        JSON file with classes and their prompts, or a model card; else the usual ones.

    Raises
    ------
    ModelError
        Where the weights are not here, the prompts are none, or the folder exists.
    """
    stored = weights_here()
    if stored is None:
        raise ModelError(
            f"{_MISSING}fetch them first: napari-fetal-iqa weights fetch {ENCODER}",
            f"{_MISSING}fetch them first, in the tab of the pretrained weights",
        )
    classes = {} if prompts is None else {"classes": fetal_iqa_models.read_classes(prompts)}
    return fetal_iqa_models.make_zero_shot(
        into,
        stored.path,
        encoder=ENCODER,
        weights_folder=paths.weights(),
        tool_version=TOOL_VERSION,
        **classes,
    )
