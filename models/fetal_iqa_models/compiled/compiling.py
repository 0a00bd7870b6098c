"""Compile a model: convert its network, try the graph beside torch, and keep it; needs torch."""

import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_models.batchwise import BatchwisePredictor
from fetal_iqa_models.cards import model_hash
from fetal_iqa_models.compiled.compiled_predictor import CompiledPredictor
from fetal_iqa_models.compiled.graph_folder import (
    CARD_FILE,
    GRAPH_FILE,
    WEIGHTS_FILE,
    CompiledCard,
    CompiledModel,
    folder_name,
)
from fetal_iqa_models.compiled.whole_graph import WholeGraph, converted
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.folders import load_model
from fetal_iqa_models.networks import FrameClassifier, FrameSegmenter, Network, share_encoder
from fetal_iqa_models.predictor import FramePredictor

LARGEST_DIFFERENCE = 1e-3
"""Between a graph's probabilities and torch's; what differs more is not kept."""

_SHAPES = ((120, 160), (301, 207))
"""Of the frames that graphs are tried on: wider and higher than long, even and odd."""


def compile_model(
    model: Path | str,
    folder: Path,
    encoder_weights: Path | None = None,
    weights_folder: Path | None = None,
    weights_sha256: str | None = None,
    partner: Path | str | None = None,
) -> CompiledModel:
    """Compile a model for OpenVINO, in single precision.

    Parameters
    ----------
    model : path or str
        Model folder, or the name of a shipped one.
    folder : Path
        Where graphs are kept, each in a folder of its own.
    encoder_weights, weights_folder : Path, optional
        As :func:`~fetal_iqa_models.load_model` takes them.
    weights_sha256 : str, optional
        Of the encoder's weights, where the model folder does not hold them.
    partner : path or str, optional
        SEG model of the same encoder as the CLS model: one graph gives what both say.

    Returns
    -------
    CompiledModel

    Raises
    ------
    ModelError
        Where the model cannot be loaded or converted, or its graph does not agree with torch.
    OSError
        Where the disk refuses.
    """
    import openvino

    network = load_model(model, encoder_weights, weights_folder=weights_folder)
    segmenter = None
    if partner is not None:
        other = load_model(partner, encoder_weights, weights_folder=weights_folder)
        segmenter = _of_one_encoder(network, other, f"{model} and {partner}")
    digest = model_hash(model)
    with_digest = None if partner is None else model_hash(partner)
    target = folder / folder_name(digest, weights_sha256, partner=with_digest)
    try:
        graph = converted(WholeGraph(network, segmenter))
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"{model}: OpenVINO cannot take this network ({error})") from error
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
        made = Path(new)
        openvino.save_model(graph, made / GRAPH_FILE, compress_to_fp16=False)
        del graph  # a large model's weights are many copies otherwise
        sums = {name: _sha256(made / name) for name in (GRAPH_FILE, WEIGHTS_FILE)}
        card = CompiledCard(
            model=digest,
            encoder_weights=weights_sha256,
            partner=with_digest,
            graph=sums[GRAPH_FILE],
            weights=sums[WEIGHTS_FILE],
            made_with=openvino.__version__,
            difference=0.0,
        )
        assert network.card is not None
        their_card = None if segmenter is None else segmenter.card
        tried = CompiledModel(made, network.card, card, their_card)
        difference = _difference(network, segmenter, tried)
        if not difference <= LARGEST_DIFFERENCE:  # nan is none either
            raise ModelError(f"{model}: its compiled graph differs from torch by {difference:.2g}")
        card = card.model_copy(update={"difference": difference})
        write_atomically(made / CARD_FILE, card.model_dump_json(indent=1))
        shutil.rmtree(target, ignore_errors=True)
        try:
            made.rename(target)
        except OSError:  # another process was as quick
            if not (target / CARD_FILE).is_file():
                raise
        else:
            made.mkdir()  # for the temporary folder to end
    return CompiledModel(target, network.card, card, their_card)


def _of_one_encoder(network: Network, other: Network, named: str) -> FrameSegmenter:
    if (
        isinstance(network, FrameClassifier)
        and isinstance(other, FrameSegmenter)
        and share_encoder(network, other)
    ):
        return other
    raise ModelError(f"{named}: have no encoder in common")


def _difference(
    network: Network, segmenter: FrameSegmenter | None, compiled: CompiledModel
) -> float:
    """Largest difference of probabilities and areas from torch's."""
    if isinstance(network, FrameClassifier) and segmenter is not None:
        both = FramePredictor(network, segmenter, device="cpu")
        ours_of_both = CompiledPredictor(both=compiled)
        return max(
            float(np.abs(_told(ours_of_both, name) - _told(both, name)).max())
            for name in ("quality", "area_fraction")
        )
    # one after the other, so that the weights of both are never in memory at a time
    if isinstance(network, FrameClassifier):
        torchs = _told(FramePredictor(classifier=network, device="cpu"), "quality")
        ours = _told(CompiledPredictor(cls=compiled), "quality")
    else:
        torchs = _told(FramePredictor(segmenter=network, device="cpu"), "area_fraction")
        ours = _told(CompiledPredictor(seg=compiled), "area_fraction")
    return float(np.abs(ours - torchs).max())


def _told(predictor: BatchwisePredictor, name: str) -> NDArray[np.float32]:
    batches = (batch for shape in _SHAPES for batch in predictor.predict(example_frames(shape)))
    return np.concatenate([getattr(batch, name) for batch in batches])


def example_frames(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Frames that graphs are tried on, (4, H, W): black, speckle, and bright ellipses in speckle.

    None is all white, where torch itself is far from double precision.
    """
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[-0.5 : 0.5 : shape[0] * 1j, -0.5 : 0.5 : shape[1] * 1j]
    speckle = rng.rayleigh(30, shape)
    frames = [np.zeros(shape), speckle]
    for size in (0.2, 0.35):
        frames.append(speckle * (1 + 2 * (np.hypot(rows, 0.8 * columns) < size)))
    return np.clip(frames, 0, 255).astype(np.uint8)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
