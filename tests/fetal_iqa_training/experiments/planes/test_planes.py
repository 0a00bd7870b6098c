"""Encoders on planes: readers of the three layouts, folds, leaks, and the command end to end."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetal_iqa_training.data.planes import (
    TEXT_BOXES,
    PlaneImage,
    load_frame,
    read_planes,
)
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.planes.folds import folds_of, macro_f1, validation_of
from fetal_iqa_training.experiments.planes.plan import external_of_machine

KINDS = {"Fetal abdomen": 40, "Fetal brain": 100, "Fetal femur": 160, "Fetal thorax": 220}


def draw(path, level, random):
    """Speckle of a plane's own brightness, and a mark of the plane where scanners burn in text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = random.normal(level, 8, (60, 80)).clip(0, 255)
    pixels[2:6, 70:78] = 255 - level
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def write(path, header, lines, separator):
    text = [separator.join(header), *(separator.join(map(str, line)) for line in lines)]
    path.write_text("\n".join(text) + "\n")


@pytest.fixture(scope="module")
def spanish(tmp_path_factory):
    """Ten subjects, two images of each of four planes, in the layout of FETAL_PLANES_DB."""
    folder, random = tmp_path_factory.mktemp("spanish"), np.random.default_rng(0)
    lines = []
    for subject in range(1, 11):
        for number, (plane, level) in enumerate(KINDS.items(), start=1):
            for one in (1, 2):
                name = f"Patient{subject:05d}_Plane{number}_{one}_of_2"
                draw(folder / "Images" / f"{name}.png", level, random)
                machine = "Aloka" if subject > 8 else "Voluson E6"
                lines.append([name, subject, plane, "Not A Brain", "Other", machine, "1"])
    header = [
        "Image_name",
        "Patient_num",
        "Plane",
        "Brain_plane",
        "Operator",
        "US_Machine",
        "Train ",
    ]
    write(folder / "FETAL_PLANES_DB_data.csv", header, lines, ";")
    return folder


@pytest.fixture(scope="module")
def african(tmp_path_factory):
    """Two patients with the same number in two countries, folders of their own."""
    folder, random = tmp_path_factory.mktemp("african"), np.random.default_rng(1)
    lines = []
    for centre in ("Algeria", "Malawi"):
        for number, (plane, level) in enumerate(KINDS.items(), start=1):
            name = f"Patient01_Plane{number}_1_of_1"
            draw(folder / centre / f"{name}.png", level, random)
            lines.append([1, name, plane, centre])
    header = ["Patient_num", "Filename", "Plane", "Center"]
    write(folder / "African_planes_database.csv", header, lines, ";")
    return folder


def test_the_three_layouts_are_read(spanish, african):
    images = read_planes(spanish)
    assert len(images) == 80
    assert {image.plane for image in images} == {"abdomen", "brain", "femur", "thorax"}
    assert {image.subject for image in images} == {str(number) for number in range(1, 11)}
    cohort = read_planes(african)
    assert {image.subject for image in cohort} == {"Algeria 1", "Malawi 1"}
    real = Path(os.environ.get("FETAL_IQA_DATA", "../shared/data")) / "fetal_planes_640"
    if real.is_dir():
        images = read_planes(real)
        assert (len(images), len({image.subject for image in images})) == (1299, 676)
        stretched = next(image for image in images if image.size == (1137, 787))
        assert load_frame(stretched).shape == (787, 1137)


def test_lists_that_cannot_be_used_are_refused_by_name(tmp_path, spanish):
    with pytest.raises(TrainingError, match=r"expected one of annotations.csv, FETAL_PLANES_DB"):
        read_planes(tmp_path)
    (tmp_path / "FETAL_PLANES_DB_data.xlsx").touch()
    with pytest.raises(TrainingError, match="save it as CSV"):
        read_planes(tmp_path)
    table = tmp_path / "FETAL_PLANES_DB_data.csv"
    for line, reason in (
        ("a;1;Fetal liver", "plane 'Fetal liver'"),
        ("a;1;Fetal brain", "names a.png, which is not in"),
        ("a;;Fetal brain", "a line without patient_num"),
    ):
        table.write_text(f"Image_name;Patient_num;Plane\n{line}\n")
        with pytest.raises(TrainingError, match=reason):
            read_planes(tmp_path)


def test_burned_in_text_is_blackened_in_the_same_places_of_every_image(spanish):
    one, other = read_planes(spanish)[0], read_planes(spanish)[-1]
    frames = [load_frame(image) for image in (one, other)]
    left = [load_frame(image, mask_text=False) for image in (one, other)]
    assert (left[0][2:6, 70:78] == 215).all()
    black = [frame == 0 for frame in frames]
    assert all((mask[:20, 66:]).all() for mask in black)
    outside = np.ones((60, 80), bool)
    for top, bottom, start, stop in TEXT_BOXES:
        outside[round(top * 60) : round(bottom * 60), round(start * 80) : round(stop * 80)] = False
    for frame, original in zip(frames, left, strict=True):
        assert (frame[outside] == original[outside]).all()


def stored(folder, name, content=None):
    """A file whose content no other has, unless one is given; nobody looks at it as an image."""
    path = folder / name
    path.write_text(content or name)
    return path


def images_of(n_subjects, seed, folder):
    random = np.random.default_rng(seed)
    return [
        PlaneImage(
            stored(folder, f"{number}.png"), str(random.integers(n_subjects)), plane, "Voluson"
        )
        for number, plane in enumerate(random.choice(["abdomen", "brain", "femur"], 200))
    ]


@pytest.mark.parametrize("seed", range(5))
def test_nobody_is_on_both_sides_of_a_fold_or_of_its_validation(seed, tmp_path):
    images = images_of(40, seed, tmp_path)
    folds = folds_of(images, seed)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(200))
    for fold in folds:
        inner = validation_of(fold, images, seed)
        sides = [{images[n].subject for n in p} for p in (inner.training, inner.test, fold.test)]
        assert all(sides)
        assert not sides[0] & sides[1]
        assert not (sides[0] | sides[1]) & sides[2]
    with pytest.raises(TrainingError, match="too few for 5 folds"):
        folds_of(images_of(4, seed, tmp_path), seed)


def test_no_image_is_on_both_sides_under_whatever_names(tmp_path):
    images = images_of(40, 0, tmp_path)
    copies = [
        PlaneImage(stored(tmp_path, f"copy{n}.png", f"{n}.png"), f"other {n}", images[n].plane)
        for n in range(0, 200, 10)
    ]
    every = [*images, *copies]
    of_image = [image.path.read_text() for image in every]
    for fold in folds_of(every, 0):
        inner = validation_of(fold, every, 0)
        sides = [{of_image[n] for n in p} for p in (inner.training, inner.test, fold.test)]
        assert not sides[0] & sides[1]
        assert not (sides[0] | sides[1]) & sides[2]


def test_a_machine_as_the_other_domain_shares_nobody_with_the_rest(tmp_path):
    both = [
        PlaneImage(stored(tmp_path, f"{m}{s}"), s, "brain", m) for m, s in ("A1", "A2", "B2", "B3")
    ]
    both.append(PlaneImage(stored(tmp_path, "B4", "A1"), "4", "brain", "B"))  # shown before
    own, other = external_of_machine(both, "B")
    assert [image.subject for image in own] == ["1", "2"]
    assert [image.subject for image in other] == ["3"]
    with pytest.raises(TrainingError, match="no images of 'C' and of others; there are: A, B"):
        external_of_machine(both, "C")


def test_f1_is_over_the_planes_that_there_are_and_others_count_as_wrong():
    truth = ["abdomen", "abdomen", "brain", "brain"]
    assert macro_f1(truth, truth) == 1
    # abdomen: 1 of 1 called, 1 of 2 found, F1 2/3; brain: 1 of 2 and 1 of 2, F1 1/2
    assert macro_f1(truth, ["abdomen", "brain", "brain", "cervix"]) == pytest.approx(7 / 12)


def test_planes_end_to_end(spanish, african, command, tmp_path):
    arguments = (
        "experiment", "planes", "--data", spanish, "--external", african, "--out", tmp_path,
        "--encoders", "resnet-demo", "--encoders", "fetalclip", "--device", "cpu",
    )  # fmt: skip
    code, out, err = command(*arguments, "--settings", "linear")
    assert code == 0, err
    assert "skipped, their weights are not here: fetalclip" in err
    assert str(tmp_path / "planes.md") in out
    (row,) = list(csv.DictReader((tmp_path / "planes.csv").open()))
    assert (row["encoder"], row["folds"]) == ("resnet-demo", "5")
    assert float(row["f1_in_mean"]) > 0.9  # brightness alone tells these apart
    written = json.loads((tmp_path / "planes.json").read_text())
    counted = [fold["confusion_in"] for fold in written["rows"][0]["folds"]]
    assert sum(sum(calls.values()) for one in counted for calls in one.values()) == 80
    first = tmp_path / "planes" / "resnet-demo" / "linear-fold-1.json"
    before = first.stat().st_mtime_ns
    code, _, err = command(*arguments, "--folds", 1, "--epochs", 1, "--batch-size", 16)
    assert code == 0, err
    assert first.stat().st_mtime_ns == before  # not made again
    text = (tmp_path / "planes.md").read_text()
    assert "full fine-tuning" in text
    assert "1 of 5" in text
    # the paper's best are told though neither is a row here
    assert "linear probing is best with fetalclip, 0.9261 in domain and 0.9731 out of it" in text
    assert "full fine-tuning is best with usfm, 0.9476 in domain and 0.9515 out of it" in text
    # another encoder is added: rows that are there stay, whatever they were made by
    others = (*arguments[:-6], "--encoders", "fetalclip-tiny", "--from-scratch", "--device", "cpu")
    code, out, err = command(*others, "--settings", "linear", "--json")
    assert code == 0, err
    assert str(tmp_path / "planes.csv") in json.loads(out)["files"]
    assert "earlier jobs had other options" in err
    added = [*others, "--encoders", "resnet-demo", "--settings", "linear"]
    added.remove("fetalclip-tiny")
    added.remove("--encoders")
    assert command(*added)[0] == 0
    options = json.loads((tmp_path / "planes.config.json").read_text())["options"]
    assert options["encoders"] == ["fetalclip-tiny", "resnet-demo"]
    rows = list(csv.DictReader((tmp_path / "planes.csv").open()))
    assert [(row["encoder"], row["setting"], row["weights"]) for row in rows] == [
        ("fetalclip-tiny", "linear", "random weights"),
        ("resnet-demo", "linear", "of demo-cls, trained on phantoms"),
        ("resnet-demo", "full", "of demo-cls, trained on phantoms"),
    ]
    code, _, err = command(*arguments, "--seed", 1)
    assert (code, "was made with other seed than requested" in err) == (1, True)
    config = json.loads((tmp_path / "planes.config.json").read_text())
    assert config["options"]["seed"] == 0  # what is refused writes nothing


@pytest.mark.slow
def test_folds_spread_over_processes_are_those_of_one(spanish, command, tmp_path):
    f1 = []
    for name, more in (("one", ()), ("two", ("--devices", 2))):
        out = tmp_path / name
        code, _, err = command("experiment", "planes", "--data", spanish, "--out", out,
            "--encoders", "resnet-demo", "--device", "cpu", "--folds", 2, "--epochs", 1, *more,
        )  # fmt: skip
        assert code == 0, err
        rows = list(csv.DictReader((out / "planes.csv").open()))
        f1.append(
            [(row["encoder"], row["setting"], row["folds"], row["f1_in_mean"]) for row in rows]
        )
    assert f1[0] == f1[1]
    assert len(f1[0]) == 2
