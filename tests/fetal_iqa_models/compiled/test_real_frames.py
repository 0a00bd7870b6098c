"""Every encoder of the registry says as a graph, of real frames, what it says in torch."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetal_iqa_models import FrameClassifier, FrameSegmenter, list_encoders, load_model
from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.compiled.compiling import compile_model
from fetal_iqa_models.compiled.graph_folder import find_compiled
from fetal_iqa_models.making.shipped_graphs import weights_of

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


@pytest.mark.slow  # gigabytes: among them are those of 300 million parameters
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("encoder", list_encoders())
def test_an_encoder_on_real_frames(encoder: str, real_frames: np.ndarray, tmp_path: Path) -> None:
    for kind in (FrameClassifier, FrameSegmenter):
        folder = saved(untrained(kind, encoder), tmp_path / kind.__name__)
        compiled = compile_model(folder, tmp_path / "graphs")
        agreed(load_model(folder), compiled, real_frames[:2], 1e-3)
