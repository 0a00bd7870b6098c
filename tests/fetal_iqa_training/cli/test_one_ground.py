"""The rows of one table stand on one ground: the same truth, the same copies, one kind of start."""

import csv
import json
import shutil

import numpy as np
import pytest

from fetal_iqa_training.data.fit_data import choose_data
from fetal_iqa_training.data.split import SPLIT
from fetal_iqa_training.settings import FitSettings
from napari_fetal_iqa.io import list_cases, read_sweep
from napari_fetal_iqa.io.write import write_volume

from ..conftest import tiny_settings

ONE, OTHER = ("--rows", "densenet121"), ("--rows", "vgg16")


def rows_of(out, table="table1"):
    return [row["row"] for row in csv.DictReader((out / f"{table}.csv").open())]


@pytest.fixture
def own_data(data, tmp_path):
    """A copy that may be changed."""
    shutil.copytree(data, tmp_path / "data")
    return tmp_path / "data"


def test_cases(out):
    frames = next((out / "models").rglob("seed-0.frames.csv"))
    return {line["case"] for line in csv.DictReader(frames.open())}


test_cases.__test__ = False


def erase(path, spacing):
    masks = np.asarray(read_sweep(path).frames).copy()
    masks[:18] = 0
    write_volume(path, masks, (1.0, 1.0))


def stretch(path, spacing):
    write_volume(path, np.asarray(read_sweep(path).frames).copy(), (2.0, 2.0))


@pytest.mark.parametrize("what", ["masks", "spacing"])
def test_rows_that_were_judged_by_another_truth_are_refused(experiment, own_data, tmp_path, what):
    given = ("--data", own_data, "--runs", 1)
    assert experiment("table1", *given, *ONE).code == 0
    out = tmp_path / "out"
    before = (out / "table1.csv").read_text()
    case = next(c for c in list_cases(own_data) if c.uuid in test_cases(out))
    if what == "masks":
        erase(case.mask_path, None)
    else:
        stretch(case.image_path, None)
        stretch(case.mask_path, None)
    for rows in (OTHER, ONE):
        ran = experiment("table1", *given, *rows)
        assert ran.code == 1
        assert "seed-0: was judged on other test data (frames, labels, masks or spa" in ran.err
    assert (out / "table1.csv").read_text() == before
    assert not (out / "models" / "vgg16-cls-full-as-fetalclip-tiny").exists()


def test_rows_whose_epoch_other_validation_frames_chose_are_refused(experiment, own_data, tmp_path):
    given = ("--data", own_data, "--runs", 1)
    assert experiment("table1", *given, *ONE).code == 0
    settings = FitSettings(
        task="cls", encoder="fetalclip-tiny", test_share=0.3, validation_share=0.3
    )
    validation = {case.name for case in choose_data(own_data, settings).cases.validation}
    case = next(c for c in list_cases(own_data) if c.uuid in validation)
    erase(case.mask_path, None)
    ran = experiment("table1", *given, *OTHER)
    assert ran.code == 1
    assert "was fitted with other validation data than requested" in ran.err


def built(command, data, folder, seed=7):
    command(
        *("prepare", "acouslic", data, "--build", folder, "--seed", seed, "--copies", 2),
        *("--image-size", 56, "--test-share", 0.3, "--validation-share", 0.3),
    )
    assert (folder / SPLIT).is_file()
    return folder


def test_frames_built_ahead_and_read_anew_have_the_same_copies(command, data, tmp_path):
    ahead = built(command, data, tmp_path / "built")
    settings = tiny_settings("cls", copies=2)
    for recipe in ("ours", "published"):
        chosen = [
            choose_data(data, settings.model_copy(update={"recipe": recipe}), **given)
            for given in ({"prepared": ahead}, {"split": ahead / SPLIT})
        ]
        assert {one.copies_seed for one in chosen} == {7}
    chosen = [
        choose_data(data, settings, **given)
        for given in ({"prepared": ahead}, {"split": ahead / SPLIT})
    ]
    sets = [
        one.frame_sets(tmp_path / str(number), lambda progress: None)[0]
        for number, one in enumerate(chosen)
    ]
    for one, other in zip(*([part.copies for part in sets]), strict=True):
        assert (one.frames == other.frames).all()
        assert (one.masks == other.masks).all()
    assert (sets[0].copies[0].frames != sets[0].frames).any()


def test_jobs_with_and_without_frames_built_ahead_share_a_table_of_the_same_copies(
    experiment, command, data, tmp_path
):
    ahead = built(command, data, tmp_path / "built")
    trial = ("--encoder", "fetalclip-tiny", "--epochs", "1", "--device", "cpu", "--runs", 1)
    assert experiment("table1", *ONE, "--prepared", ahead, trial=trial).code == 0
    ran = experiment("table1", *OTHER, "--split", ahead / SPLIT, trial=trial)
    assert ran.code == 0, ran.err
    assert len(rows_of(tmp_path / "out")) == 2
    # a list that somebody gave another seed makes other copies
    listed = tmp_path / "listed.json"
    listed.write_text(json.dumps(json.loads((ahead / SPLIT).read_text()) | {"seed": 8}))
    ran = experiment("table1", *OTHER, "--split", listed, trial=trial)
    assert ran.code == 1
    assert "was fitted with other augmented copies than requested" in ran.err


def test_a_folder_has_one_kind_of_start(experiment, tmp_path):
    assert experiment("table1", "--runs", 1, *ONE).code == 0
    before = (tmp_path / "out" / "table1.csv").read_text()
    plain = ("--epochs", "1", "--copies", "0", "--device", "cpu", "--runs", 1)
    for other, words in (
        (("--from-scratch",), "these would start at random"),
        (("--encoder", "resnet-demo"), "these would start as trials with resnet-demo"),
    ):
        ran = experiment("table1", *OTHER, *other, trial=plain)
        assert ran.code == 1
        assert "holds runs that started as trials with fetalclip-tiny" in ran.err
        assert words in ran.err
    assert (tmp_path / "out" / "table1.csv").read_text() == before
