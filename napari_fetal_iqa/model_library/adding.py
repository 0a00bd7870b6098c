"""Take over a model that a colleague sent, or that lies in a folder elsewhere."""

import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fetal_iqa_models.cards import model_hash
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.installation import is_whole
from napari_fetal_iqa.model_library.graphs import keep_received
from napari_fetal_iqa.model_library.library import ModelEntry, ModelLibrary
from napari_fetal_iqa.model_library.packing import unpack_model
from napari_fetal_iqa.model_library.soundness import check_files, lacking

_HIDDEN = ".added-"  # until it is checked and has its name
_DIGITS = 12
_ABANDONED_S = 24 * 3600.0
"""No model takes as long to unpack: what is older was left by a program that was killed."""


@dataclass(frozen=True)
class AddedModel:
    """A model that was taken over.

    Parameters
    ----------
    entry : ModelEntry
    lacking : str or None
        Which pretrained weights it needs before it can be used.
    was_here : bool
        The same model, file by file, was on this machine already; nothing was added.
    """

    entry: ModelEntry
    lacking: str | None
    was_here: bool


def add_model(
    library: ModelLibrary, source: Path, load: Callable[[Path], None] | None = None
) -> AddedModel:
    """Take over a packed model, a zip archive of a model folder, or such a folder.

    Parameters
    ----------
    library : ModelLibrary
    source : Path
        Is read, and left as it is.
    load : callable, optional
        Loads the model of a folder, to find what is wrong with its tensors. It is left out where
        pretrained weights that the model needs are not here yet.

    Returns
    -------
    AddedModel

    Raises
    ------
    ModelError
        Where it is not a model, is damaged, or the disk refuses; then nothing was added.
    """

    def unpack(new: Path) -> None:
        new.mkdir(parents=True)
        if is_whole():  # which compiles it anew, and trusts no other's graph
            unpack_model(source, new)
            return
        with TemporaryDirectory(dir=library.folder, prefix=_HIDDEN) as beside:
            graph = Path(beside) / "graph"
            graph.mkdir()
            unpack_model(source, new, graph)
            keep_received(graph, new)

    return take_in(library, source, unpack, load)


def take_in(
    library: ModelLibrary,
    source: Path,
    write: Callable[[Path], object],
    load: Callable[[Path], None] | None = None,
) -> AddedModel:
    """Have a model folder written in the library, check it, and give it its name.

    Parameters
    ----------
    library : ModelLibrary
    source : Path
        Where the model comes from, for messages.
    write : callable
        Makes the folder that it is given.
    load : callable, optional
        As :func:`add_model` takes it.

    Returns
    -------
    AddedModel

    Raises
    ------
    ModelError
        Where it is not a model, is damaged, or the disk refuses; then nothing was added.
    """
    new = library.folder / f"{_HIDDEN}{uuid.uuid4().hex[:8]}"
    try:
        _clear_abandoned(library.folder)
        library.folder.mkdir(parents=True, exist_ok=True)
        try:
            write(new)
            card = check_files(new)
            lacks = lacking(new, card)
            digest = model_hash(new)
            known = [entry for entry in library.entries() if entry.hash == digest]
            if known:
                return AddedModel(known[0], lacks, was_here=True)
            if load is not None and lacks is None:
                load(new)
        except ModelError as error:  # which may name the folder that is gone in a moment
            raise ModelError(str(error).replace(str(new), str(source))) from error
        folder = library.folder / f"{card.task}-{digest[:_DIGITS]}"
        new.rename(folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(f"{source}: cannot be added to {library.folder} ({reason})") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return AddedModel(library.find(str(folder)), lacks, was_here=False)


def _clear_abandoned(folder: Path) -> None:
    for left in folder.glob(f"{_HIDDEN}*"):
        if time.time() - left.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)
