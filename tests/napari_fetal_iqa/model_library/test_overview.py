"""What the list of models and that of weights say of each."""

import json

import pytest

from napari_fetal_iqa.model_library import command
from napari_fetal_iqa.model_library.library import ModelLibrary
from napari_fetal_iqa.model_library.overview import model_rows
from napari_fetal_iqa.model_library.weights_overview import weights_rows
from napari_fetal_iqa.model_library.wording import fact
from napari_fetal_iqa.storage import paths

from ..made_models import make_model

BETTER = {"parent": {"hold_out": {"f1": 0.8}}, "child": {"hold_out": {"f1": 0.9}}}
WORSE = {"parent": {"hold_out": {"f1": 0.8}}, "child": {"hold_out": {"f1": 0.75}}}


def rows():
    return {row.name: row for row in model_rows(ModelLibrary())}


def test_each_model_says_what_it_is_good_for_and_where_it_comes_from():
    make_model(
        paths.models() / "mine",
        parent="demo-cls",
        metrics=BETTER,
        licence="MIT",
        training={"frames": 164},
    )
    make_model(paths.models() / "worse", parent="demo-cls", metrics=WORSE, content="worse")
    found = rows()
    demo, mine, worse = found["resnet-demo cls, demo"], found["mine"], found["worse"]
    assert (demo.in_use, mine.in_use) == (True, False)
    assert demo.figure == "F1 0.946, own test"
    assert any("not for clinical use" in line for line in demo.details)
    assert mine.figure == "F1 0.9 (parent 0.8)"
    assert mine.parent == demo.id
    assert mine.licence == "MIT"
    assert any("frames like the 164 that it learnt from" in line for line in mine.details)
    assert not mine.worse
    assert "F1 0.75, before 0.8" in worse.worse
    assert "comes with the program" in demo.why_kept
    assert not mine.why_kept


def test_what_cannot_be_used_says_why_before_anybody_tries():
    wanted = {"name": "FetalCLIP_weights.pt", "sha256": "1" * 64}
    make_model(
        paths.models() / "large", encoder="fetalclip", image_size=224, encoder_weights=wanted
    )
    folder = make_model(paths.models() / "broken")
    (folder / "model.json").write_text("{")
    found = rows()
    assert "needs the pretrained weights of fetalclip" in found["large"].problem
    assert any("for non-commercial use only" in line for line in found["large"].details)
    assert "not a model card" in found["broken"].problem
    assert found["broken"].task is None


def test_the_weights_say_licence_origin_and_what_is_here():
    by_name = {row.name: row for row in weights_rows()}
    large = by_name["fetalclip"]
    assert (large.restricted, large.here, large.size) == (True, False, "1711 MB")
    assert large.terms == "CC-BY-NC-4.0, for non-commercial use only, with attribution"
    assert large.origin.startswith("numansaeed/fetalclip-model FetalCLIP_weights.pt (main")
    assert large.state == "not here"
    assert by_name["usfm"].page.startswith("https://")
    assert not by_name["densenet121"].restricted
    assert "fetalclip-tiny" not in by_name  # nobody publishes it


def test_progress_is_a_line_that_the_window_reads(capsys):
    command.print_progress(600, 1800)
    command.print_progress(1800, 1800)  # the end is always told
    lines = capsys.readouterr().out.splitlines()
    assert command.read_progress(lines[-1]) == (1800, 1800)
    assert len(lines) <= 2


@pytest.mark.parametrize("line", ["", "kept as x", "{", "[]", json.dumps({"done": None})])
def test_what_is_no_progress_is_said_to_people(line):
    assert command.read_progress(line) is None


def test_a_command_speaks_to_people_without_its_name():
    assert command.for_people("napari-fetal-iqa: x.zip: damaged") == "x.zip: damaged"
    assert command.command("models", "list")[3:] == ["--for-window", "models", "list"]


def test_the_longest_name_of_a_fact_stands_apart_from_it():
    assert fact("tells apart", "3VV") == "tells apart: 3VV"
    assert fact("name", "one") == "name:       one"
