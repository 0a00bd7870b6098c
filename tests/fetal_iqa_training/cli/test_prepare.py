import csv
import json
import shutil
from functools import partial

import numpy as np
import pytest
import SimpleITK

from fetal_iqa_training.data.phantoms import write_phantoms
from fetal_iqa_training.data.validate_acouslic import check_data_set
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import list_cases, read_sweep, write_case, write_volume
from napari_fetal_iqa.io.acouslic import IMAGES, MASKS, TABLE
from napari_fetal_iqa.sweep import SweepVolume

from ..conftest import FRAMES_PER_SWEEP, SHAPE, disc_volume

N_FRAMES = 6 * FRAMES_PER_SWEEP


@pytest.fixture
def folder(data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def prepare(command):
    return partial(command, "prepare", "acouslic")


def edit_masks(folder, case, edit):
    path = folder / MASKS / f"{case}.mha"
    masks = np.array(read_sweep(path).frames)
    write_volume(path, edit(masks), (1.0, 1.0))


def edit_table(folder, edit):
    with (folder / TABLE).open(newline="") as file:
        rows = list(csv.reader(file))
    edit(rows)
    with (folder / TABLE).open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def test_a_sound_data_set_is_counted_and_split_by_subject(folder, tmp_path, prepare):
    frames, masks = disc_volume(77)
    sweep = SweepVolume(frames, (1.0, 1.0))
    write_case(folder, "again", sweep, masks, [100.0], "subject3")
    frames, masks = disc_volume(78)
    write_case(folder, "unseen", SweepVolume(frames, (1.0, 1.0)), masks * 0, [], "subject10")
    code, out, err = prepare(folder, "--out", tmp_path / "split.json", "--seed", 3, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert {
        "cases": 12,
        "subjects": 11,
        "subjects_with_several_cases": 1,
        "frames": 12 * N_FRAMES,
        "annotated_frames": 11 * N_FRAMES // 2,
        "cases_with_optimal_frames": 11,
        "sweeps_with_a_circumference": 51,
        "damaged": {},
        "not_in_the_table": [],
    }.items() <= found.items()
    assert found["annotated_share"] == pytest.approx(11 / 24, abs=1e-4)
    assert "no annotated frame" in found["remarks"]["unseen"]
    split = json.loads((tmp_path / "split.json").read_text())
    assert split == found["split"] | {"left_out": {}, "tool_version": split["tool_version"]}
    parts = [set(split[part]) for part in ("training", "validation", "test")]
    assert set.union(*parts) == {f"case{number}" for number in range(10)} | {"again"}
    assert sum(map(len, parts)) == 11
    assert any({"case3", "again"} <= part for part in parts)
    assert split["not_annotated"] == ["unseen"]
    prepare(folder, "--out", tmp_path / "once-more.json", "--seed", 3)
    assert json.loads((tmp_path / "once-more.json").read_text()) == split


def damage(folder):
    """Damage each of the ten cases in its own way; return the message of each."""
    images, masks = folder / IMAGES, folder / MASKS
    (images / "case0.mha").unlink()
    (masks / "case1.mha").unlink()
    path = images / "case2.mha"
    content = bytearray(path.read_bytes())
    content[-300] ^= 0xFF
    path.write_bytes(content)
    (masks / "case3.mha").write_bytes(b"not a volume\n")
    edit_masks(folder, "case4", lambda m: m[:, 1:])
    edit_masks(folder, "case5", lambda m: np.where(m == 2, 7, m).astype(np.uint8))

    def two_labels(m):
        m[3, 0, 0] = 3 - m[3].max()
        return m

    edit_masks(folder, "case6", two_labels)
    wide = SimpleITK.ReadImage(images / "case7.mha")
    SimpleITK.WriteImage(SimpleITK.Cast(wide, SimpleITK.sitkUInt16), images / "case7.mha")
    write_volume(images / "case8.mha", np.zeros((N_FRAMES, *SHAPE), np.uint8), (1.0, 1.0))
    write_volume(images / "case9.mha", np.ones((N_FRAMES - 1, *SHAPE), np.uint8), (1.0, 1.0))
    return {
        "case0": "case0.mha: no such file",
        "case1": "case1.mha: no such file",
        "case2": "case2.mha: compressed data is damaged",
        "case3": "case3.mha: expected a MetaImage header",
        "case4": "masks of case4.mha: expected the grid (36, 42, 56)",
        "case5": "masks of case5.mha: expected the labels 0, 1 and 2, found 7 in frame 3",
        "case6": "masks of case6.mha: expected one label per frame, found 1 and 2 in frame 3",
        "case7": "case7.mha: expected pixels of uint8, found 16-bit unsigned integer",
        "case8": "case8.mha: all frames are black",
        "case9": "case9.mha: expected 6 sweeps of equal length, found 35 frames",
    }


def test_each_kind_of_damage_is_named_in_one_line(folder, tmp_path, prepare):
    expected = damage(folder)
    out = tmp_path / "split.json"
    code, printed, err = prepare(folder, "--out", out)
    assert code == 1
    lines = err.splitlines()
    assert len(lines) == 11
    for line, (case, wrong) in zip(lines, expected.items(), strict=False):
        assert line.startswith(f"{case}: {wrong}")
    assert "10 of 10 cases are damaged" in lines[-1]
    assert printed.startswith("0 cases of 0 subjects (0 with several cases), 10 damaged")
    assert not out.exists()


def test_a_damaged_case_is_left_out_on_request_only(folder, tmp_path, prepare):
    (folder / IMAGES / "case4.mha").unlink()
    assert prepare(folder, "--out", tmp_path / "split.json")[0] == 1
    assert not (tmp_path / "split.json").exists()
    code, printed, err = prepare(
        folder, "--leave-out-damaged", "--out", tmp_path / "split.json", "--test-share", 0.3
    )
    assert code == 0
    assert err.startswith("case4: case4.mha: no such file")
    split = json.loads((tmp_path / "split.json").read_text())
    assert list(split["left_out"]) == ["case4"]
    assert "case4" not in split["training"] + split["validation"] + split["test"]
    assert "split by subject, seed 0: 5 training, 1 validation, 3 test" in printed


def test_what_differs_from_the_public_data_set_is_named_and_no_failure(folder, prepare):
    edit_masks(folder, "case1", lambda m: m * (np.arange(len(m)) < 30)[:, None, None])
    edit_masks(folder, "case2", lambda m: m * (np.arange(len(m)) >= 6)[:, None, None])
    write_volume(folder / IMAGES / "stranger.mha", disc_volume(50)[0], (1.0, 1.0))
    code, printed, err = prepare(folder)
    assert (code, err) == (0, "")
    assert printed.splitlines()[3:] == [
        "differs in 10 of 10 cases: not 840 x 562 x 744 frames, rows and columns",
        "differs in 10 of 10 cases: spacing is not 0.28 mm",
        "differs in 10 of 10 cases: a circumference is not within 140.9 to 350.6 mm",
        "differs in 9 of 10 cases: a sweep has annotated frames but no circumference",
        "differs in 1 of 10 cases: a sweep has a circumference but no annotated frame",
        "not in the table: images/stacked_fetal_ultrasound/stranger.mha",
        "split by subject, seed 0: 7 training, 1 validation, 2 test",
    ]


def test_a_case_of_two_names_or_two_lines_or_no_subject_is_damage(folder):
    def edit(rows):
        rows[3][1] = ""  # case2
        rows.append(rows[5])  # case4

    edit_table(folder, edit)
    for part in (IMAGES, MASKS):
        shutil.copy(folder / part / "case0.mha", folder / part / "case1.mha")
    damaged = check_data_set(folder).damaged
    assert set(damaged) == {"case1", "case2", "case4"}
    assert damaged["case1"].startswith("has the same frames as case case0")
    assert damaged["case2"].startswith("the table names no subject")
    assert damaged["case4"].startswith("the table names it twice")


def test_a_table_that_is_missing_or_malformed_is_one_line(folder, prepare):
    edit_table(folder, lambda rows: rows[2].__setitem__(2, "wide"))
    code, _, err = prepare(folder)
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "expected a circumference in mm in line 3" in err
    edit_table(folder, lambda rows: rows[0].pop())
    assert "expected a column" in prepare(folder)[2]
    (folder / TABLE).unlink()
    assert "expected an ACOUSLIC-AI data set" in prepare(folder)[2]


def test_too_few_subjects_are_an_error_only_where_a_list_is_requested(tmp_path, prepare):
    frames, masks = disc_volume(0)
    write_case(tmp_path / "data", "a", SweepVolume(frames, (1.0, 1.0)), masks, [100.0], "s")
    code, printed, _ = prepare(tmp_path / "data")
    assert code == 0
    assert "split by subject" not in printed
    code, _, err = prepare(tmp_path / "data", "--out", tmp_path / "split.json")
    assert code == 1
    assert "only 1 annotated subject:" in err


def test_one_volume_is_in_memory_at_a_time(folder, volumes_in_memory):
    assert len(check_data_set(folder).sound) == 10
    assert len(volumes_in_memory) == 20
    assert max(volumes_in_memory) == 1


def test_phantoms_are_a_sound_data_set(tmp_path):
    write_phantoms(tmp_path, 1, seed=5, size="small")
    (check,) = check_data_set(tmp_path).cases
    assert check.damage is None
    assert check.remarks == (
        "not 840 x 562 x 744 frames, rows and columns",
        "spacing is not 0.28 mm",
    )
    assert check.annotated_sweeps > 0
    assert check.optimal + check.suboptimal > 0


def test_listing_cases_refuses_missing_volumes_unless_they_may_be_missing(folder):
    (folder / IMAGES / "case4.mha").unlink()
    with pytest.raises(SweepError, match="case4"):
        list_cases(folder)
    assert len(list_cases(folder, must_exist=False)) == 10
