"""The models commands as a person types them, and the model in use in analyse."""

import io
import json
import re
import shutil
import sys

import numpy as np
import pytest

from fetal_iqa_models import ModelError, model_hash, model_id
from fetal_iqa_models.built_in import BUILT_IN
from napari_fetal_iqa.cli.analyse import given_or_in_use
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.model_library.automatic import automatic_words
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import AUTOMATIC, Settings, load_settings, save_settings

from .. import made_models

FIGURES = {
    "parent": {"hold_out": {"frames": 40, "f1": 0.8}, "corrections": {"f1": 0.7}},
    "child": {"hold_out": {"frames": 40, "f1": 0.9}, "corrections": {"f1": 0.99}},
}
WORSE = {"parent": {"hold_out": {"f1": 0.8}}, "child": {"hold_out": {"f1": 0.75}}}


@pytest.fixture
def make_model(monkeypatch):
    """Makes a model folder, as far as anyone can tell without torch; gives its folder and id."""
    monkeypatch.setattr("napari_fetal_iqa.cli.models.load_whole", lambda reference: None)

    def make(name, **options):
        folder = made_models.make_model(paths.models() / name, content=name, **options)
        task = options.get("task", "cls")
        return folder, model_id(task, model_hash(folder))

    return make


def test_the_list_says_what_is_here_and_in_use(run, make_model):
    _, child = make_model("mine", parent="demo-cls", metrics=FIGURES)
    _, outline = make_model("outline", task="seg")
    assert run("models", "use", "outline")[0] == 0
    code, out, err = run("models", "list")
    assert (code, err) == (0, "")
    header, demo_cls, demo_seg, *others, mine, outlines, automatic, to_be_made = out.splitlines()
    assert automatic == f"in use for cls: {automatic_words('cls')}"
    assert to_be_made.startswith("   zero-shot")
    assert len(others) == len(BUILT_IN) - 2
    assert header.split() == ["id", "name", "parent", "hold-out"]
    assert demo_cls.startswith("*  cls-")
    assert demo_cls.endswith("demo")
    assert demo_seg.startswith("   seg-")
    parent = model_id("cls", model_hash("demo-cls"))
    assert mine.split() == [child, "mine", parent, "F1", "0.9", "(parent", "0.8)"]
    assert outlines.split() == ["*", outline, "outline", "-", "-"]


def test_a_damaged_folder_is_one_line_of_the_list(run, make_model):
    folder, _ = make_model("broken")
    (folder / "model.json").write_text("{")
    code, out, _ = run("models", "list")
    assert code == 0
    assert out.count("\n") == len(BUILT_IN) + 5  # two say what is in use
    assert "broken    damaged: " in out
    code, out, err = run("models", "show", "broken")
    assert (code, out) == (1, "")
    assert "not a model card" in err
    assert json.loads(run("models", "list", "--json")[1])[-1]["hash"] is None
    assert json.loads(run("models", "show", "broken", "--json")[1])["card"] is None


def test_a_card_moves_no_cursor(run, make_model):
    make_model("mine", title="a\nb\x1b[2Jc" + "d" * 300)
    out = run("models", "list")[1] + run("models", "show", "mine")[1]
    assert "\x1b" not in out
    assert "a b [2Jcd" in out
    assert max(map(len, run("models", "list")[1].splitlines())) < 100


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_a_folder_moves_no_cursor(run, make_model):
    folder, _ = make_model("b\x1b[2J\u202e")
    shown = [run("models", "list"), run("models", "show", str(folder))]
    (folder / "model.json").write_text("{")
    shown += [run("models", "list"), run("models", "show", str(folder))]
    shown += [run("models", "use", str(folder)), run("models", "delete", str(folder))]
    for line in "".join(out + err for _, out, err in shown).splitlines():
        assert line.isprintable()


def test_show_says_lineage_and_metrics_before_and_after(run, make_model):
    make_model("mine", parent="demo-cls", metrics=FIGURES)
    code, out, err = run("models", "show", "mine")
    assert (code, err) == (0, "")
    assert model_hash(paths.models() / "mine") in out
    parent = model_id("cls", model_hash("demo-cls"))
    assert f"made from:  {parent} (resnet-demo cls, demo)" in out
    assert [line.split() for line in out.split("hold-out:")[1].splitlines()[:3]] == [
        ["before", "after"],
        ["frames", "40", "40"],
        ["f1", "0.8000", "0.9000"],
    ]
    assert "corrections it learnt from" in out
    assert "worse" not in out


def test_show_says_what_is_worse_and_who_is_not_here(run, make_model, tmp_path):
    gone, _ = make_model("gone")
    digest = model_hash(gone)
    make_model("mine", parent=gone, metrics=WORSE)
    gone.rename(tmp_path / "gone")
    out = run("models", "show", "mine")[1]
    assert "worse than its parent on the hold-out: F1 0.75, before 0.8" in out
    assert f"{digest[:12]}, not on this machine" in out


def test_show_has_the_figures_of_the_reference(run, make_model):
    reference = {side: {"reference": {"f1": f1}} for side, f1 in (("parent", 0.9), ("child", 0.6))}
    make_model("mine", parent="demo-cls", metrics=reference)
    out = run("models", "show", "mine")[1]
    assert "worse than its parent on the reference: F1 0.6, before 0.9" in out
    shown = out.split("On the reference:")[1].splitlines()
    assert [line.split() for line in shown[:2]] == [["before", "after"], ["f1", "0.9000", "0.6000"]]


def test_a_demo_model_is_shown_to_be_one(run):
    out = run("models", "show", "demo-seg")[1]
    assert "not for clinical use" in out
    assert "On the test set:" in out
    assert "circumference_error_mm" in out


def test_json_is_for_programs(run, make_model):
    folder, child = make_model("mine", parent="demo-cls", metrics=WORSE)
    entries = json.loads(run("models", "list", "--json")[1])
    assert [entry["reference"] for entry in entries] == [*BUILT_IN, str(folder)]
    assert entries[-1]["hold_out"] == {"parent": 0.8, "child": 0.75}
    assert entries[-1]["worse"].startswith("worse than")
    shown = json.loads(run("models", "show", child, "--json")[1])
    assert shown["lineage"] == [model_hash(folder), model_hash("demo-cls")]
    assert shown["card"]["name"] == "mine"
    assert shown["in_use"] is False


def test_use_and_rollback_change_what_analyse_takes(run, make_model):
    folder, child = make_model("mine", parent="demo-cls", metrics=FIGURES)
    code, out, err = run("models", "use", child)
    assert (code, err) == (0, "")
    assert f"{child} ({model_hash(folder)[:12]}, mine) is in use for cls" in out
    assert given_or_in_use(None, "cls") == str(folder)
    assert given_or_in_use(None, "seg") == AUTOMATIC
    code, out, _ = run("models", "rollback", "cls")
    assert code == 0
    assert f"{automatic_words('cls')} is in use for cls" in out
    assert given_or_in_use(None, "cls") == AUTOMATIC
    code, out, err = run("models", "rollback", "cls")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1


def test_a_worse_model_is_used_only_by_saying_so(run, make_model):
    make_model("mine", parent="demo-cls", metrics=WORSE)
    code, out, err = run("models", "use", "mine")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "F1 0.75, before 0.8; give --although-worse" in err
    code, out, _ = run("models", "use", "mine", "--although-worse")
    assert code == 0
    assert "worse than its parent" in out


def test_a_child_without_a_hold_out_is_reported_not_to_be_judged(run, make_model):
    make_model("mine", parent="demo-cls")
    code, out, _ = run("models", "use", "mine")
    assert code == 0
    assert "not judged: no hold-out" in out
    assert "not judged" not in run("models", "use", "demo-cls")[1]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_delete_asks_where_there_is_someone_to_ask(run, make_model, monkeypatch):
    folder, child = make_model("mine")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, _, err = run("models", "delete", child)
    assert code == 1
    assert "give --yes" in err
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert run("models", "delete", child)[0] == 1
    assert folder.is_dir()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    code, out, _ = run("models", "delete", child)
    assert code == 0
    assert f"{child}: deleted" in out
    assert not folder.exists()


def test_delete_with_yes_asks_nobody_and_still_refuses(run, make_model, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    first, _ = make_model("first")
    make_model("second", parent=first)
    run("models", "use", "second")
    for name, reason in (
        ("first", "was made from it"),
        ("second", "is in use"),
        ("demo-cls", "comes with the program"),
    ):
        for yes in ((), ("--yes",)):  # refused before anyone confirms
            code, out, err = run("models", "delete", name, *yes)
            assert (code, out) == (1, "")
            assert reason in err
            assert err.count("\n") == 1
    run("models", "rollback", "cls")
    assert run("models", "delete", "first", "--yes")[0] == 0


def test_what_cannot_be_is_one_line(run):
    for arguments in (("show", "nothing"), ("use", ""), ("delete", "nothing", "--yes")):
        code, out, err = run("models", *arguments)
        assert (code, out) == (1, "")
        assert err.count("\n") == 1
        assert "no such model" in err
    assert run("models", "rollback", "xyz")[0] == 2


def test_the_window_reads_no_word_of_a_terminal(run, make_model):
    """The same commands as in a terminal; neither commands nor options are named."""
    make_model("worse", parent="demo-cls", metrics=WORSE)
    for place in ("one", "two"):
        shutil.copytree(paths.models() / "worse", paths.models() / place)
    digits = model_hash(paths.models() / "worse")[:4]
    for arguments, word in (
        (("models", "rollback", "cls"), "quality is known"),
        (("models", "use", "nothing"), "no such model"),
        (("models", "use", digits), "any of"),
        (("models", "use", "worse"), "worse than its parent"),
        (("models", "use", "worse", "--although-worse"), "in use for the quality now"),
        (("models", "use-none", "cls"), "quality now"),
        (("models", "rollback", "cls"), "in use for the quality now"),
        (("models", "delete", "one"), "nobody can confirm"),
        (("weights", "fetch", "fetalclip"), "accept the licence"),
        (("weights", "fetch", "usfm"), "then import the file"),
    ):
        _, out, err = run("--for-window", *arguments)
        said = (out + err).removeprefix("napari-fetal-iqa: ")
        assert word in said
        assert not re.search(r"napari-fetal-iqa|(^|\s)--\w|reopen|weights import|models use", said)
        terminal = run(*arguments)  # and the next reader is a terminal again
        assert "use-none" in arguments or terminal[1] + terminal[2] != out + err


@pytest.mark.parametrize(
    "command", ["use-none", "list", "show", "use", "rollback", "delete", "pack", "add", "compile"]
)
def test_help_teaches(run, command):
    code, out, _ = run("models", command, "--help")
    assert code == 0
    assert f"Example: napari-fetal-iqa models {command}" in out


def test_what_is_given_comes_before_what_is_in_use(make_model):
    folder, _ = make_model("mine")
    save_settings(Settings(cls_model=str(folder), seg_model=""))
    assert given_or_in_use("demo-cls", "cls") == "demo-cls"
    assert given_or_in_use("", "cls") == ""
    assert given_or_in_use(None, "seg") == ""


def test_no_other_model_speaks_for_one_in_use_that_is_gone(run, make_model, tmp_path):
    folder, _ = make_model("mine")
    save_settings(Settings(cls_model=str(folder)))
    folder.rename(tmp_path / "moved")
    with pytest.raises(ModelError, match="cls model in use is not there any more"):
        given_or_in_use(None, "cls")
    code, out, err = run("analyse", tmp_path / "x.mha", "--out", tmp_path)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "models rollback cls" in err


def test_analyse_names_the_models_in_use_by_id_and_hash(run, tiny_models, tmp_path):
    assert run("models", "use", tiny_models["cls"])[0] == 0
    assert run("models", "use", tiny_models["seg"])[0] == 0
    assert load_settings().cls_model == str(tiny_models["cls"])
    write_volume(tmp_path / "case.mha", np.full((2, 50, 60), 9, np.uint8), (0.5, 0.5))
    analyse = ("analyse", tmp_path / "case.mha", "--out", tmp_path / "out")
    hashes = {task: model_hash(folder) for task, folder in tiny_models.items()}
    named = ", ".join(f"{model_id(task, full)} ({full[:12]})" for task, full in hashes.items())
    for arguments in (("--device", "cpu"), ()):  # the second time all is done already
        code, _, err = run(*analyse, *arguments)
        assert code == 0, err
        assert err.splitlines()[0] == f"Models: {named}"
        assert err.count("Models: ") == 1
    summary = json.loads((tmp_path / "out" / "case" / "summary.json").read_text())
    assert summary["models"]["cls"]["hash"] == hashes["cls"]


def test_a_model_is_sent_as_one_file_and_used_where_it_arrives(run, tiny_models, tmp_path):
    file = tmp_path / "mine.zip"
    code, out, err = run("models", "pack", tiny_models["cls"], file)
    assert (code, err) == (0, "")
    assert "packed into" in out
    digest = model_hash(tiny_models["cls"])
    name = model_id("cls", digest)
    code, out, err = run("models", "add", file)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{name} ({digest[:12]}, untrained cls): added",
        "licence unknown",
    ]
    assert "is here already" in run("models", "add", file)[1]
    assert run("models", "use", name)[0] == 0
    assert load_settings().cls_model == str(paths.models() / f"cls-{digest[:12]}")


def test_a_model_of_foreign_tensors_is_neither_added_nor_used(run, tmp_path):
    folder = made_models.make_model(tmp_path / "mine")
    for command in ("add", "use"):
        code, out, err = run("models", command, folder)
        assert (code, out) == (1, "")
        assert err.count("\n") == 1
        assert "tensors are missing or foreign" in err
    assert load_settings().cls_model == AUTOMATIC


def test_what_travels_without_its_encoder_says_so(run, make_model, tmp_path):
    wanted = {"name": "FetalCLIP_weights.pt", "sha256": "1" * 64}
    folder, _ = make_model("large", encoder_weights=wanted)
    code, out, _ = run("models", "pack", folder, tmp_path / "large.zip")
    assert code == 0
    assert "needs the pretrained weights of fetalclip-tiny" in out
    folder.rename(tmp_path / "gone")
    code, out, _ = run("models", "add", tmp_path / "large.zip")
    assert code == 0
    assert "fetch or import" in out or "import them first" in out


def test_automatic_is_chosen_and_said_like_a_model(run):
    assert f"in use for cls: {automatic_words('cls')}" in run("models", "list")[1]
    assert "in use:     yes, automatic: for phantoms" in run("models", "show", "demo-cls")[1]
    assert run("models", "use", "demo-cls")[0] == 0
    assert "in use for cls" not in run("models", "list")[1]
    code, out, _ = run("models", "use", "automatic", "--task", "cls")
    assert code == 0
    assert automatic_words("cls") in out
    assert load_settings().cls_model == AUTOMATIC
    assert run("models", "use", "demo-cls", "--task", "cls")[0] == 2
    assert automatic_words("seg") in run("models", "show", "automatic")[1]


@pytest.mark.parametrize("name", ["", " ", ".."])
def test_a_model_of_words_needs_a_name(run, name):
    code, _, err = run("models", "zero-shot", "--out", name)
    assert code == 2
    assert "is no name" in err
    assert not paths.models().exists()
