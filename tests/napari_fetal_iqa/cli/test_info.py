"""``napari-fetal-iqa info``: facts of sound sweeps, one line for bad ones."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_fetal_iqa.cli import app
from napari_fetal_iqa.io import write_volume


@pytest.fixture
def sweep(tmp_path):
    frames = np.random.default_rng(0).integers(1, 255, (9, 24, 32), np.uint8)
    return write_volume(tmp_path / "case.mha", frames, (0.2, 0.3))


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], [[0, 9]]), (["--frames-per-sweep", "4"], [[0, 4], [4, 8], [8, 9]])],
)
def test_sweeps_are_as_long_as_requested(sweep, options, expected):
    result = CliRunner().invoke(app, ["info", str(sweep), "--json", *options])

    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert facts["sweeps"] == expected
    assert (facts["frames"], facts["spacing_mm"]) == (9, [0.2, 0.3])


def test_words_tell_the_number_of_sweeps(sweep):
    result = CliRunner().invoke(app, ["info", str(sweep), "--frames-per-sweep", "3"])

    assert "3 of 3 frames" in result.stdout


def test_words_and_json_say_why_a_spacing_is_doubtful(save_dicom, volume):
    path = save_dicom("a.dcm", volume, PixelSpacing=[1, 1])

    words = CliRunner().invoke(app, ["info", str(path)]).stdout
    facts = json.loads(CliRunner().invoke(app, ["info", str(path), "--json"]).stdout)

    assert "1 x 1 mm (along rows x columns); 1 mm is what" in words
    assert facts["spacing_note"] in words


def test_what_must_be_known_of_the_spacing_is_reported(tmp_path):
    frames = np.random.default_rng(0).integers(1, 255, (9, 24, 32), np.uint8)
    path = write_volume(tmp_path / "case.mha", frames, (1.0, 1.0))

    words = CliRunner().invoke(app, ["info", str(path)]).stdout
    facts = json.loads(CliRunner().invoke(app, ["info", str(path), "--json"]).stdout)

    assert "1 x 1 mm (along rows x columns); spacing 1 mm is a placeholder" in words
    assert facts["spacing_note"].startswith("spacing 1 mm is a placeholder")
    assert list(facts)[-1] == "spacing_note"


def test_a_sweep_has_at_least_one_frame(sweep):
    assert CliRunner().invoke(app, ["info", str(sweep), "--frames-per-sweep", "0"]).exit_code == 2


def test_the_help_says_what_can_be_opened():
    help_text = " ".join(CliRunner().invoke(app, ["info", "--help"]).stdout.split())

    assert "DICOM" in help_text
