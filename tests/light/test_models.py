"""A model that was learnt elsewhere is used without torch, by the graph that it was packed with."""

import json
import shutil

import pytest

from fetal_iqa_models import find_compiled, load_card, model_hash, resolve_model
from fetal_iqa_models.compiled.graph_folder import CARD_FILE, folder_name
from napari_fetal_iqa.analysis import analyse_sweep
from napari_fetal_iqa.model_library.packing import pack_model
from napari_fetal_iqa.storage import paths


@pytest.fixture
def learnt(tmp_path, request):
    """Another model than any of the program, and its graph: the demo model under a new name.

    A name for each test: graphs are kept for all of them.
    """
    model = shutil.copytree(resolve_model("demo-cls"), tmp_path / "learnt")
    card = load_card(model).model_copy(update={"name": f"for {request.node.name}"})
    (model / "model.json").write_text(card.model_dump_json())
    graph = shutil.copytree(find_compiled("demo-cls").folder, tmp_path / "graph")
    told = json.loads((graph / CARD_FILE).read_text())
    (graph / CARD_FILE).write_text(json.dumps({**told, "model": model_hash(model)}))
    return model, graph


def added():
    """The folders of the models that were added."""
    there = paths.models().iterdir() if paths.models().exists() else ()
    return [path for path in there if path.is_dir()]


def test_it_is_added_used_and_computes(run, learnt, phantom, tmp_path):
    model, graph = learnt
    code, said, errors = run("models", "add", pack_model(model, tmp_path / "learnt.zip", graph))
    assert (code, errors) == (0, "")
    assert "added" in said
    assert "not compiled" not in said
    identity = f"cls-{model_hash(model)[:4]}"
    assert run("models", "use", identity)[0] == 0
    (kept,) = added()
    found = analyse_sweep(phantom.sweep, kept, None, use_cache=False)
    assert found.setup.engine == "openvino"
    assert found.setup.cls_model.id == identity
    assert "With its graph" in run("models", "pack", identity, tmp_path / "again.zip")[1]


def test_without_a_graph_it_says_how_to_get_one(run, learnt, tmp_path):
    model, graph = learnt
    code, said, _ = run("models", "add", pack_model(model, tmp_path / "without.zip"))
    assert code == 0
    assert "is not compiled, which takes torch" in said
    assert "napari-fetal-iqa models pack" in said
    (kept,) = added()
    code, _, errors = run("models", "use", kept)
    assert code == 1
    assert "is not compiled, which takes torch" in errors
    assert errors.count("\n") == 1
    said = run("models", "add", pack_model(model, tmp_path / "with.zip", graph))[1]
    assert "is here already" in said
    assert run("models", "use", kept)[0] == 0


def test_a_graph_of_another_model_is_refused(run, learnt, tmp_path):
    model, _ = learnt
    other = find_compiled("demo-seg").folder
    code, _, errors = run("models", "add", pack_model(model, tmp_path / "wrong.zip", other))
    assert code == 1
    assert errors.count("\n") == 1
    assert not (paths.graphs() / folder_name(model_hash(model), None)).exists()
    assert added() == []
