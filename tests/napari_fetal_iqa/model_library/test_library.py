"""The models of a machine, as what a person does with them."""

import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fetal_iqa_models import ModelCard, ModelError, model_hash
from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.taught import Taught
from napari_fetal_iqa.model_library.automatic import sweeps_of
from napari_fetal_iqa.model_library.hold_out import NOT_JUDGED, HoldOut, hold_out, is_worse
from napari_fetal_iqa.model_library.in_use import reference_in_use
from napari_fetal_iqa.model_library.library import ModelEntry, ModelLibrary
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import AUTOMATIC, Settings, load_settings, save_settings

from ..made_models import make_model


def judged(before, after, figure="f1"):
    return {"parent": {"hold_out": {figure: before}}, "child": {"hold_out": {figure: after}}}


@pytest.fixture
def library():
    return ModelLibrary()


@pytest.fixture
def kept():
    """Makes a model folder where fine-tuned models are kept."""

    def make(name, **settings):
        return make_model(paths.models() / name, **settings)

    return make


def names(library):
    return [Path(entry.reference).name for entry in library.entries()]


def test_at_first_there_are_the_shipped_models_and_they_are_in_use(library):
    assert names(library) == list(BUILT_IN)
    for entry in library.entries():
        assert entry.shipped
        assert entry.damaged is None
        assert entry.id == f"{entry.card.task}-{entry.hash[:4]}"
        assert entry.card.task == BUILT_IN[entry.reference].task
        assert entry.suits == sweeps_of(entry.reference, entry.card.task)
        assert entry.in_use is bool(entry.suits)
        assert entry.card.demo is entry.reference.startswith("demo-")


def test_what_the_trainer_wrote_is_listed(library, kept):
    folder = kept("mine")
    entry = library.entries()[-1]
    assert entry == library.find(str(folder))
    assert entry.hash == model_hash(folder)
    assert not entry.in_use


def test_half_written_folders_and_stray_files_are_not_listed(library, kept):
    kept(".mine.1234")
    (paths.models() / "notes.txt").write_text("mine is the good one")
    assert names(library) == list(BUILT_IN)
    with pytest.raises(ModelError, match="no such model"):
        library.find(str(paths.models() / ".mine.1234"))


def instead(path, put):
    """Put a FIFO, a device or a folder where a file should be."""
    if os.name == "nt":
        pytest.skip("Windows has neither FIFOs nor /dev")
    path.unlink(missing_ok=True)
    put(path)


def endless(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "model.json").unlink(), "model.json: cannot be read"),
        (lambda folder: (folder / "model.json").write_text("{"), "not a model card"),
        (lambda folder: (folder / "model.json").write_text('{"a": 1}'), "not a model card"),
        (lambda folder: (folder / "head.safetensors").unlink(), "head.safetensors is missing"),
        (lambda folder: (folder / "model.json").write_text("[" * 100_000), "not a model card"),
        (lambda folder: (folder / "model.json").write_text(" " * 9_000_000), "than 8 megabytes"),
        (lambda folder: os.truncate(folder / "head.safetensors", 5 << 30), "larger than 4 GiB"),
        (lambda folder: instead(folder / "model.json", os.mkfifo), "not a regular file"),
        (lambda folder: instead(folder / "head.safetensors", os.mkfifo), "head.safetensors"),
        (lambda folder: instead(folder / "encoder.safetensors", os.mkfifo), "not a regular file"),
        (lambda folder: instead(folder / "model.json", endless), "not a regular file"),
        (lambda folder: instead(folder / "head.safetensors", endless), "head.safetensors"),
        (lambda folder: instead(folder / "model.json", Path.mkdir), "not a regular file"),
    ],
    ids=lambda _: "",
)
def test_a_damaged_folder_is_listed_as_such_and_hides_no_other(library, kept, damage, reason):
    damage(kept("broken"))
    kept("sound")
    *_, broken, sound = library.entries()
    assert (broken.id, broken.hash, broken.card) == ("broken", "", None)
    assert reason in broken.damaged
    assert "\n" not in broken.damaged
    assert sound.damaged is None
    with pytest.raises(ModelError, match=reason):
        library.use(library.find("broken"))
    assert reference_in_use("cls") == AUTOMATIC
    library.delete(library.find("broken"))
    assert names(library)[len(BUILT_IN) :] == ["sound"]


def test_a_model_lacks_no_file_that_its_card_speaks_of(library, kept):
    folder = kept("mine")
    card = json.loads((folder / "model.json").read_text())
    (folder / "encoder.safetensors").unlink()
    for fact in ({"encoder_weights": "own"}, {"encoder_weights": None, "lora": {}}):
        (folder / "model.json").write_text(json.dumps({**card, **fact}))
        assert "is missing" in library.find("mine").damaged


def test_a_model_is_found_by_id_hash_folder_and_name(library, kept, tmp_path, monkeypatch):
    folder = kept("mine")
    elsewhere = make_model(tmp_path / "elsewhere")
    entry = library.find("mine")
    monkeypatch.chdir(folder.parent)
    for text in (entry.id, entry.hash, entry.hash[:9].upper(), f"cls-{entry.hash[:8]}", "./mine"):
        assert library.find(text) == entry
    assert library.find("demo-cls").reference == "demo-cls"
    assert library.find(str(elsewhere)).reference == str(elsewhere)
    shipped = Path(sys.modules["fetal_iqa_models"].__file__).parent / "demo" / "seg"
    assert library.find(str(shipped)).reference == "demo-seg"


def test_what_is_unknown_is_reported_to_be(library, kept):
    entry = library.find(str(kept("mine")))
    for text in (entry.hash[:3], f"seg-{entry.hash[:4]}", "", "nothing", "cls-", "x" * 300):
        with pytest.raises(ModelError, match="no such model; give an id"):
            library.find(text)


def test_an_id_of_two_models_is_refused_and_more_digits_tell(library, kept, monkeypatch):
    kept("one")
    kept("other", content="other weights")
    monkeypatch.setattr(
        "napari_fetal_iqa.model_library.library.model_hash",
        lambda folder: ("7f3a" + {"one": "0", "other": "1"}.get(Path(folder).name, "") + "e" * 64)[
            :64
        ],
    )
    with pytest.raises(ModelError, match=r"may be any of 7f3a.*one, 7f3a.*other; give more"):
        library.find("cls-7f3a")
    assert library.find("7f3a1").card.name == "other"
    assert library.find("one").card.name == "one"


def test_the_same_model_in_two_folders_is_reported_by_folder(library, kept):
    folder = kept("mine")
    shutil.copytree(folder, paths.models() / "copy")
    with pytest.raises(ModelError, match="or the folder"):
        library.find(model_hash(folder))
    assert library.find("copy").reference.endswith("copy")


def test_lineage_goes_back_to_the_oldest(library, kept):
    first = kept("first", parent="demo-cls")
    second = kept("second", parent=first)
    third = kept("third", parent=second)
    line = library.lineage(library.find(str(third)))
    assert [entry.card.name for entry in line[:3]] == ["third", "second", "first"]
    assert line[3].reference == "demo-cls"
    assert len(line) == 4


def test_an_ancestor_that_is_not_here_ends_the_line(library, kept, tmp_path):
    gone = make_model(tmp_path / "gone")
    child = kept("child", parent=gone)
    _, ancestor = library.lineage(library.find(str(child)))
    assert ancestor == f"{model_hash(gone)[:12]}, not on this machine"


def test_a_loop_of_ancestors_ends(library, kept, monkeypatch):
    entry = library.find(str(kept("mine")))

    def member(digit, parent):
        card = entry.card.model_copy(update={"parent": parent * 64})
        return replace(entry, hash=digit * 64, card=card)

    loop = [member("a", "b"), member("b", "c"), member("c", "a")]
    monkeypatch.setattr(library, "entries", lambda: loop)
    assert library.lineage(loop[0]) == loop
    assert library.lineage(member("d", "d")) == [member("d", "d")]


def test_use_changes_its_own_task_and_nothing_else(library, kept):
    save_settings(Settings(reviewer="AK", analyse_on_open=False, seg_model="demo-seg"))
    folder = kept("mine")
    assert library.use(library.find("mine")) is None
    assert load_settings() == Settings(
        reviewer="AK", analyse_on_open=False, cls_model=str(folder), seg_model="demo-seg"
    )
    assert [entry.reference for entry in library.entries() if entry.in_use] == [
        "demo-seg",
        str(folder),
    ]


def test_a_model_from_elsewhere_stays_on_the_list_when_another_is_used(library, tmp_path):
    folder = make_model(tmp_path / "mailed", task="seg")
    library.use(library.find(str(folder)))
    assert library.find(str(folder)).in_use
    library.use(library.find("demo-seg"))
    assert "mailed" in names(library)
    assert not library.find(str(folder)).in_use
    shutil.rmtree(folder)
    assert "mailed" not in names(library)


def test_a_model_in_use_that_is_gone_is_listed_as_damaged(library, kept):
    folder = kept("mine")
    library.use(library.find("mine"))
    shutil.rmtree(folder)
    entry = library.entries()[-1]
    assert entry.in_use
    assert "no such model folder" in entry.damaged


def test_rollback_goes_back_step_by_step_and_then_says_that_it_cannot(library, kept):
    for name in ("first", "second"):
        kept(name, content=name)
        library.use(library.find(name))
    kept("outline", task="seg")
    library.use(library.find("outline"))

    assert library.rollback("cls").card.name == "first"
    assert library.rollback("cls").reference == AUTOMATIC
    assert reference_in_use("cls") == AUTOMATIC
    with pytest.raises(ModelError, match="no model is known to have been in use before"):
        library.rollback("cls")
    assert reference_in_use("cls") == AUTOMATIC
    assert reference_in_use("seg").endswith("outline")


def test_using_what_is_in_use_is_no_step(library, kept):
    kept("mine")
    library.use(library.find("mine"))
    library.use(library.find("mine"))
    assert library.rollback("cls").reference == AUTOMATIC


def test_rollback_undoes_what_the_window_changed_too(library, kept, tmp_path):
    kept("mine")
    library.use(library.find("mine"))
    chosen = make_model(tmp_path / "chosen")
    save_settings(load_settings().model_copy(update={"cls_model": str(chosen)}))
    assert library.rollback("cls").card.name == "mine"
    assert library.rollback("cls").reference == AUTOMATIC


def test_rollback_brings_a_model_back_where_none_was_chosen(library, kept):
    kept("mine")
    library.use(library.find("mine"))
    save_settings(load_settings().model_copy(update={"cls_model": ""}))
    assert library.rollback("cls").card.name == "mine"


def test_rollback_undoes_use_none_where_nothing_else_ever_changed(library):
    library.use_none("cls")
    assert reference_in_use("cls") == ""
    library.use_none("cls")
    assert library.rollback("cls").reference == AUTOMATIC
    with pytest.raises(ModelError, match="no model is known"):
        library.rollback("cls")


def test_rollback_passes_over_models_that_are_gone(library, kept, caplog):
    for name in ("first", "second", "third"):
        kept(name, content=name)
        library.use(library.find(name))
    library.delete(library.find("second"))
    with caplog.at_level(logging.WARNING):
        assert library.rollback("cls").card.name == "first"
    assert "passed over" in caplog.text
    assert library.rollback("cls").reference == AUTOMATIC


def test_rollback_takes_no_model_of_another_task(library, kept, caplog):
    folder = kept("first")
    library.use(library.find("first"))
    kept("second", content="second")
    library.use(library.find("second"))
    shutil.rmtree(folder)
    kept("first", task="seg")
    assert library.rollback("cls").reference == AUTOMATIC
    assert "is a seg model" in caplog.text


@pytest.mark.parametrize("content", ["{", "[]", '{"cls": 7}', '{"xyz": []}', "\0"])
def test_a_damaged_history_is_begun_anew(library, kept, caplog, content):
    kept("first")
    library.use(library.find("first"))
    (paths.models() / "in-use-history.json").write_text(content)
    with pytest.raises(ModelError, match="no model is known"):
        library.rollback("cls")
    assert "history of the models in use is damaged" in caplog.text
    kept("second", content="second")
    library.use(library.find("second"))
    assert library.rollback("cls").card.name == "first"


def test_a_kill_between_history_and_settings_forgets_nothing(library, kept, monkeypatch):
    for name in ("first", "second"):
        kept(name, content=name)
    library.use(library.find("first"))
    with monkeypatch.context() as patch:
        patch.setattr("napari_fetal_iqa.model_library.in_use.save_settings", killed)
        with pytest.raises(KeyboardInterrupt):
            library.use(library.find("second"))
    assert reference_in_use("cls").endswith("first")
    assert library.rollback("cls").reference == AUTOMATIC


def killed(*_, **__):
    raise KeyboardInterrupt


def test_a_disk_that_refuses_is_one_line_and_changes_nothing(library, kept, monkeypatch):
    kept("mine")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fetal_iqa_models.atomic_file.os.replace", refuse)
    with pytest.raises(ModelError, match=r"cannot be written \(No space left") as caught:
        library.use(library.find("mine"))
    assert "\n" not in str(caught.value)
    assert reference_in_use("cls") == AUTOMATIC


@pytest.mark.parametrize(("task", "figure"), [("cls", "f1"), ("seg", "dice")])
def test_a_worse_child_is_used_only_by_saying_so(library, kept, task, figure):
    kept("mine", task=task, parent=f"demo-{task}", metrics=judged(0.9, 0.85, figure))
    entry = library.find("mine")
    with pytest.raises(ModelError, match=r"0\.85, before 0\.9; give --although-worse"):
        library.use(entry)
    assert reference_in_use(task) == AUTOMATIC
    assert "worse than its parent" in library.use(entry, although_worse=True)
    assert library.find("mine").in_use


def test_a_better_or_equal_child_needs_no_word(library, kept):
    taught = Taught.salted("demo")
    for after in (0.9, 0.95):
        kept(f"at {after}", parent="demo-cls", metrics=judged(0.9, after), taught=taught)
        assert library.use(library.find(f"at {after}")) is None


def test_what_an_earlier_version_judged_is_used_with_a_remark(library, kept):
    kept("old", parent="demo-cls", metrics=judged(0.9, 0.95))
    assert "judged by an earlier version" in library.use(library.find("old"))


@pytest.mark.parametrize(
    ("count", "unit", "words"),
    [(3, "sweeps", "3 sweeps"), (1, "subjects", "1 subject"), (1, "sweeps", "1 sweep")],
)
def test_a_child_judged_on_too_few_is_used_with_a_remark(library, kept, count, unit, words):
    units = {"hold_out": {"unit": unit, "count": count, "enough": False}}
    metrics = judged(0.9, 0.95) | {"units": units}
    kept("few", parent="demo-cls", metrics=metrics, taught=Taught.salted("demo"))
    assert library.use(library.find("few")) == f"judged on {words}: too few to tell"


SEG = {"f1": 0.8, "dice": 0.82, "circumference_error_mm": 8.0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dice": 0.96}, None),
        ({"dice": 0.96, "f1": 0.7}, "F1 0.7, before 0.8"),
        ({"dice": 0.96, "circumference_error_mm": 9.5}, "AC error in mm 9.5, before 8.0"),
        ({"dice": 0.8, "f1": 0.9, "circumference_error_mm": 7.0}, "Dice 0.8, before 0.82"),
    ],
)
def test_a_segmenter_is_judged_by_frames_outlines_and_circumference_together(
    library, kept, changes, words
):
    metrics = {"parent": {"hold_out": SEG}, "child": {"hold_out": SEG | changes}}
    kept("mine", task="seg", parent="demo-seg", metrics=metrics)
    entry = library.find("mine")
    worse = is_worse(entry.card)
    assert (worse is None) == (words is None)
    if words is not None:
        assert words in worse
        assert "Dice 0.96" not in worse
        with pytest.raises(ModelError, match="give --although-worse"):
            library.use(entry)


@pytest.mark.parametrize(
    ("after", "difference", "words"),
    [
        (12.0, [1.0, 7.0], "AC error in mm 12.0, before 8.0"),
        # an interval that holds 0 once let a child pass that lost 4 mm: it is no proof of no loss
        (12.0, [-1.0, 7.0], "AC error in mm 12.0, before 8.0 (which may be chance)"),
        (8.5, [0.1, 0.9], "AC error in mm 8.5, before 8.0"),
    ],
)
def test_what_is_forgotten_of_the_reference_counts_too(kept, library, after, difference, words):
    kept("mine", task="seg", parent="demo-seg", metrics=slipping(after, difference))
    entry = library.find("mine")
    assert is_worse(entry.card) == f"worse than its parent on the reference: {words}"
    with pytest.raises(ModelError, match="give --although-worse"):
        library.use(entry)


def slipping(after, difference):
    worse = SEG | {"circumference_error_mm": after}
    return {
        "parent": {"hold_out": SEG, "reference": SEG},
        "child": {"hold_out": SEG, "reference": worse},
        "intervals": {"reference": {"circumference_error_mm": {"difference": difference}}},
    }


def test_a_small_fall_on_the_reference_that_may_be_chance_is_told(kept, library):
    metrics, taught = slipping(8.5, [-1.0, 2.0]), Taught.salted("demo")
    kept("mine", task="seg", parent="demo-seg", metrics=metrics, taught=taught)
    entry = library.find("mine")
    assert is_worse(entry.card) is None
    assert library.use(entry) == (
        "a little worse on the reference: AC error in mm 8.5, before 8.0 (which may be chance)"
    )


@pytest.mark.parametrize("judged_too", [True, False])
@pytest.mark.parametrize(
    ("reference", "refused", "words"),
    [
        (
            {"f1": 0.932, "dice": 0.956, "circumference_error_mm": 9.0},
            True,
            "worse than its parent on the reference: F1 0.932, before 0.965; Dice 0.956, before "
            "0.969; AC error in mm 9.0, before 3.2 (too few to be sure)",
        ),
        ({"circumference_error_mm": 4.3}, True, "AC error in mm 4.3, before 3.2 (too few"),
        ({"dice": 0.965}, False, "a little worse on the reference: Dice 0.965, before 0.969"),
    ],
)
def test_what_too_few_phantoms_of_a_reference_show_is_refused_or_told(
    library, kept, judged_too, reference, refused, words
):
    before = {"f1": 0.965, "dice": 0.969, "circumference_error_mm": 3.2}
    sides = {"parent": before, "child": before | reference}
    held = {"hold_out": SEG} if judged_too else {}
    metrics = {side: {"reference": found, **held} for side, found in sides.items()}
    few = {"unit": "subjects", "count": 2, "enough": False}
    metrics |= {"intervals": {"reference": {}}, "units": {"reference": few}}
    taught = Taught.salted("demo")
    kept("mine", task="seg", parent="demo-seg", metrics=metrics, taught=taught)
    entry = library.find("mine")
    if refused:
        with pytest.raises(ModelError, match="give --although-worse"):
            library.use(entry)
    said = library.use(entry, although_worse=refused)
    assert words in said
    if not refused:
        assert said.startswith("a little" if judged_too else "not judged: no hold-out, and")


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"parent": {"corrections": {"f1": 0.9}}, "child": {"corrections": {"f1": 0.8}}},
        {"hold_out": "no hold-out: too few frames", "parent": {}, "child": {}},
        judged(0.9, 0.8, "dice"),
        judged(0.9, None),
        judged(True, False),
        judged("0.9", "0.8"),
        {"parent": [0.9], "child": {"hold_out": 0.8}},
        {"parent": {"hold_out": {"f1": 0.9}}},
    ],
)
def test_without_a_hold_out_nothing_is_judged_and_that_is_reported(library, kept, metrics):
    kept("mine", parent="demo-cls", metrics=metrics)
    entry = library.find("mine")
    assert hold_out(entry.card) is None
    assert is_worse(entry.card) is None
    assert library.use(entry) == NOT_JUDGED


def test_figures_of_the_hold_out_are_read():
    card = ModelCard(
        name="mine", task="cls", encoder="x", image_size=56, metrics=judged(1, 0.5, "f1")
    )
    assert hold_out(card) == HoldOut(parent=1.0, child=0.5)


def test_a_deleted_model_is_gone(library, kept):
    folder = kept("mine")
    kept("other", content="other")
    library.delete(library.find("mine"))
    assert not folder.exists()
    assert names(library)[len(BUILT_IN) :] == ["other"]
    assert [path.name for path in paths.models().iterdir()] == ["other"]


def test_a_kill_in_the_middle_of_a_deletion_leaves_no_half_model(library, kept, monkeypatch):
    kept("mine")
    kept("other", content="other")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            library.delete(library.find("mine"))
    assert names(library)[len(BUILT_IN) :] == ["other"]
    library.delete(library.find("other"))
    assert list(paths.models().iterdir()) == []


@pytest.mark.parametrize("what", ["shipped", "elsewhere", "link", "in use", "ancestor"])
def test_what_must_stay_is_not_deleted(library, kept, tmp_path, what):
    first = kept("first", content="first")
    second = kept("second", parent=first)
    kept("third", parent=second)
    library.use(library.find("third"))
    elsewhere = make_model(tmp_path / "elsewhere", task="seg")
    (paths.models() / "link").symlink_to(elsewhere, target_is_directory=True)
    entry, reason = {
        "shipped": (library.find("demo-seg"), "comes with the program"),
        "elsewhere": (library.find(str(elsewhere)), "delete the folder yourself"),
        "link": (library.find("link"), "delete the folder yourself"),
        "in use": (library.find("third"), "is in use; take another"),
        "ancestor": (library.find("first"), "which is in use, was made from it"),
    }[what]
    with pytest.raises(ModelError, match=reason):
        library.delete(entry)
    assert {"first", "second", "third", "link"} <= {p.name for p in paths.models().iterdir()}
    assert (elsewhere / "model.json").exists()


def test_ancestors_may_go_when_their_child_is_no_longer_in_use(library, kept):
    first = kept("first")
    kept("second", parent=first)
    library.use(library.find("second"))
    library.rollback("cls")
    library.delete(library.find("first"))
    assert names(library)[len(BUILT_IN) :] == ["second"]


def test_a_model_that_settings_use_for_the_wrong_task_is_not_deleted(library, kept):
    folder = kept("outline", task="seg")
    save_settings(Settings(cls_model=str(folder)))
    with pytest.raises(ModelError, match="is in use"):
        library.delete(library.find("outline"))


def test_nothing_goes_while_the_ancestors_of_a_model_in_use_are_unknown(library, kept):
    first = kept("first")
    (kept("second", parent=first) / "head.safetensors").unlink()
    save_settings(Settings(cls_model=str(paths.models() / "second")))
    with pytest.raises(ModelError, match="cannot be read, so nobody knows"):
        library.delete(library.find("first"))


def test_a_deletion_that_the_disk_refuses_is_one_line(library, kept, monkeypatch):
    folder = kept("mine")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(ModelError, match=r"mine: cannot be deleted \(Permission denied"):
            library.delete(library.find("mine"))
    assert folder.is_dir()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(ModelError, match="not all files are gone"):
            library.delete(library.find("mine"))
    assert names(library) == list(BUILT_IN)


def test_a_library_may_lie_anywhere(tmp_path):
    make_model(tmp_path / "ward" / "mine")
    library = ModelLibrary(tmp_path / "ward")
    library.use(library.find("mine"))
    assert (tmp_path / "ward" / "in-use-history.json").exists()
    assert isinstance(library.entries()[-1], ModelEntry)


def test_the_list_needs_no_torch_and_no_qt():
    code = (
        "import sys; from napari_fetal_iqa.model_library.library import ModelLibrary; "
        f"assert len(ModelLibrary().entries()) == {len(BUILT_IN)}; "
        "assert not {'torch', 'qtpy', 'napari'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
