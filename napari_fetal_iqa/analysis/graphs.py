"""The compiled graphs of the models: where they are kept, and how those missing are made."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

import fetal_iqa_models
from fetal_iqa_models.compiled.memory_needed import check_memory
from fetal_iqa_models.registry import encoder_spec
from napari_fetal_iqa.analysis.models import ChosenModel
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.storage import paths

if TYPE_CHECKING:
    from fetal_iqa_models import CompiledModel

_TORCH = 0.7e9
"""Bytes that torch and OpenVINO take by themselves."""
_COPIES = 5.2
"""Of the weights while they are compiled: measured with the full-size tower, 6.9 GB of 1.2 GB."""


def kept_graphs() -> Path:
    """Return the folder of the graphs that were compiled on this machine."""
    return paths.graphs()


def find_graph(model: ChosenModel, partner: ChosenModel | None = None) -> "CompiledModel | None":
    """Return the graph of a model, if one lies ready; or of a CLS model with a SEG partner.

    Raises
    ------
    fetal_iqa_models.ModelError
        Where it is damaged.
    """
    return fetal_iqa_models.find_compiled(
        model.folder,
        kept_graphs(),
        model.reference.encoder_weights,
        partner.folder if partner else None,
    )


def make_graph(
    model: ChosenModel,
    encoder_weights: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
    partner: ChosenModel | None = None,
) -> "CompiledModel":
    """Compile a model, with torch, and keep its graph; one that is there is replaced.

    Parameters
    ----------
    model : ChosenModel
    encoder_weights : Path, optional
        Pretrained weights of the encoder, where the model folder does not hold them.
    say : callable, optional
        Told before how much memory it takes.
    partner : ChosenModel, optional
        SEG model of the same encoder as the CLS model: one graph of both.

    Raises
    ------
    AnalysisError
        Where OpenVINO or torch is not installed.
    fetal_iqa_models.ModelError
        Where the model cannot be loaded or compiled.
    """
    if not installed("openvino"):
        raise AnalysisError("OpenVINO is not installed (pip install openvino)")
    if not installed("torch"):
        raise AnalysisError(
            f"{model.name} is not compiled, which takes torch; compile it where torch is, or "
            "install the whole program"
        )
    say(memory_words(model))
    check_memory(memory_for_compiling(model), f"compiling {model.name}")
    return fetal_iqa_models.compile_model(
        model.folder,
        kept_graphs(),
        given_weights(model, encoder_weights),
        paths.weights(),
        model.reference.encoder_weights,
        partner.folder if partner else None,
    )


def memory_words(model: ChosenModel) -> str:
    """Say how much memory compiling a model takes, and how much is free."""
    needed, free = memory_for_compiling(model) / 1e9, psutil.virtual_memory().available / 1e9
    return f"compiling takes about {needed:.1f} GB of memory; {free:.1f} GB are free"


def memory_for_compiling(model: ChosenModel) -> float:
    """Estimate the bytes of memory that compiling a model takes."""
    held = sum(file.stat().st_size for file in model.folder.glob("*.safetensors"))
    if model.card.encoder_weights != "own":
        source = encoder_spec(model.card.encoder).source
        held += (source.size or 0) if source is not None else 0
    return _TORCH + _COPIES * held


def given_weights(model: ChosenModel, encoder_weights: Path | None) -> Path | None:
    """Return the encoder's weights that were given, where the model folder does not hold them."""
    return None if model.card.encoder_weights == "own" else encoder_weights


def installed(package: str) -> bool:
    """Return whether a package is there, without importing it."""
    return importlib.util.find_spec(package) is not None
