import json
import shutil
import tracemalloc

import numpy as np
import pytest
import scipy.ndimage
import SimpleITK
from typer.testing import CliRunner

from fetal_iqa_training.challenge.scored_folder import read_truth, score_submission
from fetal_iqa_training.challenge.submission import (
    Choice,
    export_submission,
    read_choice,
    write_choice,
)
from fetal_iqa_training.cli.app import app
from fetal_iqa_training.data.phantoms import write_phantoms
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.io import list_cases, read_sweep, write_volume
from napari_fetal_iqa.io.acouslic import TABLE

from ..conftest import FRAMES_PER_SWEEP, SHAPE

N_FRAMES = 6 * FRAMES_PER_SWEEP


@pytest.mark.parametrize("command", ["export challenge", "score", "prepare acouslic"])
def test_help_of_each_command_shows_an_example(command):
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert f"Example: fetal-iqa-train {command}" in " ".join(shown.output.split())


def write_analysis(folder, masks, best_frame, spacing_mm=(1.0, 1.0), **changes):
    """The two files of an analysis that a submission is made of."""
    folder.mkdir(parents=True)
    write_volume(folder / "masks.mha", masks, spacing_mm)
    summary = {"best_frame": best_frame, "frames": len(masks), "frames_analysed": len(masks)}
    (folder / "summary.json").write_text(json.dumps(summary | changes))


def discs(best_frame):
    masks = np.zeros((N_FRAMES, *SHAPE), np.uint8)
    masks[3:6, 10:30, 20:40] = 1
    masks[best_frame, 5:9, 7:11] = 1
    return masks


def test_a_submission_is_empty_but_for_the_chosen_frame(tmp_path, command):
    masks = discs(4)
    write_analysis(tmp_path / "results" / "a", masks, 4, (0.28, 0.3))
    write_analysis(tmp_path / "results" / "b", masks, -1, (0.28, 0.3))
    out = tmp_path / "submission"
    code, output, _ = command("export", "challenge", tmp_path / "results", "--out", out)
    assert (code, output) == (0, f"{out}: 2 of 2 cases written\n")
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {
        f"{case}/{file}"
        for case in "ab"
        for file in (
            "images/fetal-abdomen-segmentation/output.mha",
            "fetal-abdomen-frame-number.json",
        )
    }
    assert json.loads((out / "a" / "fetal-abdomen-frame-number.json").read_text()) == 4
    assert json.loads((out / "b" / "fetal-abdomen-frame-number.json").read_text()) == -1
    written = SimpleITK.ReadImage(out / "a" / "images/fetal-abdomen-segmentation/output.mha")
    assert written.GetSpacing() == (0.3, 0.28, 1)
    volume = SimpleITK.GetArrayFromImage(written)
    assert volume.dtype == np.uint8
    assert (volume[4] == masks[4]).all()
    assert np.flatnonzero(volume.any((1, 2))).tolist() == [4]
    header = (out / "a" / "images/fetal-abdomen-segmentation/output.mha").read_bytes()[:400]
    assert b"CompressedData = True" in header
    other = read_sweep(out / "b" / "images/fetal-abdomen-segmentation/output.mha")
    assert not np.asarray(other.frames).any()


def test_an_analysis_that_cannot_be_used_is_named_and_the_others_go_on(tmp_path, command):
    results = tmp_path / "results"
    write_analysis(results / "good", discs(4), 4)
    write_analysis(results / "cut", discs(4), 4, frames_analysed=5)
    write_analysis(results / "beyond", discs(4), N_FRAMES)
    write_analysis(results / "foreign", discs(4), "none")
    write_analysis(results / "lost", discs(4), 4)
    (results / "lost" / "masks.mha").unlink()
    code, out, err = command("export", "challenge", results, "--out", tmp_path / "out")
    assert code == 1
    assert out.endswith("1 of 5 cases written\n")
    lines = dict(line.split(": ", 1) for line in err.splitlines())
    assert lines["cut"].startswith("5 of 36 frames were analysed")
    assert lines["beyond"].startswith("expected a best frame of the 36 frames")
    assert lines["foreign"].startswith("summary.json: expected the best frame")
    assert lines["lost"].startswith("masks.mha: no such file")
    assert lines["Error"].startswith("4 of 5 cases could not be exported")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good"]


def test_no_analysis_at_all_is_one_line(tmp_path, command):
    code, _, err = command("export", "challenge", tmp_path, "--out", tmp_path / "out")
    assert code == 1
    assert "expected a folder per sweep with summary.json" in err
    assert len(err.splitlines()) == 1


def test_exporting_holds_one_volume_at_a_time(tmp_path):
    masks = np.zeros((600, 200, 200), np.uint8)
    masks[7, 50:90, 60:120] = 1
    for name in "abc":
        write_analysis(tmp_path / "results" / name, masks, 7)
    tracemalloc.start()  # sees the volume that is written; inflated ones end at frame 7
    for _ in export_submission(tmp_path / "results", tmp_path / "out"):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * masks.nbytes


@pytest.mark.parametrize("frame", [5, -1])
def test_what_is_written_is_read_again(tmp_path, frame):
    mask = np.zeros(SHAPE, bool)
    if frame >= 0:
        mask[3:9, 4:20] = True
    write_choice(tmp_path / "a", Choice(frame, mask, N_FRAMES, (0.28, 0.3)))
    read = read_choice(tmp_path / "a")
    assert (read.frame, read.n_frames, read.spacing_mm) == (frame, N_FRAMES, (0.28, 0.3))
    assert (read.mask == mask).all()


@pytest.fixture
def perfect(data, tmp_path):
    """A submission of the true mask of an optimal frame (4) for each of ten cases."""
    for case in list_cases(data):
        masks = read_sweep(case.mask_path)
        choice = Choice(4, np.asarray(masks.frames[4]) > 0, len(masks), masks.spacing_mm)
        write_choice(tmp_path / "perfect" / case.uuid, choice)
    shutil.copytree(data, tmp_path / "data")
    return tmp_path / "perfect", tmp_path / "data"


def test_a_submission_of_the_truth_scores_all_but_the_circumference(perfect, tmp_path, command):
    submission, data = perfect
    file = tmp_path / "scores.json"
    code, out, err = command("score", "--submission", submission, "--data", data, "--json", file)
    assert (code, err) == (0, "")
    written = json.loads(file.read_text())
    assert json.loads(out) == written  # and nothing else
    assert (written["rules"], written["scored"]) == ("corrected", 10)
    mean = written["mean"]
    assert (mean["wfss"], mean["dsc_soft"], mean["hausdorff_px"]) == (1, 1, 0)
    # the discs have another circumference than the table's 100 mm
    by_hand = [
        abs(case["ac_mm"] - 100) / max(case["ac_mm"], 100) for case in written["cases"].values()
    ]
    assert mean["nae"] == pytest.approx(np.mean(by_hand))
    assert mean["score"] == pytest.approx(0.5 * (1 - mean["nae"]) + 0.5)
    _, out, _ = command("score", "--submission", submission, "--data", data)
    lines = out.splitlines()
    assert lines[0].split() == ["case", "frame", "NAE", "WFSS", "DSC_soft", "Hausdorff", "score"]
    assert lines[1].split()[:2] == ["case0", "4"]
    assert lines[11].split()[:3] == ["mean", "of", "10"]
    assert lines[11].split()[-1] == f"{mean['score']:.4f}"
    assert lines[12] == "rules: corrected"


def test_missing_damaged_and_extra_cases_are_named_in_a_line_each(perfect, tmp_path, command):
    submission, data = perfect
    masks = "images/fetal-abdomen-segmentation"
    number = "fetal-abdomen-frame-number.json"
    shutil.rmtree(submission / "case0")
    (submission / "case1" / number).write_text("5.5")
    (submission / "case2" / number).write_text("999")
    (submission / "case3" / number).unlink()
    (submission / "case4" / masks / "output.mha").unlink()
    path = submission / "case5" / masks / "output.mha"
    path.write_bytes(path.read_bytes()[:-20])
    write_volume(submission / "case6" / masks / "output.mha", 2 * discs(5), (1.0, 1.0))
    write_volume(submission / "case7" / masks / "output.mha", discs(5)[:, 1:], (1.0, 1.0))
    shutil.copytree(submission / "case8", submission / "stranger")
    file = tmp_path / "scores.json"
    code, out, err = command("score", "--submission", submission, "--data", data, "--json", file)
    assert code == 1
    lines = dict(line.split(": ", 1) for line in err.splitlines())
    assert lines["case0"] == "missing from the submission"
    assert lines["case1"].startswith(f"{number}: expected one whole number")
    assert lines["case2"].startswith(f"{number}: expected a frame of 0 to 35 or -1, found 999")
    assert lines["case3"].startswith(f"{number} is missing")
    assert lines["case4"].startswith(f"expected one .mha file in {masks}, found 0")
    assert lines["case5"].startswith("output.mha: ")
    assert lines["case6"].startswith("output.mha: expected 0 and 1, found 2 in frame 3")
    assert lines["case7"].startswith("expected masks on the grid (36, 42, 56)")
    assert lines["stranger"] == "not in the data set; not scored"
    assert lines["Error"] == "8 of 10 cases were not scored; they are named above"
    assert len(lines) == 10
    written = json.loads(file.read_text())
    assert (json.loads(out), written["scored"]) == (written, 2)
    assert list(written["cases"]) == ["case8", "case9"]
    assert (written["missing"], written["extra"]) == (["case0"], ["stranger"])
    assert set(written["damaged"]) == {f"case{number}" for number in range(1, 8)}


def test_extra_cases_alone_are_no_failure(perfect, command):
    submission, data = perfect
    shutil.copytree(submission / "case8", submission / "stranger")
    code, _, err = command("score", "--submission", submission, "--data", data)
    assert (code, err) == (0, "stranger: not in the data set; not scored\n")


def test_an_infinite_score_of_the_literal_rules_is_shown_and_written(perfect, tmp_path, command):
    submission, data = perfect
    empty = Choice(0, np.zeros(SHAPE, bool), N_FRAMES, (1.0, 1.0))  # not annotated
    write_choice(submission / "case0", empty)
    file = tmp_path / "scores.json"
    score = "score", "--submission", submission, "--data", data, "--rules", "literal"
    assert command(*score, "--json", file)[0] == 0
    code, out, _ = command(*score)
    assert code == 0
    assert out.splitlines()[1].split()[-1] == "inf"
    written = json.loads(file.read_text(), parse_constant=pytest.fail)  # strict JSON
    assert float(written["mean"]["score"]) == float(written["cases"]["case0"]["dsc_soft"]) == np.inf
    corrected = score_submission(submission, data)
    assert corrected.cases["case0"].score == 0


def test_a_data_set_without_cases_is_one_line(data, tmp_path):
    (tmp_path / TABLE.parent).mkdir()
    (tmp_path / TABLE).write_text((data / TABLE).read_text().splitlines()[0] + "\n")
    with pytest.raises(TrainingError, match="names no case"):
        score_submission(tmp_path, tmp_path)


def test_a_folder_that_is_none_is_one_line(data, tmp_path):
    with pytest.raises(TrainingError, match="no such folder"):
        score_submission(tmp_path / "nowhere", data)


def test_the_truth_of_a_phantom_scores_1_where_the_sweep_has_its_circumference(tmp_path):
    write_phantoms(tmp_path, 1, seed=1, size="small")
    (case,) = list_cases(tmp_path)
    truth = read_truth(case)
    assert truth.bounds[1] == (20, 40)
    frame = int(np.flatnonzero(truth.planes == 1)[0])
    mask = truth.abdomen(frame)
    write_choice(tmp_path / "out" / case.uuid, Choice(frame, mask, len(truth.masks), (1.12, 1.12)))
    scored = score_submission(tmp_path / "out", tmp_path).cases[case.uuid]
    measured = measure_abdomen(mask & truth.field_of_view, (1.12, 1.12), truth.field_of_view)
    assert scored.ac_mm == measured.circumference_mm
    assert scored.true_ac_mm == case.ac_mm[truth.sweep_of(frame)]
    assert (scored.wfss, scored.dsc_soft, scored.hausdorff_px) == (1, 1, 0)
    assert scored.score == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("rules", "done"), [("corrected", "filled"), ("literal", "taken as")])
def test_outlines_that_are_not_filled_are_told(tmp_path, command, rules, done):
    write_phantoms(tmp_path, 1, seed=1, size="small")
    (case,) = list_cases(tmp_path)
    truth = read_truth(case)
    frame = int(np.flatnonzero(truth.planes == 1)[0])
    mask = truth.abdomen(frame)
    masks = np.array(truth.masks)
    masks[frame][scipy.ndimage.binary_erosion(mask, iterations=2)] = 0
    write_choice(tmp_path / "out" / case.uuid, Choice(frame, mask, len(masks), (1.12, 1.12)))
    score = ("score", "--submission", tmp_path / "out", "--data", tmp_path, "--rules", rules)
    assert "outlines" not in command(*score)[2]
    write_volume(case.mask_path, masks, (1.12, 1.12))
    code, _, err = command(*score)
    assert code == 0
    told = "annotations of 1 of 1 cases are outlines that are not filled, or have holes"
    assert f"{told}; {done}" in err
    assert case.uuid in err
    again = score_submission(tmp_path / "out", tmp_path, rules).cases[case.uuid]
    assert bool(again.dsc_soft == 1) is (rules == "corrected")


def test_the_truth_of_a_case_takes_one_volume_at_a_time(data, volumes_in_memory):
    truth = read_truth(list_cases(data)[0])
    assert truth.planes.any()
    assert volumes_in_memory == [1, 1]
