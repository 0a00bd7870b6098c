"""What computes the networks: OpenVINO on the CPU, without torch, or torch."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import fetal_iqa_models
from fetal_iqa_models.batchwise import BatchwisePredictor
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.graphics_card import may_have_graphics_card
from fetal_iqa_models.installation import only_in_whole
from fetal_iqa_models.shared_encoder import folders_share_encoder
from napari_fetal_iqa.analysis.graphs import find_graph, given_weights, installed, make_graph
from napari_fetal_iqa.analysis.models import ChosenModel, ChosenModels
from napari_fetal_iqa.analysis.precisions import AskedPrecision, in_precision, time_in_background
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.storage import paths

if TYPE_CHECKING:
    from fetal_iqa_models import CompiledModel

logger = logging.getLogger(__name__)

Engine = Literal["auto", "torch", "openvino"]
"""``auto``: torch with a graphics card, else OpenVINO where it is there and the models fit it."""


def make_predictor(
    chosen: ChosenModels,
    device: str = "auto",
    batch_size: int | None = None,
    encoder_weights: Path | None = None,
    engine: Engine = "auto",
    precision: AskedPrecision = "auto",
) -> BatchwisePredictor:
    """Load the models into an engine.

    Parameters
    ----------
    chosen : ChosenModels
    device : "auto", "cuda", "mps" or "cpu"
    batch_size : int, optional
        Found by itself by default.
    encoder_weights : Path, optional
        Pretrained weights of the encoder, where the model folders do not hold them.
    engine : "auto", "torch" or "openvino"
        By itself it compiles small models on the way, with torch, once on this machine; a model
        on FetalCLIP's own weights, whose graph takes 1.2 GB, only where OpenVINO is asked for.
    precision : "auto", "float32", "bf16" or "int8"
        Of OpenVINO's arithmetic; see :mod:`napari_fetal_iqa.analysis.precisions`.

    Raises
    ------
    AnalysisError
        Where OpenVINO is asked for and cannot serve.
    fetal_iqa_models.ModelError
        Where a model cannot be loaded or compiled, or the device is not there.
    """
    if engine == "openvino":
        if device in ("cuda", "mps"):
            raise AnalysisError(f"OpenVINO computes on the CPU: choose no device, not {device}")
        if not installed("openvino"):
            raise AnalysisError(
                "OpenVINO is not installed: choose --engine torch, or pip install openvino",
                "OpenVINO is not installed: choose another engine, or pip install openvino",
            )
        return _compiled_predictor(chosen, batch_size, encoder_weights, True, precision)
    if engine == "auto" and not _on_a_graphics_card(device):
        try:
            return _compiled_predictor(chosen, batch_size, encoder_weights, False, precision)
        except (ModelError, AnalysisError, OSError, MemoryError, ImportError) as error:
            if not installed("torch"):
                raise
            logger.warning("torch computes, which is slower on the CPU: %s", error)
    if precision in ("bf16", "int8"):
        raise AnalysisError(
            f"torch computes here, and --precision {precision} takes OpenVINO; leave it out, or "
            "choose --engine openvino"
        )
    return fetal_iqa_models.FramePredictor(
        _load(chosen.cls, encoder_weights),
        _load(chosen.seg, encoder_weights),
        device=device,
        batch_size=batch_size,
    )


def _on_a_graphics_card(device: str) -> bool:
    if device != "auto":
        return device != "cpu"
    if not may_have_graphics_card():
        return False
    if not installed("torch"):
        logger.warning("%s", only_in_whole("the graphics card computes with"))
        return False
    return fetal_iqa_models.choose_device("auto").type != "cpu"


def _compiled_predictor(
    chosen: ChosenModels,
    batch_size: int | None,
    encoder_weights: Path | None,
    large: bool,
    precision: AskedPrecision,
) -> BatchwisePredictor:
    if not installed("openvino"):
        raise AnalysisError("OpenVINO is not installed (pip install openvino)")
    both = _of_both(chosen, encoder_weights, large, precision)
    if both is not None:
        return fetal_iqa_models.CompiledPredictor(
            batch_size=batch_size, cache=paths.cache() / "openvino", both=both
        )
    graphs = {
        model.card.task: _compiled(model, encoder_weights, large)
        for model in (chosen.cls, chosen.seg)
        if model is not None
    }
    used = {task: in_precision(graph, precision) for task, graph in graphs.items()}
    predictor = fetal_iqa_models.CompiledPredictor(
        used.get("cls"), used.get("seg"), batch_size, paths.cache() / "openvino"
    )
    if precision == "auto":
        time_in_background(list(graphs.values()))
    return predictor


def _of_both(
    chosen: ChosenModels, encoder_weights: Path | None, large: bool, precision: AskedPrecision
) -> "CompiledModel | None":
    """Return one graph of both models where they have one encoder; None where two serve better.

    They do where less precision was tried and is faster: the graph of both is of float32.
    """
    cls, seg = chosen.cls, chosen.seg
    if cls is None or seg is None or precision in ("bf16", "int8"):
        return None
    if not folders_share_encoder(cls.folder, seg.folder):
        return None
    for model in (cls, seg) if precision == "auto" else ():
        single = find_graph(model)
        if single is not None and in_precision(single, precision).precision != "float32":
            return None
    found = find_graph(cls, seg)
    if found is not None or (not large and cls.card.encoder_weights != "own"):
        return found
    if not installed("torch"):
        return None
    return make_graph(cls, encoder_weights, partner=seg)


def _compiled(model: ChosenModel, encoder_weights: Path | None, large: bool) -> "CompiledModel":
    """Return the graph of a model; compile it where none lies ready."""
    found = find_graph(model)
    if found is not None:
        return found
    if not large and model.card.encoder_weights != "own":
        raise AnalysisError(
            f"{model.name} is not compiled; napari-fetal-iqa models compile {model.name} does it"
        )
    return make_graph(model, encoder_weights)


def _load(model: ChosenModel | None, encoder_weights: Path | None) -> Any:
    """Load the network, a FrameClassifier or FrameSegmenter by its task."""
    if model is None:
        return None
    given = given_weights(model, encoder_weights)
    return fetal_iqa_models.load_model(model.folder, given, weights_folder=paths.weights())
