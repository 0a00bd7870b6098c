"""The command as a person types it."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fetal_iqa_models import DeviceError
from napari_fetal_iqa import cli
from napari_fetal_iqa.analysis import Analyser, coarse_to_fine, write_results
from napari_fetal_iqa.cli import batch
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
    code, out, _ = run("info", sweep_file, "--json", "--frames-per-sweep", "10")
    facts = json.loads(out)
    assert code == 0
    assert [facts[name] for name in ("frames", "rows", "columns")] == [60, 141, 186]
    assert len(facts["identity"]) == 64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"no image", "broken.mha"),
        ("truncate", "broken.mha"),
    ],
)
def test_a_bad_file_is_one_line_and_exit_code_1(run, sweep_file, tmp_path, content, message):
    path = tmp_path / "broken.mha"
    if content == "truncate":
        path.write_bytes(sweep_file.read_bytes()[:5000])
    elif content is not None:
        path.write_bytes(content)
    code, out, err = run("info", path)
    assert code == 1
    assert message in err
    assert err.count("\n") == 1
    assert out == ""


def test_bad_usage_is_exit_code_2(run):
    assert run("info")[0] == 2
    assert run("analyse", "x.mha")[0] == 2
    assert run("analyse", "x.mha", "--out", "x", "--frames", "a-b")[0] == 2
    assert run("analyse", "x.mha", "--out", "x", "--device", "tpu")[0] == 2


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


def test_other_bounds_are_not_done_already(run, sweep_file, models, tmp_path):
    analyse = ("analyse", sweep_file, "--out", tmp_path, *models)
    assert run(*analyse)[0] == 0
    for bounds, message in (
        (("--frames-per-sweep", "10"), "Results in"),
        (("--frames-per-sweep", "10"), "done already"),
        ((), "Results in"),
    ):
        assert message in run(*analyse, *bounds)[1]
    summary = tmp_path / "case_17" / "summary.json"
    facts = json.loads(summary.read_text())
    assert "done already" in run(*analyse)[1]
    for fact, other in (("spacing_mm", [1, 2]), ("tool_version", "0.0"), ("content_hash", None)):
        summary.write_text(json.dumps({**facts, fact: other}))
        assert "done already" not in run(*analyse)[1]


def test_some_frames_never_replace_the_results_of_all(run, sweep_file, models, tmp_path):
    analyse = ("analyse", sweep_file, "--out", tmp_path, *models)
    assert run(*analyse)[0] == 0
    summary = tmp_path / "case_17" / "summary.json"
    code, _, err = run(*analyse, "--frames", "1,2")
    assert code == 1
    assert err.count("\n") == 1
    assert "holds the results of all frames" in err
    assert json.loads(summary.read_text())["frames_analysed"] == 60
    assert run(*analyse, "--frames", "1,2", "--overwrite")[0] == 0
    assert json.loads(summary.read_text())["frames_analysed"] == 2
    assert run(*analyse, "--frames", "3")[0] == 0  # those were not all


@pytest.mark.parametrize(
    "error",
    [OSError(5, "Input/output error"), MemoryError(), RuntimeError("bad\nkernel"), None],
    ids=repr,
)
def test_whatever_befalls_one_sweep_the_others_go_on(
    run, sweep_file, models, tmp_path, monkeypatch, error
):
    """None: a model that fails in the middle for want of memory, as the predictor says it."""
    folder = tmp_path / "sweeps"
    folder.mkdir()
    for name in ("a.mha", "b.mha", "c.mha"):
        (folder / name).write_bytes(sweep_file.read_bytes())
    write = write_results

    def failing(analysis, out, *more):
        if analysis.sweep.name == "b":
            raise error or DeviceError("no memory for a single frame; close other programs")
        write(analysis, out, *more)

    monkeypatch.setattr("napari_fetal_iqa.cli.batch.write_results", failing)
    code, out, err = run("analyse", folder, "--out", tmp_path / "out", *models, "--frames", "1")
    assert code == 1
    assert out.count("Results in") == 2
    assert err.count("\n") == 2
    assert "1 of 3 sweeps could not be analysed: b.mha" in err
    code, _, err = run(
        *("analyse", folder / "b.mha", "--out", tmp_path / "out", *models, "--frames", "1")
    )
    assert code == 1
    assert err.count("\n") == 1


def test_models_that_cannot_be_loaded_end_the_run_at_once(
    run, sweep_file, models, tmp_path, monkeypatch
):
    folder = tmp_path / "sweeps"
    folder.mkdir()
    for name in ("a.mha", "b.mha"):
        (folder / name).write_bytes(sweep_file.read_bytes())
    analyse = ("analyse", folder, "--out", tmp_path / "out", *models)
    for error in (DeviceError("no memory for the networks"), RuntimeError("driver"), MemoryError()):
        with monkeypatch.context() as patch:
            patch.setattr(Analyser, "load", lambda *_, error=error: raise_(error))
            code, out, err = run(*analyse)
        assert (code, out) == (1, "")
        assert err.count("\n") == 1
        assert "sweeps could not" not in err


def raise_(error):
    raise error


def test_a_device_that_is_not_there_ends_the_run_before_it_begins(
    run, sweep_file, models, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    bad = tmp_path / "bad.mha"
    bad.write_bytes(b"")
    code, out, err = run(
        *("analyse", bad, sweep_file, "--out", tmp_path, *models[:4], "--device", "cuda")
    )
    assert (code, out) == (1, "")
    assert err == "napari-fetal-iqa: this machine has no cuda device; choose auto or cpu\n"


@pytest.mark.parametrize("blocked", ["out", "out/case_17"])
def test_a_folder_that_takes_no_results_is_named_before_anything_is_analysed(
    run, sweep_file, models, tmp_path, monkeypatch, blocked
):
    def analysed(*_, **__):
        raise AssertionError("the sweep was analysed")

    monkeypatch.setattr(batch, "analyse_sweep", analysed)
    path = tmp_path / blocked
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file, not a folder")
    code, out, err = run("analyse", sweep_file, "--out", tmp_path / "out", *models)
    assert (code, out) == (1, "")
    assert err.endswith(
        f"napari-fetal-iqa: {path}: the results cannot be written (File exists); choose another "
        "folder\n"
    )


def test_results_stay_inside_their_folder_for_any_name(run, sweep_file, tmp_path, models):
    out = tmp_path / "a" / "out"
    for name in ("...mha", "con.mha", "trailing. .mha"):
        (tmp_path / name).write_bytes(sweep_file.read_bytes())
        assert run("analyse", tmp_path / name, "--out", out, *models, "--frames", "1")[0] == 0

    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]
    assert sorted(path.name for path in out.iterdir()) == ["_con", "sweep", "trailing"]


def test_no_name_of_a_file_steers_the_terminal(run, sweep_file, tmp_path, models):
    name = "\x1b]0;title\x07b\x1b[2J\u202ec.mha"
    (tmp_path / name).write_bytes(sweep_file.read_bytes())
    out = tmp_path / "out"
    for _ in range(2):  # analysed, then done already
        code, words, err = run("analyse", tmp_path / name, "--out", out, *models, "--frames", "1")
        assert code == 0, err
        assert not set("\x1b\x07\u202e") & set(words + err)
    (tmp_path / name).write_bytes(b"no sweep")
    code, words, err = run("analyse", tmp_path / name, sweep_file, "--out", out, *models)
    assert code == 1
    assert not set("\x1b\x07\u202e") & set(words + err)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
@pytest.mark.parametrize("kind", ["pipe", "deep", "large"])
def test_what_lies_in_the_place_of_a_summary_is_not_waited_for(
    run, sweep_file, tmp_path, models, kind
):
    folder = tmp_path / "out" / sweep_file.stem
    folder.mkdir(parents=True)
    place = folder / "summary.json"
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.write_text("[" * (5000 if kind == "deep" else 2_000_000))
    arguments = ("analyse", sweep_file, "--out", tmp_path / "out", *models, "--frames", "1")
    code, _, err = run(*arguments)
    assert code == 0, err
    assert json.loads(place.read_text())["frames_analysed"] == 1


def test_a_folder_that_may_not_be_read_is_named_and_the_others_go_on(
    run, sweep_file, models, tmp_path, monkeypatch
):
    locked = tmp_path / "locked"
    locked.mkdir()
    iterdir = Path.iterdir

    def guarded(path):
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", guarded)
    code, out, err = run(
        *("analyse", locked, sweep_file, "--out", tmp_path / "out", *models, "--frames", "1")
    )
    assert code == 1
    assert "case_17" in out
    assert "1 of 2 sweeps could not be analysed: locked" in err


@pytest.fixture
def interrupted(monkeypatch):
    """Ctrl-C comes with the second batch."""
    whole = Analyser.run

    def run(self, sweep, order=None):
        for number, results in enumerate(whole(self, sweep, order)):
            if number == 1:
                raise KeyboardInterrupt
            yield results

    monkeypatch.setattr(Analyser, "run", run)


@pytest.mark.usefixtures("interrupted")
def test_what_is_analysed_before_ctrl_c_is_written(run, sweep_file, models, tmp_path):
    analyse = ("analyse", sweep_file, "--out", tmp_path, *models, "--batch-size", "7")
    code, out, _ = run(*analyse)
    assert code == 130
    assert "stopped after 7 of 60 frames; their results are in" in out
    summary = json.loads((tmp_path / "case_17" / "summary.json").read_text())
    assert summary["frames_analysed"] == 7
    with (tmp_path / "case_17" / "frames.csv").open() as file:
        scored = [int(row["frame"]) for row in csv.DictReader(file) if row["quality"]]
    assert scored == sorted(coarse_to_fine(60)[:7])  # coarse to fine, so they are spread out
    assert run(*analyse)[0] == 130  # not taken for done


def test_ctrl_c_leaves_complete_results_as_they_are(run, sweep_file, models, tmp_path, request):
    analyse = ("analyse", sweep_file, "--out", tmp_path, *models, "--batch-size", "7")
    assert run(*analyse)[0] == 0
    request.getfixturevalue("interrupted")
    code, out, _ = run(*analyse, "--overwrite")
    assert code == 130
    assert "stopped after 7 of 60 frames; the results of all frames" in out
    summary = json.loads((tmp_path / "case_17" / "summary.json").read_text())
    assert summary["frames_analysed"] == 60


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

    monkeypatch.setattr(
        "napari_fetal_iqa.contributions.sample_data.demo_sweep",
        lambda progress: read_sweep(sweep_file),
    )
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
