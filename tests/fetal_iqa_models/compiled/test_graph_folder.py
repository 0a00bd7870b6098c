import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fetal_iqa_models import ModelError
from fetal_iqa_models.cards import model_hash
from fetal_iqa_models.compiled.compiled_predictor import CompiledPredictor
from fetal_iqa_models.compiled.graph_folder import SHIPPED, find_compiled, folder_name


@pytest.fixture
def graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with the graph of demo-cls, which is not shipped here."""
    name = folder_name(model_hash("demo-cls"), None)
    shutil.copytree(SHIPPED / name, tmp_path / "graphs" / name)
    monkeypatch.setattr("fetal_iqa_models.compiled.graph_folder.SHIPPED", tmp_path / "nothing")
    return tmp_path / "graphs"


def folder_of(graphs: Path) -> Path:
    (folder,) = graphs.iterdir()
    return folder


def test_a_graph_is_found_by_the_hash_of_its_model(graphs: Path) -> None:
    assert find_compiled("demo-cls") is None
    found = find_compiled("demo-cls", graphs)
    assert found is not None
    assert found.compiled.model == model_hash("demo-cls")
    assert find_compiled("demo-seg", graphs) is None
    assert find_compiled("demo-cls", graphs, encoder_weights="0" * 64) is None


@pytest.mark.parametrize("change", [{"layout": 2}, {"model": "0" * 64}, {"more": 1}])
def test_a_graph_of_another_layout_or_model_is_none(graphs: Path, change: dict) -> None:
    card = folder_of(graphs) / "compiled.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | change))
    assert find_compiled("demo-cls", graphs) is None


@pytest.mark.parametrize("name", ["graph.xml", "graph.bin"])
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_graph_is_never_used(graphs: Path, name: str, damage: str) -> None:
    file = folder_of(graphs) / name
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-9] if damage == "cut" else content[:-9] + b"x" + content[-8:])
    with pytest.raises(ModelError, match="the compiled graph is damaged; delete this folder"):
        find_compiled("demo-cls", graphs)


def test_a_graph_that_openvino_cannot_read_is_told_in_one_line(graphs: Path) -> None:
    found = find_compiled("demo-cls", graphs)
    (folder_of(graphs) / "graph.xml").write_text("<net>")
    with pytest.raises(ModelError, match="OpenVINO cannot use this graph") as refused:
        CompiledPredictor(cls=found)
    assert "\n" not in str(refused.value)


PREDICT = """
import sys

import numpy as np

from fetal_iqa_models.compiled.compiled_predictor import CompiledPredictor
from fetal_iqa_models.compiled.graph_folder import find_compiled

predictor = CompiledPredictor(find_compiled("demo-cls"), find_compiled("demo-seg"))
batch = next(predictor.predict(np.zeros((3, 90, 120), np.uint8)))
assert batch.masks.shape == (3, 90, 120)
print(*sorted({"torch", "timm", "peft", "torchvision"} & set(sys.modules)))
"""


def test_nothing_of_torch_is_needed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PREDICT], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_results_depend_on_neither_cores_nor_batches() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (7, 120, 160), np.uint8)
    predictor = CompiledPredictor(find_compiled("demo-cls"), find_compiled("demo-seg"), 7)
    (whole,) = predictor.predict(frames)
    predictor.use_cores(half=True)
    again = CompiledPredictor(find_compiled("demo-cls"), find_compiled("demo-seg"), 2)
    for other in (predictor, again):
        parts = list(other.predict(frames, order=range(7)))
        np.testing.assert_array_equal(np.concatenate([part.frames for part in parts]), range(7))
        quality = np.concatenate([part.quality for part in parts])
        np.testing.assert_allclose(quality, whole.quality, atol=1e-5)
        masks = np.concatenate([part.masks for part in parts])
        assert (masks != whole.masks).mean() < 1e-3


def test_without_a_model_there_is_nothing_to_predict() -> None:
    with pytest.raises(ModelError, match="nothing to predict with"):
        CompiledPredictor()
    with pytest.raises(ModelError, match="a batch holds one frame or more"):
        CompiledPredictor(find_compiled("demo-cls"), batch_size=0)


def test_a_batch_that_the_memory_does_not_hold_is_halved(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    predictor = CompiledPredictor(find_compiled("demo-cls"), batch_size=4)
    enough = predictor._predict_batch

    def short(numbers, images, seconds):
        if len(numbers) > 2:
            raise MemoryError
        return enough(numbers, images, seconds)

    monkeypatch.setattr(predictor, "_predict_batch", short)
    frames = np.zeros((5, 40, 40), np.uint8)
    assert [len(batch.frames) for batch in predictor.predict(frames)] == [2, 2, 1]
    assert caplog.messages == ["cpu: out of memory, going on with 2 frames per batch"]
