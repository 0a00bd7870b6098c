"""A graph says what torch says, of frames of any size; one that does not is not kept."""

from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from scipy.ndimage import gaussian_filter

from fetal_iqa_models import (
    FrameClassifier,
    FramePredictor,
    FrameSegmenter,
    LoraSettings,
    ModelCard,
    ModelError,
    add_lora,
    load_encoder,
    load_model,
    save_model,
)
from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.compiled import compiling
from fetal_iqa_models.compiled.compiled_predictor import CompiledPredictor
from fetal_iqa_models.compiled.compiling import compile_model
from fetal_iqa_models.compiled.graph_folder import (
    GRAPH_FILE,
    SHIPPED,
    CompiledModel,
    find_compiled,
    find_reduced,
)
from fetal_iqa_models.compiled.splitting import split_at_input
from fetal_iqa_models.making.shipped_graphs import weights_of
from fetal_iqa_models.networks import Network

SHAPES = ((153, 211), (420, 315))


def frames_of(shape: tuple[int, int]) -> np.ndarray:
    """Two frames of speckle, with a bright disc in one."""
    speckle = gaussian_filter(np.random.default_rng(3).rayleigh(60, (2, *shape)), (0, 1, 1))
    rows, columns = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    speckle[1] += 80 * (np.hypot(rows, columns) < 0.6)
    return np.clip(speckle, 0, 255).astype(np.uint8)


def agree(network: Network, compiled: CompiledModel, tolerance: float = 1e-4) -> None:
    for shape in SHAPES:
        agreed(network, compiled, frames_of(shape), tolerance)


def agreed(
    network: Network, compiled: CompiledModel, frames: np.ndarray, tolerance: float = 1e-4
) -> None:
    ours = CompiledPredictor(**{compiled.card.task: compiled})
    named = "classifier" if compiled.card.task == "cls" else "segmenter"
    torchs = FramePredictor(**{named: network}, device="cpu")
    found, expected = next(ours.predict(frames)), next(torchs.predict(frames))
    if compiled.card.task == "cls":
        np.testing.assert_allclose(found.quality, expected.quality, atol=tolerance)
        np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-3, atol=1e-3)
        if expected.plane is None:
            assert found.plane is None
        else:
            np.testing.assert_array_equal(found.plane, expected.plane)
    else:
        np.testing.assert_allclose(found.area_fraction, expected.area_fraction, atol=10 * tolerance)
        assert found.masks.shape == expected.masks.shape == frames.shape
        assert (found.masks != expected.masks).mean() < 1e-3


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_graphs_that_are_shipped_are_those_of_the_models(name: str) -> None:
    compiled = find_compiled(name, encoder_weights=weights_of(name))
    assert compiled is not None, "run: python -m fetal_iqa_models.making.shipped_graphs"
    assert compiled.folder.parent == SHIPPED
    agree(load_model(name), compiled)


def test_no_other_graph_is_shipped(tmp_path: Path) -> None:
    left = {folder.name for folder in SHIPPED.iterdir()}
    for name in BUILT_IN:
        compiled = find_compiled(name, encoder_weights=weights_of(name))
        assert compiled is not None
        left.remove(compiled.folder.name)
        for precision in ("bf16", "int8"):
            reduced = find_reduced(compiled, precision, tmp_path)
            if reduced is not None:
                left.remove(f"{compiled.folder.name}-{precision}")
    assert not left


def saved(network: Network, folder: Path, **more) -> Path:
    card = ModelCard(
        name="untrained",
        task=network.task,
        encoder=network.encoder.spec.name,
        encoder_weights="own",
        image_size=network.encoder.spec.image_size,
        **more,
    )
    save_model(network, folder, card)
    return folder


def untrained(kind: type, encoder: str) -> Network:
    torch.manual_seed(0)
    network = kind(load_encoder(encoder))
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network


@pytest.mark.parametrize("kind", [FrameClassifier, FrameSegmenter])
def test_an_adapter_and_a_temperature_are_in_the_graph(kind: type, tmp_path: Path) -> None:
    network = untrained(kind, "fetalclip-tiny")
    add_lora(network, LoraSettings())
    for name, parameter in network.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    more = {"temperature": 1.7} if network.task == "cls" else {"mask_threshold": 0.4}
    folder = saved(network, tmp_path / "model", lora=network.lora, **more)
    agree(load_model(folder), compile_model(folder, tmp_path / "graphs"))


def test_a_graph_that_does_not_agree_is_not_kept(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "_difference", lambda *_: float("nan"))
    with pytest.raises(ModelError, match="differs from torch by nan"):
        compile_model(tiny_models["cls"], tmp_path / "graphs")
    assert list((tmp_path / "graphs").iterdir()) == []


def test_a_network_that_openvino_does_not_take_is_told(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_) -> None:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(compiling, "converted", refuse)
    with pytest.raises(ModelError, match="OpenVINO cannot take this network"):
        compile_model(tiny_models["cls"], tmp_path / "graphs")


def test_two_processes_may_compile_one_model(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    first = compile_model(tiny_models["cls"], tmp_path / "graphs")
    again = compile_model(tiny_models["cls"], tmp_path / "graphs")
    assert again.folder == first.folder
    assert [folder.name for folder in (tmp_path / "graphs").iterdir()] == [first.folder.name]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_graph_in_two_says_what_the_whole_says(name: str) -> None:
    compiled = find_compiled(name, encoder_weights=weights_of(name))
    assert compiled is not None
    core = openvino.Core()
    graph = compiled.folder / GRAPH_FILE
    whole = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    before, network = (
        core.compile_model(part, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        for part in split_at_input(core.read_model(graph))
    )
    frames = frames_of((90, 120))
    found = network(before(frames)[0])
    for output in whole.outputs:
        np.testing.assert_allclose(found[output.any_name], whole(frames)[output], atol=1e-5)
