"""Which precision computes: what passed the gate and is fastest here; float32 until then."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest

from fetal_iqa_models import ModelError, find_compiled
from fetal_iqa_models.compiled import compiled_predictor, graph_folder, memory_needed, timing
from fetal_iqa_models.compiled.gate import GateFigures
from fetal_iqa_models.compiled.graph_folder import GRAPH_FILE, CompiledModel
from napari_fetal_iqa.analysis import engine, precisions, reduced_precision
from napari_fetal_iqa.analysis.engine import make_predictor
from napari_fetal_iqa.analysis.models import choose_models
from napari_fetal_iqa.analysis.reduced_precision import make_reduced, split_frames
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.storage import paths

FRAMES = 300


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Graphs and timings of this test alone, on a processor that has bf16."""
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    monkeypatch.setattr(timing, "has_bf16", lambda: True)
    monkeypatch.setattr(reduced_precision, "has_bf16", lambda: True)
    monkeypatch.setattr(precisions, "_FIRST_S", 0.0)
    return tmp_path / "compiled"


@pytest.fixture
def reference() -> CompiledModel:
    found = find_compiled("demo-cls")
    assert found is not None
    return found


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch):
    """Has graphs say what a test wants: float32 first, then one trial after the other."""

    def tell(*shifts: float) -> None:
        values = np.linspace(0, 1, FRAMES, dtype=np.float32)
        told = iter([values, *(np.clip(values + shift, 0, 1) for shift in shifts)])
        monkeypatch.setattr(
            reduced_precision,
            "_told",
            lambda *_: reduced_precision._Told(next(told), [], np.full(FRAMES, np.nan)),
        )
        monkeypatch.setattr(
            reduced_precision,
            "quantised",
            lambda graph, frames, rung: openvino.Core().read_model(graph),
        )
        monkeypatch.setattr(reduced_precision, "version", lambda package: "1.0")

    return tell


def precision_of(asked: str = "auto") -> str:
    return make_predictor(choose_models("demo-cls", None), precision=asked).precision


def test_what_fails_the_gate_keeps_more_layers_in_full_precision(
    reference, sweep, cache, tell
) -> None:
    tell(0.1, 0.1, 0.0)
    lines: list[str] = []
    made = make_reduced(reference, "int8", [sweep, sweep], cache, lines.append)
    assert made is not None
    assert made.compiled.kept_float == "the first and the last"
    assert [line for line in lines if "failed" in line][1].startswith("int8 failed: label agree")
    (found,) = precisions.candidates_of(reference)[-1:]
    assert found.compiled == made.compiled
    assert found.compiled.gate is not None
    assert found.compiled.gate.frames == FRAMES
    assert precision_of("int8") == "int8"


def test_where_nothing_passes_float32_stays(reference, sweep, cache, tell, caplog) -> None:
    tell(*[0.1] * len(reduced_precision.RUNGS))
    assert make_reduced(reference, "int8", [sweep, sweep], cache) is None
    assert list(cache.iterdir()) == []
    assert precision_of("int8") == "float32"
    assert caplog.text.count("there is no int8 of it that passed the gate") == 1


def test_bf16_keeps_figures_alone_and_computes_with_the_float32_graph(
    reference, sweep, cache, tell
) -> None:
    tell(0.1)
    assert make_reduced(reference, "bf16", [sweep, sweep], cache) is None
    tell(0.0)
    made = make_reduced(reference, "bf16", [sweep, sweep], cache)
    assert made is not None
    assert made.folder == reference.folder
    assert [file.name for file in cache.glob("*/*")] == ["compiled.json"]
    assert precision_of("bf16") == "bf16"


def test_without_bf16_in_the_processor_it_is_no_candidate(
    reference, sweep, cache, tell, monkeypatch
) -> None:
    tell(0.0)
    make_reduced(reference, "bf16", [sweep, sweep], cache)
    monkeypatch.setattr(timing, "has_bf16", lambda: False)
    monkeypatch.setattr(reduced_precision, "has_bf16", lambda: False)
    assert precisions.candidates_of(reference) == [reference]
    with pytest.raises(AnalysisError, match="does not compute in bf16"):
        make_reduced(reference, "bf16", [sweep, sweep], cache)


@pytest.mark.parametrize("what", ["figures", "reference", "model", "no gate", "words"])
def test_figures_that_do_not_fit_are_not_believed(what: str, reference, sweep, cache, tell) -> None:
    tell(0.0)
    made = make_reduced(reference, "bf16", [sweep, sweep], cache)
    assert made is not None
    assert made.compiled.gate is not None
    other = {
        "figures": {"gate": made.compiled.gate.model_copy(update={"label_agreement": 0.9})},
        "reference": {"reference": "0" * 64},
        "model": {"model": "0" * 64},
        "no gate": {"gate": None},
        "words": {"made_with": "0" * 2**20},
    }[what]
    (card,) = cache.glob("*-bf16/compiled.json")
    card.write_text(made.compiled.model_copy(update=other).model_dump_json())
    assert precisions.candidates_of(reference) == [reference]
    assert precision_of() == "float32"


def test_a_damaged_int8_graph_is_told_and_float32_computes(
    reference, sweep, cache, tell, caplog
) -> None:
    tell(0.0)
    made = make_reduced(reference, "int8", [sweep, sweep], cache)
    assert made is not None
    (made.folder / GRAPH_FILE).write_text("<net")
    assert precision_of() == "float32"
    assert "the compiled graph is damaged; delete this folder" in caplog.messages[0]


def test_the_fastest_is_measured_once_and_counts_from_then_on(
    reference, sweep, cache, tell, monkeypatch, caplog
) -> None:
    tell(0.0)
    make_reduced(reference, "bf16", [sweep, sweep], cache)
    monkeypatch.setattr(timing, "SECONDS", 0.01)
    candidates = precisions.candidates_of(reference)
    assert timing.kept_timing(candidates, precisions.timings()) is None
    assert precision_of() == "float32"  # until it is known
    thread = precisions.time_in_background([reference])
    if thread is not None:
        thread.join()
    measured = timing.kept_timing(candidates, precisions.timings())
    assert measured is not None
    assert measured.frames_a_second.keys() == {"float32", "bf16"}
    assert all(rate > 0 for rate in measured.frames_a_second.values())
    assert precisions.time_in_background([reference]) is None
    assert precision_of() == measured.fastest
    assert precision_of("float32") == "float32"
    # on another processor, or of another graph, it says nothing
    monkeypatch.setattr(timing, "processor", lambda: "another")
    assert timing.kept_timing(candidates, precisions.timings()) is None


def test_the_faster_one_is_taken(reference, sweep, cache, tell) -> None:
    tell(0.0)
    make_reduced(reference, "bf16", [sweep, sweep], cache)
    candidates = precisions.candidates_of(reference)
    for fast in ("float32", "bf16"):
        rates = {one.precision: float(one.precision == fast) for one in candidates}
        known = timing.Timing(
            processor=timing.processor(),
            openvino=openvino.__version__,
            weights=timing._weights(candidates),
            frames_a_second=rates,
        )
        path = timing._path(reference, precisions.timings())
        path.parent.mkdir(exist_ok=True)
        path.write_text(known.model_dump_json())
        assert precision_of() == fast
    path.write_text("{")
    assert precisions.in_precision(reference).precision == "float32"


def test_torch_does_not_compute_in_what_was_asked_of_openvino() -> None:
    with pytest.raises(AnalysisError, match="--precision int8 takes OpenVINO"):
        make_predictor(choose_models("demo-cls", None), engine="torch", precision="int8")


def test_too_little_memory_is_one_line_and_torch_computes(monkeypatch, caplog) -> None:
    class Free:
        available = 10**9

    monkeypatch.setattr(memory_needed.psutil, "virtual_memory", lambda: Free)
    monkeypatch.setattr(compiled_predictor, "_NEEDED", 1e6)
    assert make_predictor(choose_models("demo-cls", None)).engine == "torch"
    (line,) = caplog.messages
    assert "needs about" in line
    assert "1.0 GB are free; close other programs" in line
    with pytest.raises(ModelError, match="close other programs"):
        make_predictor(choose_models("demo-cls", None), engine="openvino")


def test_a_processor_that_openvino_does_not_take_is_one_line_and_torch_computes(
    monkeypatch, caplog
) -> None:
    def refuse(*_):
        raise RuntimeError("Check failed\nthis CPU is not supported")

    monkeypatch.setattr(openvino.Core, "compile_model", refuse)
    assert make_predictor(choose_models("demo-cls", None)).engine == "torch"
    (line,) = caplog.messages
    assert "OpenVINO cannot use this graph (this CPU is not supported)" in line


def test_frames_that_calibrate_are_not_those_compared(sweep) -> None:
    parts = replace(sweep, bounds=((0, len(sweep) // 2), (len(sweep) // 2, len(sweep))))
    for sweeps in ([sweep, sweep], [parts], [replace(sweep, bounds=((0, len(sweep)),))]):
        calibrating, held_out = split_frames(sweeps)
        assert calibrating
        assert held_out
        if len(sweeps) == 1:
            seen = {frame.image.tobytes() for frame in calibrating}
            assert not seen & {frame.image.tobytes() for frame in held_out if frame.image.any()}


def test_the_gate_of_a_seg_model_measures_what_it_outlines(sweep, cache) -> None:
    seg = find_compiled("demo-seg")
    assert seg is not None
    _, held_out = split_frames([sweep, sweep])
    told = reduced_precision._told(seg, held_out[:40])
    figures = reduced_precision._figures(seg, told, told)
    assert isinstance(figures, GateFigures)
    assert figures.label_agreement == 1
    if figures.measured:
        assert (figures.dice, figures.ac_95th_mm) == (1, 0)


def test_a_graph_of_another_version_is_compiled_anew(tiny_models, cache) -> None:
    assert make_predictor(choose_models(tiny_models["cls"], None)).engine == "openvino"
    (card,) = cache.glob("*/compiled.json")
    whole = card.read_text()
    for other in (whole.replace('"layout": 1', '"layout": 2'), "{", whole[:-3] + ', "new": 1}'):
        card.write_text(other)
        assert make_predictor(choose_models(tiny_models["cls"], None)).engine == "openvino"
        assert card.read_text() != other
        assert graph_folder.find_compiled(tiny_models["cls"], cache) is not None
    shutil.rmtree(card.parent)
    assert graph_folder.find_compiled(tiny_models["cls"], cache) is None
    assert engine.find_graph(choose_models(tiny_models["cls"], None).cls) is None
