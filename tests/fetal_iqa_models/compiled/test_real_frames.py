"""Every encoder of the registry says as a graph, of real frames, what it says in torch."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.modules.batchnorm import _BatchNorm

from fetal_iqa_models import (
    FrameClassifier,
    FrameSegmenter,
    list_encoders,
    load_model,
    preprocess,
)
from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.compiled.compiling import compile_model
from fetal_iqa_models.compiled.graph_folder import find_compiled
from fetal_iqa_models.making.shipped_graphs import weights_of
from fetal_iqa_models.networks import Network

from .test_compiling import agreed, saved, untrained

_PLANES = ("Fetal abdomen", "Fetal brain", "Fetal femur", "Fetal thorax")


@pytest.fixture(scope="module")
def real_frames(real_data: Path) -> np.ndarray:
    """One standard plane of each kind, from hospital scanners, (4, 640, 640)."""
    folder = real_data / "fetal_planes_640"
    with (folder / "annotations.csv").open(newline="") as file:
        rows = {row["plane"]: row["file"] for row in csv.DictReader(file)}
    return np.stack(
        [np.asarray(Image.open(folder / "images" / rows[plane]).convert("L")) for plane in _PLANES]
    )


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_bundled_model_on_real_frames(name: str, real_frames: np.ndarray) -> None:
    compiled = find_compiled(name, encoder_weights=weights_of(name))
    assert compiled is not None
    agreed(load_model(name), compiled, real_frames)


def settle(network: Network, frames: np.ndarray) -> None:
    """Let batch norms know what comes to them, as training leaves them.

    At random an EfficientNet's logits are 2,000, of which float32 itself has three digits: torch in
    single precision is 7 away from torch in double.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    for layer in layers:
        layer.momentum = 1.0
        layer.train()
    spec = network.encoder.spec
    with torch.inference_mode():
        network(preprocess(frames, spec.image_size, spec.mean, spec.std))
    for layer in layers:
        layer.eval()


@pytest.mark.slow  # gigabytes: among them are those of 300 million parameters
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("encoder", list_encoders())
def test_an_encoder_on_real_frames(encoder: str, real_frames: np.ndarray, tmp_path: Path) -> None:
    for kind in (FrameClassifier, FrameSegmenter):
        network = untrained(kind, encoder)
        settle(network, real_frames)
        folder = saved(network, tmp_path / kind.__name__)
        compiled = compile_model(folder, tmp_path / "graphs")
        agreed(load_model(folder), compiled, real_frames[:2], 1e-3)
