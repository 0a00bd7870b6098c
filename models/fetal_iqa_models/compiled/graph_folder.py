"""A compiled model's folder: the graph, and a card that says of which model it was made."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models.cards import ModelCard, load_card, model_hash, read_small
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.untrusted.regular import open_regular

CARD_FILE = "compiled.json"
GRAPH_FILE = "graph.xml"
WEIGHTS_FILE = "graph.bin"


class CompiledCard(BaseModel):
    """What a compiled graph is, and how it was seen to agree with torch.

    Parameters
    ----------
    layout : int
        Of the folder and of the graph's inputs and outputs: another one is compiled anew.
    model : str
        Hash of the model folder.
    encoder_weights : str or None
        sha256 of the encoder's pretrained weights, where the folder does not hold them.
    precision : "float32"
    graph, weights : str
        sha256 of the two files.
    made_with : str
        Version of OpenVINO.
    difference : float
        Largest difference from torch's probabilities on the frames that it was tried on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: Literal[1] = 1
    model: str
    encoder_weights: str | None = None
    precision: Literal["float32"] = "float32"
    graph: str
    weights: str
    made_with: str
    difference: float


@dataclass(frozen=True)
class CompiledModel:
    """A model whose graph lies ready.

    Parameters
    ----------
    folder : Path
        Of the graph.
    card : ModelCard
        Of the model.
    compiled : CompiledCard
    """

    folder: Path
    card: ModelCard
    compiled: CompiledCard


def find_compiled(
    model: Path | str, cache: Path | None = None, encoder_weights: str | None = None
) -> CompiledModel | None:
    """Look for the graph of a model: beside the shipped ones, then in the cache.

    Parameters
    ----------
    model : path or str
        Model folder, or the name of a shipped one.
    cache : Path, optional
        Folder of the graphs that were compiled on this machine.
    encoder_weights : str, optional
        sha256 of the encoder's weights, where the model folder does not hold them.

    Returns
    -------
    CompiledModel or None
        None where there is none of just this model and these weights.

    Raises
    ------
    ModelError
        Where there is one, but damaged; the message names the folder to delete.
    """
    digest = model_hash(model)
    name = folder_name(digest, encoder_weights)
    damaged = None
    for place in (SHIPPED, cache):
        if place is not None and (place / name / CARD_FILE).is_file():
            try:
                found = _checked(place / name, load_card(model), digest, encoder_weights)
            except ModelError as error:
                damaged = error  # one that was compiled since is as good
                continue
            if found is not None:
                return found
    if damaged is not None:
        raise damaged
    return None


SHIPPED = Path(__file__).parent / "shipped"
"""Graphs of the models that come with the package."""


def folder_name(digest: str, encoder_weights: str | None) -> str:
    """Name the folder of a graph by the model's hash and the weights'."""
    return "-".join(part[:16] for part in (digest, encoder_weights) if part)


def _checked(
    folder: Path, card: ModelCard, digest: str, encoder_weights: str | None
) -> CompiledModel | None:
    try:
        compiled = CompiledCard.model_validate_json(read_small(folder / CARD_FILE))
    except ValidationError:
        return None  # of another version, or damaged: it is compiled anew, over this one
    if (compiled.model, compiled.encoder_weights) != (digest, encoder_weights):
        return None
    for name, expected in ((GRAPH_FILE, compiled.graph), (WEIGHTS_FILE, compiled.weights)):
        if _sha256(folder / name) != expected:
            raise ModelError(f"{folder}: the compiled graph is damaged; delete this folder")
    return CompiledModel(folder, card, compiled)


def _sha256(path: Path) -> str | None:
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
