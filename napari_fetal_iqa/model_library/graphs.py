"""The graphs of models, by which they compute where there is no torch."""

import shutil
from pathlib import Path

import numpy as np

import fetal_iqa_models
from fetal_iqa_models import CompiledModel
from fetal_iqa_models.cards import ModelCard, load_card, model_hash
from fetal_iqa_models.compiled.graph_folder import folder_name
from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.storage import paths

NOT_COMPILED = (
    "is not compiled, which takes torch; where the whole program is, napari-fetal-iqa models pack "
    "writes it with its graph"
)


def weights_of(card: ModelCard) -> str | None:
    """Return the sha256 of the pretrained weights of a model, where its card names some."""
    named = card.encoder_weights
    return None if named is None or named == "own" else named.sha256


def find_graph(reference: Path | str, place: Path | None = None) -> CompiledModel | None:
    """Return the graph of a model: one that is shipped, or lies in a folder of graphs.

    Parameters
    ----------
    reference : path or str
        A model folder, or the name of a shipped model.
    place : Path, optional
        By default where this machine keeps them.

    Raises
    ------
    ModelError
        Where the model or its graph is damaged.
    """
    weights = weights_of(load_card(reference))
    return fetal_iqa_models.find_compiled(reference, place or paths.graphs(), weights)


def check_graph(reference: Path | str, place: Path | None = None) -> CompiledModel:
    """Let the graph of a model compute once.

    Raises
    ------
    ModelError
        Where there is none, or it cannot compute, or gives no probabilities.
    """
    found = find_graph(reference, place)
    if found is None:
        raise ModelError(f"{reference}: {NOT_COMPILED}")
    cls, seg = (found, None) if found.card.task == "cls" else (None, found)
    frames = np.random.default_rng(0).integers(0, 256, (2, 60, 80), np.uint8)
    for batch in fetal_iqa_models.CompiledPredictor(cls, seg).predict(frames):
        told = batch.quality if cls is not None else batch.area_fraction
        if told is None or not ((told >= 0) & (told <= 1)).all():  # nan is no probability either
            raise ModelError(f"{reference}: its graph gives no probabilities; have it packed anew")
    return found


def keep_received(graph: Path, model: Path) -> None:
    """Keep the graph that came with a model, once it has computed; move its folder.

    Parameters
    ----------
    graph : Path
        Its folder, within the one that holds nothing else.
    model : Path
        Folder of the model.

    Raises
    ------
    ModelError
        Where it is not of this model, or of another version, or cannot compute.
    OSError
        Where the disk refuses.
    """
    if not any(graph.iterdir()):
        return
    name = folder_name(model_hash(model), weights_of(load_card(model)))
    found = graph.with_name(name)
    graph.rename(found)
    check_graph(model, found.parent)
    target = paths.graphs() / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    shutil.move(found, target)
