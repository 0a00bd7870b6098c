"""``info`` and ``analyse`` mean the same sweeps by a folder, and name what they leave out."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_fetal_iqa.cli import app
from napari_fetal_iqa.cli.folders import find_sweeps
from napari_fetal_iqa.io import write_volume


@pytest.fixture
def folder(tmp_path, save_dicom, volume):
    write_volume(tmp_path / "mixed" / "monday.mha", volume, (0.2, 0.3))
    save_dicom("mixed/tuesday.dcm", volume[:5])
    (tmp_path / "mixed" / "notes.txt").write_text("hello")
    return tmp_path / "mixed"


def test_info_tells_of_every_sweep_that_analyse_means(folder):
    meant = [source.name for source in find_sweeps([folder])]

    result = CliRunner().invoke(app, ["info", str(folder), "--json"])
    words = CliRunner().invoke(app, ["info", str(folder)])

    assert meant == ["monday.mha", "mixed"]
    assert [facts["frames"] for facts in json.loads(result.stdout)] == [7, 5]
    assert words.stdout.count("identity:") == 2
    assert result.stderr == words.stderr == "mixed: left out notes.txt\n"


def test_one_sweep_in_a_folder_is_reported_as_itself(folder):
    (folder / "tuesday.dcm").unlink()

    assert (
        json.loads(CliRunner().invoke(app, ["info", str(folder), "--json"]).stdout)["frames"] == 7
    )


def test_a_bad_sweep_is_named_and_the_others_are_reported(folder):
    (folder / "sunday.mha").write_text("no image")

    result = CliRunner().invoke(app, ["info", str(folder), "--json"])

    assert len(json.loads(result.stdout)) == 2
    assert "sunday.mha: expected" in result.stderr
    assert "1 of 3 sweeps could not be read: sunday.mha" in str(result.exception)


def test_a_file_and_what_is_missing_are_meant_as_they_are(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    paths = [folder / "notes.txt", tmp_path / "gone", tmp_path / "empty"]

    assert [source.path for source in find_sweeps(paths)] == paths
    assert np.all([source.kind == "path" for source in find_sweeps(paths)])
