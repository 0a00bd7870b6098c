"""A compiled model's folder: the graph, and a card that says of which model it was made."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models.cards import ModelCard, load_card, model_hash, read_small
from fetal_iqa_models.compiled.gate import GateFigures
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.untrusted.regular import open_regular

CARD_FILE = "compiled.json"
GRAPH_FILE = "graph.xml"
WEIGHTS_FILE = "graph.bin"

Precision = Literal["float32", "bf16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


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
    partner : str or None
        Hash of the SEG model whose outlines the same pass gives, where ``model`` is a CLS model of
        the same encoder; of float32 alone.
    precision : "float32", "bf16" or "int8"
        bf16 computes with the float32 graph, so its folder holds this card alone.
    graph, weights : str
        sha256 of the two files.
    made_with : str
        Version of OpenVINO, and of nncf.
    difference : float
        Of float32: largest difference from torch's probabilities on the frames that it was tried
        on. Of the others: nothing, for their gate says it.
    reference : str or None
        sha256 of the float32 graph's weights that a graph of less precision was compared with.
    gate : GateFigures or None
        How far it says what that one says; one that failed is not used.
    kept_float : str
        Which layers of an int8 graph stayed in full precision, in words.
    compared_on : tuple of str
        Identities of the sweeps that calibrated it and that it was compared on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: Literal[1] = 1
    model: str
    encoder_weights: str | None = None
    partner: str | None = None
    precision: Precision = "float32"
    graph: str
    weights: str
    made_with: str
    difference: float = 0.0
    reference: str | None = None
    gate: GateFigures | None = None
    kept_float: str = ""
    compared_on: tuple[str, ...] = ()


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
    partner : ModelCard, optional
        Of the SEG model whose outlines the same pass gives.
    """

    folder: Path
    card: ModelCard
    compiled: CompiledCard
    partner: ModelCard | None = None

    @property
    def precision(self) -> Precision:
        """In which it computes."""
        return self.compiled.precision

    @property
    def weight_bytes(self) -> int:
        """Size of the weights."""
        return (self.folder / WEIGHTS_FILE).stat().st_size


def find_compiled(
    model: Path | str,
    cache: Path | None = None,
    encoder_weights: str | None = None,
    partner: Path | str | None = None,
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
    partner : path or str, optional
        SEG model of the same encoder as the CLS model: the graph of both is looked for.

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
    with_digest = None if partner is None else model_hash(partner)
    name = folder_name(digest, encoder_weights, partner=with_digest)
    damaged = None
    for place in (SHIPPED, cache):
        if place is not None and (place / name / CARD_FILE).is_file():
            try:
                found = _checked(
                    place / name, load_card(model), digest, encoder_weights, with_digest
                )
            except ModelError as error:
                damaged = error  # one that was compiled since is as good
                continue
            if found is not None:
                return found if partner is None else replace(found, partner=load_card(partner))
    if damaged is not None:
        raise damaged
    return None


def find_reduced(
    reference: CompiledModel, precision: Precision, cache: Path
) -> CompiledModel | None:
    """Look for what computes in less precision what a float32 graph computes.

    Parameters
    ----------
    reference : CompiledModel
        The float32 graph.
    precision : "bf16" or "int8"
    cache : Path
        Folder of the graphs that were compiled on this machine.

    Returns
    -------
    CompiledModel or None
        None where there is none that was compared with just this graph and passed the gate.

    Raises
    ------
    ModelError
        Where its graph is damaged; the message names the folder to delete.
    """
    made = reference.compiled
    name = folder_name(made.model, made.encoder_weights, precision)
    for place in (SHIPPED, cache):
        if not (place / name / CARD_FILE).is_file():
            continue
        found = _card(place / name)
        if (
            found is None
            or (found.model, found.encoder_weights) != (made.model, made.encoder_weights)
            or (found.precision, found.reference) != (precision, made.weights)
            or found.gate is None
            or not found.gate.passed
        ):
            continue
        folder = place / name if precision == "int8" else reference.folder
        if precision == "int8":
            _check_files(folder, found)
        elif (found.graph, found.weights) != (made.graph, made.weights):
            continue
        return CompiledModel(folder, reference.card, found)
    return None


SHIPPED = Path(__file__).parent / "shipped"
"""Graphs of the models that come with the package."""


def folder_name(
    digest: str,
    encoder_weights: str | None,
    precision: Precision = "float32",
    partner: str | None = None,
) -> str:
    """Name the folder of a graph by the model's hash, the weights', and the precision."""
    hashes = [part[:16] for part in (digest, encoder_weights) if part]
    if partner is not None:
        hashes += ["with", partner[:16]]
    return "-".join(hashes if precision == "float32" else [*hashes, precision])


def _checked(
    folder: Path,
    card: ModelCard,
    digest: str,
    encoder_weights: str | None,
    partner: str | None,
) -> CompiledModel | None:
    compiled = _card(folder)
    if compiled is None or compiled.precision != "float32":
        return None
    if (compiled.model, compiled.encoder_weights) != (digest, encoder_weights):
        return None
    if compiled.partner != partner:
        return None
    _check_files(folder, compiled)
    return CompiledModel(folder, card, compiled)


def _card(folder: Path) -> CompiledCard | None:
    try:
        return CompiledCard.model_validate_json(read_small(folder / CARD_FILE))
    except ValidationError:
        return None  # of another version, or damaged: it is compiled anew, over this one


def _check_files(folder: Path, compiled: CompiledCard) -> None:
    for name, expected in ((GRAPH_FILE, compiled.graph), (WEIGHTS_FILE, compiled.weights)):
        if sha256_of(folder / name) != expected:
            raise ModelError(f"{folder}: the compiled graph is damaged; delete this folder")


def sha256_of(path: Path) -> str | None:
    """Return the sha256 of a file; None where it cannot be read."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
