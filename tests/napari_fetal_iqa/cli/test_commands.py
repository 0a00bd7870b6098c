"""The command as a person types it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_fetal_iqa import cli
from napari_fetal_iqa.cli.analyse import parse_frames
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom


@pytest.fixture(scope="module")
def sweep_file(tmp_path_factory):
    sweep = make_phantom(PhantomSettings.small(), seed=3).sweep
    path = tmp_path_factory.mktemp("sweeps") / "case_17.mha"
    write_volume(path, sweep.frames, sweep.spacing_mm)
    return path


@pytest.fixture
def models(tiny_models):
    return ("--cls", tiny_models["cls"], "--seg", tiny_models["seg"], "--device", "cpu")


def test_info_says_what_is_in_a_file(run, sweep_file):
    code, out, err = run("info", sweep_file)
    assert (code, err) == (0, "")
    assert "60" in out
    assert "1.12" in out


def test_info_as_json_is_for_programs(run, sweep_file):
    code, out, _ = run("info", sweep_file, "--json", "--frames-per-sweep", "20")
    facts = json.loads(out)
    assert code == 0
    assert [facts[name] for name in ("frames", "rows", "columns")] == [60, 141, 186]
    assert len(facts["identity"]) == 64


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"no image", "broken.mha"),
        ("truncate", "broken.mha"),
    ],
)
def test_a_bad_file_is_one_line_and_exit_code_1(run, sweep_file, tmp_path, content, said):
    path = tmp_path / "broken.mha"
    if content == "truncate":
        path.write_bytes(sweep_file.read_bytes()[:5000])
    elif content is not None:
        path.write_bytes(content)
    code, out, err = run("info", path)
    assert code == 1
    assert said in err
    assert err.count("\n") == 1
    assert out == ""


def test_bad_usage_is_exit_code_2(run):
    assert run("info")[0] == 2
    assert run("analyse", "x.mha")[0] == 2
    assert run("analyse", "x.mha", "--out", "x", "--frames", "a-b")[0] == 2


def test_help_teaches(run):
    code, out, _ = run("analyse", "--help")
    assert code == 0
    assert "Example: napari-fetal-iqa analyse" in out


@pytest.mark.parametrize(
    ("text", "frames"), [("3", [3]), ("3,17", [3, 17]), ("2-4, 9", [2, 3, 4, 9])]
)
def test_frames_are_read_as_numbers_and_ranges(text, frames):
    assert parse_frames(text) == frames


def test_analyse_writes_the_contracts_files_and_skips_what_is_done(
    run, sweep_file, models, tmp_path
):
    code, out, err = run("analyse", sweep_file, "--out", tmp_path, *models)
    assert code == 0, err
    assert "not a medical device" in out
    folder = tmp_path / "case_17"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["name"] == "case_17"
    assert summary["frames_analysed"] == 60

    made = (folder / "frames.csv").stat().st_mtime_ns
    code, out, _ = run("analyse", sweep_file, "--out", tmp_path, *models)
    assert "done already" in out
    assert (folder / "frames.csv").stat().st_mtime_ns == made
    code, out, _ = run("analyse", sweep_file, "--out", tmp_path, *models, "--overwrite")
    assert "on cpu" in out
    assert (folder / "frames.csv").stat().st_mtime_ns != made
    code, out, _ = run("analyse", sweep_file, "--out", tmp_path / "elsewhere", *models)
    assert "on cpu" not in out  # from the cache: no model was loaded
    again = tmp_path / "elsewhere" / "case_17" / "frames.csv"
    assert again.read_text() == (folder / "frames.csv").read_text()


def test_a_folder_is_analysed_whole_and_bad_files_are_named_at_the_end(
    run, sweep_file, models, tmp_path
):
    folder = tmp_path / "sweeps"
    folder.mkdir()
    (folder / "a_broken.mha").write_bytes(b"no image")
    (folder / "b_good.mha").write_bytes(sweep_file.read_bytes())
    (folder / "notes.txt").write_text("not a sweep")
    code, _, err = run("analyse", folder, "--out", tmp_path / "out", *models, "--frames", "1,2")
    assert code == 1
    assert "a_broken.mha" in err
    assert "1 of 2 sweeps could not be analysed: a_broken.mha" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b_good"]


def test_two_sweeps_of_one_name_keep_their_own_results(run, sweep_file, models, tmp_path):
    other = tmp_path / "other" / sweep_file.name
    other.parent.mkdir()
    write_volume(other, np.full((4, 50, 60), 9, np.uint8), (0.5, 0.5))
    for path in (sweep_file, other, other):
        assert run("analyse", path, "--out", tmp_path / "out", *models, "--frames", "1")[0] == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names[0] == "case_17"
    assert len(names) == 2
    assert names[1].startswith("case_17-")


def test_a_frame_that_is_not_there_is_one_line(run, sweep_file, models, tmp_path):
    code, _, err = run("analyse", sweep_file, "--out", tmp_path, *models, "--frames", "60")
    assert code == 1
    assert "frames 0 to 59" in err


def test_a_wrong_model_is_one_line(run, sweep_file, tmp_path):
    code, _, err = run("analyse", sweep_file, "--out", tmp_path, "--cls", "no-such-model")
    assert code == 1
    assert err.startswith("napari-fetal-iqa: no-such-model")
    assert err.count("\n") == 1


def test_the_demo_without_a_window_writes_the_results(run, monkeypatch, sweep_file, tmp_path):
    from napari_fetal_iqa.io import read_sweep

    monkeypatch.setattr("napari_fetal_iqa.cli.demo.demo_sweep", lambda: read_sweep(sweep_file))
    code, out, err = run("demo", "--headless", "--out", tmp_path)
    assert code == 0, err
    assert "Demo models, trained on phantoms only: not for clinical use." in out
    assert (tmp_path / "case_17" / "timeline.png").exists()


def test_the_demo_needs_a_screen_and_says_so(run, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("shutil.which", lambda _: None)
    code, _, err = run("demo")
    assert code == 1
    assert "there is no screen here: install xvfb" in err


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "napari_fetal_iqa", "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
        check=False,
    )
    assert done.returncode == 0
    assert "napari-fetal-iqa demo" in done.stdout


def test_without_a_command_the_help_is_shown():
    result = CliRunner().invoke(cli.app, [])
    assert "analyse" in result.output
