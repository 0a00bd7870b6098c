"""What computes, by device and by what is installed; and that it says the same."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fetal_iqa_models
from fetal_iqa_models import ModelError
from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.errors import DeviceError
from napari_fetal_iqa.analysis import Analysis, analyse_sweep, cache, engine, graphs, write_results
from napari_fetal_iqa.analysis.engine import make_predictor
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.storage import paths


def engine_of(cls: object = "demo-cls", seg: object = None, **options) -> str:
    return make_predictor(choose_models(cls, seg), **options).engine


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    there = graphs.installed
    for module in (engine, graphs):
        monkeypatch.setattr(module, "installed", lambda one: one not in packages and there(one))


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graphics card that torch cannot use: its build is for the CPU."""
    monkeypatch.setattr(engine, "may_have_graphics_card", lambda: True)


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_openvino_computes_on_the_cpu(device: str) -> None:
    assert engine_of(device=device) == "openvino"
    assert engine_of(device=device, engine="openvino") == "openvino"
    assert engine_of(device=device, engine="torch") == "torch"


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_models_that_come_with_the_program_are_ready(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "torch")  # which compiling would take
    task = BUILT_IN[name].task
    assert engine_of(*((name, None) if task == "cls" else (None, name))) == "openvino"


@pytest.mark.usefixtures("card")
def test_a_graphics_card_that_torch_cannot_use_is_none() -> None:
    assert engine_of() == "openvino"


@pytest.mark.usefixtures("card")
def test_with_a_graphics_card_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        type = "cuda"

    monkeypatch.setattr(fetal_iqa_models, "choose_device", lambda _: Device)
    monkeypatch.setattr(fetal_iqa_models, "FramePredictor", lambda *_, **given: given["device"])
    assert make_predictor(choose_models("demo-cls", None)) == "auto"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_asked_for_is_not_replaced_by_openvino(device: str) -> None:
    with pytest.raises(DeviceError, match=f"no {device} device"):
        engine_of(device=device)
    with pytest.raises(AnalysisError, match="OpenVINO computes on the CPU"):
        engine_of(device=device, engine="openvino")


def test_without_openvino_torch_computes_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without(monkeypatch, "openvino")
    assert engine_of() == "torch"
    assert "torch computes, which is slower on the CPU: OpenVINO is not installed" in caplog.text
    with pytest.raises(AnalysisError, match="choose --engine torch, or pip install openvino"):
        engine_of(engine="openvino")


def test_a_model_of_the_users_own_is_compiled_once(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine_of(tiny_models["cls"], tiny_models["seg"]) == "openvino"
    without(monkeypatch, "torch")  # which compiling would take
    assert engine_of(tiny_models["cls"], tiny_models["seg"]) == "openvino"


def test_without_torch_a_model_that_is_not_compiled_is_refused(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    without(monkeypatch, "torch")
    with pytest.raises(AnalysisError, match="not compiled, which takes torch"):
        engine_of(tiny_models["cls"])


def test_a_damaged_graph_is_told_and_torch_computes(
    tiny_models: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    assert engine_of(tiny_models["cls"]) == "openvino"
    (graph,) = (tmp_path / "compiled").glob("*/graph.bin")
    graph.write_bytes(b"other")
    assert engine_of(tiny_models["cls"]) == "torch"
    (line,) = caplog.messages
    assert "the compiled graph is damaged; delete this folder" in line
    with pytest.raises(ModelError, match="damaged"):
        engine_of(tiny_models["cls"], engine="openvino")
    shutil.rmtree(tmp_path / "compiled")
    assert engine_of(tiny_models["cls"]) == "openvino"


def test_large_models_are_compiled_where_that_is_asked_for(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    chosen = choose_models(tiny_models["cls"], None)
    of_fetalclip = chosen.cls.card.model_copy(update={"encoder_weights": None})
    monkeypatch.setattr(engine, "_load", lambda *_: fetal_iqa_models.load_model(tiny_models["cls"]))
    object.__setattr__(chosen.cls, "card", of_fetalclip)
    assert make_predictor(chosen).engine == "torch"
    assert make_predictor(chosen, engine="openvino").engine == "openvino"


def test_both_engines_say_the_same_of_a_sweep_and_the_results_say_which(sweep, tmp_path) -> None:
    found = {
        name: analyse_sweep(sweep, "demo-cls", "demo-seg", engine=name, use_cache=False)
        for name in ("torch", "openvino")
    }
    np.testing.assert_allclose(found["openvino"].quality, found["torch"].quality, atol=1e-4)
    np.testing.assert_allclose(found["openvino"].ac_mm, found["torch"].ac_mm, rtol=5e-3)
    np.testing.assert_array_equal(found["openvino"].labels(), found["torch"].labels())
    for name, analysis in found.items():
        assert analysis.setup.engine == name
        write_results(analysis, tmp_path / name)
        assert json.loads((tmp_path / name / "summary.json").read_text())["engine"] == name


def test_what_is_kept_in_less_precision_is_not_the_answer_where_float32_is_asked_for(
    sweep, monkeypatch
) -> None:
    first = analyse_sweep(sweep, "demo-cls", None, engine="openvino")
    monkeypatch.setattr(cache, "load", lambda *_: replace_setup(first, precision="int8"))
    assert analyse_sweep(sweep, "demo-cls", None).setup.precision == "int8"  # kept
    other = analyse_sweep(sweep, "demo-cls", None, precision="float32")
    assert other.setup.precision == "float32"
    monkeypatch.setattr(
        cache, "load", lambda *_: replace_setup(first, precision="bfloat16", engine="torch")
    )
    kept = analyse_sweep(sweep, "demo-cls", None, precision="float32")
    assert kept.setup.precision == "bfloat16"  # torch has no other


def replace_setup(analysis: Analysis, **changes: str) -> Analysis:
    analysis.setup = replace(analysis.setup, **changes)
    return analysis


def test_a_cached_analysis_knows_its_engine_and_is_not_that_of_another(sweep) -> None:
    first = analyse_sweep(sweep, "demo-cls", None, engine="torch")
    assert analyse_sweep(sweep, "demo-cls", None).setup.engine == "torch"  # kept
    other = analyse_sweep(sweep, "demo-cls", None, engine="openvino")
    assert (first.setup.engine, other.setup.engine) == ("torch", "openvino")
