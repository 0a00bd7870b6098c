"""``models compile`` as a person types it."""

import shutil
from pathlib import Path

import pytest

from fetal_iqa_models.compiled import graph_folder
from napari_fetal_iqa.analysis import graphs
from napari_fetal_iqa.storage import paths


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one; the other tests share their graphs."""
    monkeypatch.setattr(paths, "cache", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "compiled"


def test_a_model_is_compiled_once_and_made_anew_where_it_is_damaged(run, tiny_models, cache):
    code, out, err = run("models", "compile", tiny_models["cls"])
    assert (code, err) == (0, "")
    (folder,) = cache.iterdir()
    memory, said = out.splitlines()
    assert memory.startswith("compiling takes about ")
    assert memory.endswith("GB are free")
    assert "compiled, float32, " in said
    assert str(folder) in out
    assert "is compiled already" in run("models", "compile", tiny_models["cls"])[1]
    (folder / "graph.bin").write_bytes(b"other")
    assert "compiled, float32, " in run("models", "compile", tiny_models["cls"])[1]
    assert (folder / "graph.bin").stat().st_size > 1000


def test_a_shipped_graph_that_is_damaged_has_one_from_the_cache_in_its_stead(
    run, cache, tmp_path, monkeypatch
):
    shutil.copytree(graph_folder.SHIPPED, tmp_path / "shipped")
    monkeypatch.setattr(graph_folder, "SHIPPED", tmp_path / "shipped")
    assert "is compiled already" in run("models", "compile", "demo-seg")[1]
    for graph in (tmp_path / "shipped").glob("*/graph.bin"):
        graph.write_bytes(b"other")
    assert "compiled, float32" in run("models", "compile", "demo-seg")[1]
    assert "is compiled already" in run("models", "compile", "demo-seg")[1]


def test_without_torch_it_says_what_is_missing(run, tiny_models, cache, monkeypatch):
    there = graphs.installed
    monkeypatch.setattr(graphs, "installed", lambda name: name != "torch" and there(name))
    code, out, err = run("models", "compile", tiny_models["seg"])
    assert (code, out) == (1, "")
    assert "not compiled, which takes torch" in err
    assert err.count("\n") == 1


def test_a_model_that_the_memory_does_not_hold_is_not_compiled(
    run, tiny_models, cache, monkeypatch
):
    monkeypatch.setattr(graphs, "memory_for_compiling", lambda model: 1e15)
    code, _, err = run("models", "compile", tiny_models["seg"])
    assert code == 1
    assert "needs about 1000000.0 GB of memory" in err
    assert not cache.exists()


def test_show_tells_which_graphs_lie_ready(run, tiny_models, cache):
    assert "compiled:   not yet" in run("models", "show", tiny_models["cls"])[1]
    (line,) = (
        one for one in run("models", "show", "demo-seg")[1].splitlines() if "of torch" in one
    )
    assert line.startswith("compiled:   float32 by OpenVINO ")


def test_less_precision_of_a_model_of_ones_own_takes_sweeps(run, tiny_models, cache):
    code, _, err = run("models", "compile", tiny_models["cls"], "--precision", "int8")
    assert code == 1
    assert "give sweeps that show abdomens, each with --calibrate" in err
