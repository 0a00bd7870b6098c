"""Data sets of single images, and several data sets as one."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.draw import ellipse

from fetal_iqa_training.data import outlined_planes
from fetal_iqa_training.data.collection import Part, write_collection
from fetal_iqa_training.data.datasets import list_annotated, origin
from fetal_iqa_training.data.labelled_frames import frames_of
from fetal_iqa_training.data.outlines import COLUMNS, PlaneEllipse, read_outlines
from fetal_iqa_training.data.phantoms import write_phantoms
from fetal_iqa_training.data.planes import read_planes
from fetal_iqa_training.data.split import listed_cases
from fetal_iqa_training.data.whose_chests import with_subjects_by_content
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.geometry.biometry import measure_abdomen

PLANES = ["file", "subject", "plane", "us_machine", "original_width", "original_height"]
PLANES += ["subject_split"]
CHESTS = ["file", "split", "width", "height", "thorax_cx", "thorax_cy", "thorax_a", "thorax_b"]
CHESTS += ["thorax_angle_deg", "subject"]


def write_table(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def write_image(path, size=(64, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(str(path))).integers(50, 200, size[::-1]).astype(np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def planes(tmp_path, monkeypatch):
    """Stretched planes: two abdomens, one of which has an outline, and a brain."""
    folder = tmp_path / "planes"
    rows = [
        ["one.png", "7", "Fetal abdomen", "A", 120, 80, "train"],
        ["untold.png", "8", "Fetal abdomen", "A", 120, 80, "train"],
        ["brain.png", "9", "Fetal brain", "B", 120, 80, "val"],
    ]
    write_table(folder / "annotations.csv", PLANES, rows)
    for row in rows:
        write_image(folder / "images" / row[0])
    table = tmp_path / "outlines.csv"
    lines = [
        ["one.png", "7", 60, 40, 30, 20, 25, 1, ""],
        ["one.png", "7", 61, 40, 30, 20, 25, 2, ""],
        ["untold.png", "8", "", "", "", "", "", 1, "no edge"],
    ]
    write_table(table, COLUMNS, lines)
    monkeypatch.setattr(outlined_planes, "read_outlines", lambda: read_outlines(table))
    return folder


@pytest.fixture
def chests(tmp_path):
    folder = tmp_path / "chests"
    rows = [
        ["training/images/001.png", "training", 60, 50, 30, 25, 20, 15, 0, "7"],
        ["testing/images/001.png", "testing", 60, 50, 30, 25, 20, 15, 0, ""],
    ]
    write_table(folder / "annotations.csv", CHESTS, rows)
    for row in rows:
        write_image(folder / row[0], (60, 50))
    return folder


def test_an_outline_is_the_ellipse_that_others_draw():
    mask = PlaneEllipse(60.0, 40.0, 30.0, 20.0, 25.0).mask((80, 120))
    expected = np.zeros((80, 120), bool)
    # scikit-image turns the other way round
    expected[ellipse(40, 60, 20, 30, (80, 120), rotation=-np.deg2rad(25))] = True
    assert (mask ^ expected).sum() <= 0.02 * expected.sum()
    measured = measure_abdomen(mask, (1.0, 1.0))
    assert measured.angle_deg == pytest.approx(25, abs=2)


def test_a_plane_is_an_abdomen_with_its_outline_or_none(planes):
    cases = list_annotated(planes)
    assert [(case.name, case.subject_id) for case in cases] == [("one", "7"), ("brain", "9")]
    abdomen, brain = frames_of(cases)
    assert abdomen.frames.shape == abdomen.masks.shape == (1, 80, 120)  # the stretch is undone
    assert abdomen.positive.all()
    assert abdomen.masks.sum() == pytest.approx(np.pi * 30 * 20, rel=0.02)
    assert not brain.positive.any()
    assert not brain.masks.any()


def test_the_second_pass_is_kept_apart(planes):
    table = planes.parent / "outlines.csv"
    assert read_outlines(table)["one.png"] == PlaneEllipse(60, 40, 30, 20, 25)
    assert "untold.png" not in read_outlines(table)
    assert read_outlines(table, "2") == {"one.png": PlaneEllipse(61, 40, 30, 20, 25)}


def test_chests_have_the_outline_of_the_ribs(chests):
    cases = list_annotated(chests)
    assert [case.subject_id for case in cases] == ["7", "focus-testing-001"]
    first = next(frames_of(cases))
    assert first.masks.sum() == pytest.approx(np.pi * 20 * 15, rel=0.02)


def test_a_collection_is_one_data_set(planes, chests, tmp_path):
    folder = tmp_path / "all"
    parts = [
        Part(folder=str(planes), subjects="db"),
        Part(folder="../chests", subjects="db", other_anatomy=True),
    ]
    write_collection(folder, parts)
    cases = list_annotated(folder)
    assert [case.subject_id for case in cases] == ["db/7", "db/9", "db/7", "db/focus-testing-001"]
    made_of = [{"data": "planes", "other_anatomy": False, "origin": None}]
    made_of += [{"data": "chests", "other_anatomy": True, "origin": None}]
    assert origin(folder) == {"collection": made_of}  # for cards: names, and no places
    sources = list(frames_of(cases))
    assert [source.positive.any() for source in sources] == [True, False, False, False]
    assert [source.masks.any() for source in sources] == [True, False, False, False]
    assert [source.subject for source in sources] == [case.subject_id for case in cases]


def test_a_subject_of_two_data_sets_is_on_one_side(planes, chests, tmp_path):
    folder = tmp_path / "all"
    parts = [Part(folder=str(one), subjects="db") for one in (planes, chests)]
    write_collection(folder, parts)
    split = {"training": ["one"], "validation": ["focus-training-001"], "test": []}
    (folder / "split.json").write_text(json.dumps(split))
    with pytest.raises(TrainingError, match="subject 'db/7' is in training and"):
        listed_cases(folder, folder / "split.json")


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ("{}", "not a list of data sets"),
        ('{"parts": [{"folder": "."}]}', "is a collection itself"),
        (
            '{"parts": [{"folder": "../planes"}, {"folder": "../planes", "subjects": "others"}]}',
            "two of its data sets",
        ),
    ],
)
def test_a_collection_that_is_none_is_refused(planes, tmp_path, listed, words):
    folder = tmp_path / "all"
    folder.mkdir()
    (folder / "collection.json").write_text(listed)
    with pytest.raises(TrainingError, match=words):
        list_annotated(folder)


def test_who_is_held_back_by_a_data_set_judges(planes, chests, tmp_path, command):
    heads = tmp_path / "heads"
    rows = [[f"h{n}.png", n, "Fetal brain", "C", 64, 64, ""] for n in range(20)]
    write_table(heads / "annotations.csv", PLANES, rows)
    for row in rows:
        write_image(heads / "images" / row[0])
    folder = tmp_path / "all"
    arguments = ["prepare", "collection", "--out", folder, "--data", planes]
    arguments += ["--other-anatomy", chests, "--other-anatomy", heads]
    arguments += ["--same-people", planes, "--same-people", chests]
    code, out, err = command(*arguments)
    assert code == 0, err
    assert "test: 4 cases of 4 subjects" in out
    cases, _ = listed_cases(folder, folder / "split.json")
    sides = {"training": cases.training, "validation": cases.validation, "test": cases.test}
    names = {side: {case.name for case in part} for side, part in sides.items()}
    assert {"brain", "focus-testing-001"} <= names["test"]
    assert len(names["test"]) == 2 + 2  # a tenth of the heads
    assert len(names["validation"]) == 2
    # chest and abdomen of subject 7 are on one side
    assert any({"one", "focus-training-001"} <= part for part in names.values())
    assert sum(map(len, names.values())) == 4 + 20


def test_a_collection_that_cannot_be_split_leaves_nothing(planes, tmp_path, command):
    only = [["a.png", "1", "Fetal brain", "A", 64, 64, "val"]]
    write_table(planes / "annotations.csv", PLANES, only)
    write_image(planes / "images" / "a.png")
    code, _, err = command("prepare", "collection", "--out", tmp_path / "all", "--data", planes)
    assert code == 1
    assert "add data to learn from" in err
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize(("part", "held"), [("val", True), ("train", False)])
def test_sweeps_of_held_back_planes_are_held_back(tmp_path, part, held):
    write_phantoms(tmp_path / "sweeps", 1, size="small")
    note = json.loads((tmp_path / "sweeps" / "origin.json").read_text())
    (tmp_path / "sweeps" / "origin.json").write_text(json.dumps({"textured": {"part": part}}))
    write_collection(tmp_path / "all", [Part(folder=str(tmp_path / "sweeps"))])
    assert [case.held_back for case in list_annotated(tmp_path / "all")] == [held]
    (tmp_path / "sweeps" / "origin.json").write_text(json.dumps(note))
    assert [case.held_back for case in list_annotated(tmp_path / "all")] == [None]


def sized(folder, width):
    write_table(folder / "annotations.csv", PLANES, [["a.png", 1, "Other", "", width, 80, ""]])
    write_image(folder / "images" / "a.png")
    return folder


def test_a_whole_number_with_a_point_is_a_width(tmp_path):
    assert read_planes(sized(tmp_path, "959.0"))[0].size == (959, 80)


@pytest.mark.parametrize("width", ["959px", "959.5", "0", "-5", "2000000", "nan", ""])
def test_a_width_that_is_none_is_refused(tmp_path, width):
    with pytest.raises(TrainingError, match=r"annotations\.csv: a\.png has original_width") as told:
        read_planes(sized(tmp_path, width))
    assert "\n" not in str(told.value)


def test_an_outline_off_its_plane_makes_no_truth(planes):
    lines = [["one.png", "7", 130, 40, 30, 20, 25, 1, ""]]
    write_table(planes.parent / "outlines.csv", COLUMNS, lines)
    with pytest.raises(TrainingError, match=r"one\.png: the centre of its outline"):
        list(frames_of(list_annotated(planes)))


def smooth(seed, rows=50, columns=60):
    """An image with structure at the size at which frames are compared."""
    random = np.random.default_rng(seed).normal(size=(rows, columns))
    blurred = gaussian_filter(random, 2.5)
    return (127 + 100 * blurred / np.abs(blurred).max()).astype(np.uint8)


def test_a_chest_without_a_subject_is_told_by_the_thorax_that_it_resembles(tmp_path):
    planes, chests = tmp_path / "planes", tmp_path / "chests"
    rows = [[f"{n}.png", str(n), "Fetal thorax", "A", "", "", "val"] for n in (1, 2)]
    write_table(planes / "annotations.csv", PLANES, rows)
    ellipse = [60, 50, 30, 25, 20, 15, 0, ""]
    names = ("copied", "likewise", "doubtful", "own")
    listed = [[f"training/images/{name}.png", "training", *ellipse] for name in names]
    write_table(chests / "annotations.csv", CHESTS, listed)
    (planes / "images").mkdir()
    (chests / "training" / "images").mkdir(parents=True)
    held_back, noise = smooth(1), smooth(9).astype(float) - 127
    shown = {
        "copied": np.roll(held_back, (3, -3), (0, 1)),  # seconds later in the loop
        "likewise": np.roll(held_back, (6, -5), (0, 1)),  # later still: like the chest before
        "doubtful": (held_back + 0.5 * noise).clip(0, 255).astype(np.uint8),
        "own": smooth(5),
    }
    for name, pixels in ((1, held_back), (2, smooth(2))):
        Image.fromarray(pixels).resize((120, 80)).save(planes / "images" / f"{name}.png")
    for name, pixels in shown.items():
        Image.fromarray(pixels).save(chests / "training" / "images" / f"{name}.png")
    both = [str(planes), str(chests)]
    parts = with_subjects_by_content(Part(folder=one, subjects="db") for one in both)
    assert parts[0] == Part(folder=both[0], subjects="db")
    assert parts[1].subject_of == {"focus-training-copied": "1", "focus-training-likewise": "1"}
    assert parts[1].left_out == ("focus-training-doubtful",)
    write_collection(tmp_path / "all", parts)
    cases = {case.name: case for case in list_annotated(tmp_path / "all")}
    assert set(cases) == {"1", "2", *(f"focus-training-{name}" for name in names)} - {
        "focus-training-doubtful"
    }
    assert cases["focus-training-copied"].subject_id == "db/1"
    # held back by the thorax: it may not teach, although the chests' own list says so
    assert cases["focus-training-copied"].held_back is None
    assert cases["focus-training-own"].held_back is False
    # nobody says that these are the same people: nothing is compared
    strangers = [Part(folder=one) for one in both]
    assert with_subjects_by_content(strangers) == tuple(strangers)
