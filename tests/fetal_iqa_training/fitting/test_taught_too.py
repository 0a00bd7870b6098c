"""A fit says how many of the frames that choose and judge it taught it, under other names."""

import shutil

import numpy as np
import pytest

from fetal_iqa_models import load_card
from fetal_iqa_training.data.fit_data import choose_data
from fetal_iqa_training.fitting.taught_too import TAUGHT_TOO
from napari_fetal_iqa.io import list_cases, read_sweep
from napari_fetal_iqa.io.write import write_volume

from ..conftest import tiny_settings


@pytest.fixture
def with_copies(data, tmp_path):
    """The data set, with four frames of a training case in a validation and in a test case."""
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    parts = choose_data(folder, tiny_settings("cls")).cases
    cases = {case.uuid: case for case in list_cases(folder)}
    taught = np.asarray(read_sweep(cases[parts.training[0].name].image_path).frames)
    for part in (parts.validation, parts.test):
        path = cases[part[0].name].image_path
        frames = np.asarray(read_sweep(path).frames).copy()
        frames[2:6], frames[8] = taught[4:8], 0
        write_volume(path, frames, (1.0, 1.0))
    return folder


@pytest.mark.parametrize("recipe", ["ours", "published"])
def test_the_card_and_the_command_tell_of_frames_that_teach_too(
    with_copies, tmp_path, command, recipe
):
    out = tmp_path / "model"
    code, _, err = command(
        *("fit", "--data", with_copies, "--task", "cls", "--encoder", "fetalclip-tiny"),
        *("--from-scratch", "--epochs", 1, "--copies", 0, "--batch-size", 16, "--device", "cpu"),
        *("--recipe", recipe, "--out", out),
    )
    assert code == 0, err
    assert load_card(out).training[TAUGHT_TOO] == {"validation": 4, "test": 4}
    for part in ("validation", "test"):
        assert f"4 frames of the {part} part taught the model, too" in err
