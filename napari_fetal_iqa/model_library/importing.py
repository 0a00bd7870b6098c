"""Take over a checkpoint of the published FetalCLIP-IQA code, as a model of the library."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import fetal_iqa_models
from fetal_iqa_models.cards import Task
from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.model_library.adding import take_in
from napari_fetal_iqa.model_library.library import ModelEntry, ModelLibrary
from napari_fetal_iqa.model_library.soundness import load_whole
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.version import TOOL_VERSION


@dataclass(frozen=True)
class ImportedModel:
    """A checkpoint that became a model.

    Parameters
    ----------
    entry : ModelEntry
    notes : tuple of str
        What its user should know, a line each.
    was_here : bool
        The same model, file by file, was on this machine already; nothing was added.
    """

    entry: ModelEntry
    notes: tuple[str, ...]
    was_here: bool = False


def import_checkpoint(
    library: ModelLibrary,
    checkpoint: Path,
    task: Task,
    *,
    out: Path | None = None,
    encoder: str = "fetalclip",
    alpha: int | None = None,
) -> ImportedModel:
    """Make a model folder of a published checkpoint.

    Imports torch: for commands and processes of their own, never for the window's.

    Parameters
    ----------
    library : ModelLibrary
    checkpoint : Path
        Is read, and left as it is.
    task : "cls" or "seg"
    out : Path, optional
        Folder to make; by default one in the library.
    encoder, alpha
        See :func:`fetal_iqa_models.import_published`.

    Raises
    ------
    ModelError
        Where it is no such checkpoint, or the disk refuses; then nothing was written.
    """
    store = paths.weights()
    found = fetal_iqa_models.import_published(
        checkpoint,
        task,
        encoder=encoder,
        alpha=alpha,
        weights_folder=store,
        tool_version=TOOL_VERSION,
    )
    if out is not None:
        fetal_iqa_models.save_model(found.network, out, found.card)
        try:
            load_whole(out)
        except BaseException as error:
            shutil.rmtree(out, ignore_errors=True)  # ours: it did not exist before
            if isinstance(error, ModelError):
                raise ModelError(str(error).replace(str(out), str(checkpoint))) from error
            raise
        return ImportedModel(library.find(str(out)), found.notes)
    added = take_in(
        library,
        checkpoint,
        lambda new: fetal_iqa_models.save_model(found.network, new, found.card),
        load_whole,
    )
    return ImportedModel(added.entry, found.notes, added.was_here)
