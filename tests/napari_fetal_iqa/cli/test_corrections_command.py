"""The corrections commands as a person types them."""

import csv
import json
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label, rescue
from napari_fetal_iqa.corrections.export_request import read_written
from napari_fetal_iqa.errors import StoreUnwritableError
from napari_fetal_iqa.geometry.caliper import Caliper
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.io import list_cases, read_sweep, write_volume
from napari_fetal_iqa.storage import paths

SHAPE = (60, 80)


def disc(radius):
    rows, columns = np.indices(SHAPE)
    return np.hypot(rows - 30, columns - 40) < radius


@pytest.fixture
def write_sweep(tmp_path):
    """Write a sweep of 6 x 4 frames and open it as the window does; return it."""

    def write(number):
        frames = np.random.default_rng(number).integers(20, 255, (24, *SHAPE), dtype=np.uint8)
        path = write_volume(tmp_path / "sweeps" / f"case_{number}.mha", frames, (0.5, 0.5))
        sweep = read_sweep(path, frames_per_sweep=4)
        paths.remember_location(sweep.identity, path)
        return sweep

    return write


@pytest.fixture
def store():
    with CorrectionStore(paths.default_store()) as store:
        yield store


@pytest.fixture
def sweep(write_sweep, store):
    sweep = write_sweep(0)
    store.add_sweep(sweep)
    return sweep


def is_one_line(result, words):
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("napari-fetal-iqa: ")
    assert words in err


@pytest.mark.parametrize("command", [["list"], ["check"], ["export", "out"]])
def test_without_a_store_one_line_says_what_to_do(run, command):
    is_one_line(run("corrections", *command), "there is no corrections store yet")
    assert not paths.default_store().exists()


@pytest.mark.parametrize("command", [["list"], ["check"], ["export", "out"]])
def test_a_file_of_another_kind_is_refused(run, tmp_path, command):
    path = tmp_path / "notes.sqlite"
    path.write_text("these are my notes" * 100)
    is_one_line(run("corrections", *command, "--store", path), "not a corrections store")
    assert path.read_text() == "these are my notes" * 100
    is_one_line(run("corrections", *command, "--store", tmp_path), "check the path")


def test_the_list_counts_by_sweep_and_reviewer(run, store, sweep, write_sweep):
    store.add_sweep(write_sweep(1))
    store.set_label(sweep.identity, [1, 2], Label.OPTIMAL, "AK")
    store.set_label(sweep.identity, 3, Label.SUBOPTIMAL, "AK")
    store.set_label(sweep.identity, [5, 6, 7], Label.NONE, "AK")
    store.set_mask(sweep.identity, 2, disc(9), "AK")
    store.accept(sweep.identity, 9, "AK", Label.OPTIMAL, disc(9))
    store.set_label(sweep.identity, 20, Label.NONE, "AK")
    store.undo(sweep.identity, "AK")
    code, out, err = run("corrections", "list")
    assert (code, err) == (0, "")
    first, counts, second, nothing = out.splitlines()
    assert first == f"case_0.mha  {sweep.identity[:8]}  24 frames"
    assert counts.startswith(
        "    AK: 7 frames labelled (3 optimal, 1 suboptimal, 3 none), 2 masks, 1 accepted, last 20"
    )
    assert counts.endswith(" UTC")
    assert second.startswith("case_1.mha")
    assert nothing == "    no corrections yet"


def test_the_list_tells_how_far_reviewers_agree(run, store, sweep):
    store.set_label(sweep.identity, range(8), Label.OPTIMAL, "AK")
    store.set_label(sweep.identity, range(4), Label.OPTIMAL, "BM")
    store.set_label(sweep.identity, [4, 5, 7], Label.NONE, "BM")
    for name, radius in (("AK", 10), ("BM", 20)):
        store.set_mask(sweep.identity, 10, disc(radius), name)
    small, large = disc(10).sum(), disc(20).sum()
    assert (
        f"AK and BM: kappa 0.00 on 7 frames, Dice {2 * small / (small + large):.2f} on 1 outline, "
        "differ on frames 4-5,7,10"
    ) in run("corrections", "list")[1]


def test_the_list_as_json_is_for_programs(run, store, sweep):
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    store.set_label(sweep.identity, 1, Label.NONE, "BM")
    code, out, _ = run("corrections", "list", "--json")
    (found,) = json.loads(out)
    assert code == 0
    assert (found["name"], found["identity"], found["frames"]) == ("case_0.mha", sweep.identity, 24)
    assert [counts["reviewer"] for counts in found["reviewers"]] == ["AK", "BM"]
    assert found["reviewers"][0]["optimal"] == 1
    assert found["agreements"][0]["disagreements"] == [1]


def test_a_store_without_sweeps_is_reported_to_be_empty(run, store):
    code, out, err = run("corrections", "list")
    assert (code, err) == (0, "")
    assert "no corrections yet; open a sweep in the window" in out
    assert json.loads(run("corrections", "list", "--json")[1]) == []
    assert run("corrections", "check")[1] == "ok: 0 events of 0 sweeps\n"


def test_a_sweep_of_another_machine_is_listed_by_its_identity(run, store, sweep):
    (paths.home() / "sweep-locations.json").unlink()
    out = run("corrections", "list")[1]
    assert out.startswith(f"not seen on this machine  {sweep.identity[:8]}")


def test_a_sound_store_is_ok_and_a_damaged_one_is_named_line_by_line(run, store, sweep):
    store.set_label(sweep.identity, [1, 2, 3], Label.OPTIMAL, "AK")
    assert run("corrections", "check") == (0, "ok: 3 events of 1 sweeps\n", "")
    with closing(sqlite3.connect(store.path)) as connection, connection:
        insert = (
            "INSERT INTO event (uid, time, reviewer, sweep, frame, kind, action, label, mask, "
            "accepted, tool) VALUES "
            "(?, '2026-11-22T10:00:00+00:00', 'AK', ?, ?, ?, 'a', ?, ?, 0, '')"
        )
        wrong = encode_mask(np.ones((90, 90), bool))
        connection.execute(insert, ("1", sweep.identity, 2, "mask", None, wrong))
        connection.execute(insert, ("2", sweep.identity, 24, "label", 1, None))
    code, out, err = run("corrections", "check")
    assert code == 1
    assert len(out.splitlines()) == 2
    assert "frame 2: damaged mask" in out
    assert "frame 24: the sweep has frames 0 to 23" in out
    assert err.count("\n") == 1
    assert "problems: 2; use a backup" in err


def test_an_export_is_a_data_set_and_goes_on_past_what_is_not_found(
    run, store, sweep, write_sweep, tmp_path
):
    lost, moved = write_sweep(1), write_sweep(2)
    lost.path.unlink()
    archive = tmp_path / "archive" / "2026"
    archive.mkdir(parents=True)
    shutil.move(moved.path, archive / "renamed.mha")
    for other in (lost, moved):
        store.add_sweep(other)
    for each in (lost, sweep, moved):
        store.set_mask(each.identity, 5, disc(12), "AK")
        store.set_label(each.identity, 5, Label.OPTIMAL, "AK")
    store.set_label(moved.identity, 6, Label.OPTIMAL, "AK")
    code, out, err = run(
        "corrections", "export", tmp_path / "out", "--sweeps", tmp_path / "archive"
    )
    assert code == 1
    warning, missing, end = sorted(err.splitlines(), key=lambda line: "frames are" not in line)
    assert "1 frame is labelled as an abdomen but not outlined" in warning
    assert "case_1.mha: is gone" in missing
    assert f"1 of 3 sweeps could not be exported: {lost.identity[:8]}" in end
    cases = list_cases(tmp_path / "out")
    assert [case.uuid[:8] for case in cases] == [sweep.identity[:8], moved.identity[:8]]
    for case, line in zip(cases, out.splitlines(), strict=True):
        assert line == (
            f"{case.uuid}: 1 optimal and 0 suboptimal frames outlined, AC by sweep in mm: "
            f"-, {case.ac_mm[1]:.1f}, -, -, -, -"
        )
        masks = np.asarray(read_sweep(case.mask_path).frames)
        assert np.array_equal(masks[5] == 1, disc(12))
        assert masks.any(axis=(1, 2)).sum() == 1


def test_one_reviewer_can_be_exported_alone(run, store, sweep, tmp_path):
    store.set_mask(sweep.identity, 5, disc(12), "AK")
    store.set_mask(sweep.identity, 5, disc(9), "BM")
    assert run("corrections", "export", tmp_path / "all")[0] == 0
    assert run("corrections", "export", tmp_path / "one", "--reviewer", "AK")[0] == 0
    for folder, radius in (("all", 9), ("one", 12)):
        (case,) = list_cases(tmp_path / folder)
        assert np.array_equal(read_sweep(case.mask_path).frames[5] == 2, disc(radius))
    is_one_line(
        run("corrections", "export", tmp_path / "none", "--reviewer", "CL"),
        "'CL' corrected nothing; who did: AK, BM",
    )


def test_nothing_to_export_is_reported(run, store, sweep, tmp_path):
    is_one_line(run("corrections", "export", tmp_path / "out"), "no corrections to export")
    store.set_mask(sweep.identity, 5, disc(12), "AK")
    is_one_line(
        run("corrections", "export", tmp_path / "out", "--sweeps", tmp_path / "nowhere"),
        "no such folder of sweeps",
    )
    assert not (tmp_path / "out").exists()


def test_a_case_that_nobody_can_measure_is_reported(run, store, sweep, tmp_path):
    store.set_label(sweep.identity, 5, Label.NONE, "AK")
    code, out, err = run("corrections", "export", tmp_path / "out")
    assert code == 0
    assert "0 optimal and 0 suboptimal frames outlined" in out
    assert "nothing could be measured" in err


def test_a_merge_says_how_much_was_new(run, store, sweep, tmp_path):
    with CorrectionStore(tmp_path / "other.sqlite") as other:
        other.add_sweep(sweep)
        other.set_label(sweep.identity, [1, 2], Label.NONE, "BM")
    code, out, err = run("corrections", "merge", tmp_path / "other.sqlite")
    assert (code, err) == (0, "")
    assert "2 new events and 0 new sweeps" in out
    assert "0 new events and 0 new sweeps" in run("corrections", "merge", other.path)[1]
    assert set(store.corrections(sweep.identity, "BM")) == {1, 2}


def test_a_merge_says_where_sweeps_are_split_in_another_way(run, store, sweep, tmp_path):
    with CorrectionStore(tmp_path / "other.sqlite") as other:
        other.add_sweep(sweep.with_bounds(2))
    code, out, err = run("corrections", "merge", other.path)
    assert (code, err) == (0, "")
    assert f"bounds differ there, and stay as they are here: 1 ({sweep.identity[:8]})" in out
    assert store.sweeps()[0].bounds == sweep.bounds


def test_a_store_cut_short_is_repaired_by_the_command(run, store, sweep, tmp_path):
    store.set_label(sweep.identity, 1, Label.NONE, "AK")
    content = store.path.read_bytes()
    cut, out = tmp_path / "cut.sqlite", tmp_path / "mended.sqlite"
    cut.write_bytes(content[: len(content) * 9 // 10])
    assert run("corrections", "check", "--store", cut)[0] == 1
    code, said, err = run("corrections", "check", "--store", cut, "--repair", out)
    assert (code, err) == (0, "")
    assert "cut short" in said
    with CorrectionStore(out) as mended:
        assert mended.events() == store.events()


def test_a_merge_makes_the_store_where_there_is_none(run, store, sweep, tmp_path):
    store.set_label(sweep.identity, 1, Label.NONE, "AK")
    new = tmp_path / "project" / "both.sqlite"
    assert run("corrections", "merge", store.path, "--store", new)[0] == 0
    with CorrectionStore(new) as both:
        assert both.events() == store.events()


def test_a_merge_of_nothing_is_one_line_and_makes_no_store(run, tmp_path):
    is_one_line(run("corrections", "merge", tmp_path / "x.sqlite"), "check the path")
    assert not paths.default_store().exists()


@pytest.mark.parametrize("command", ["list", "check", "export", "merge"])
def test_help_teaches(run, command):
    code, out, _ = run("corrections", command, "--help")
    assert code == 0
    assert f"Example: napari-fetal-iqa corrections {command}" in out
    assert "--store" in out


def test_bad_usage_is_exit_code_2(run):
    assert run("corrections", "merge")[0] == 2
    assert run("corrections", "export")[0] == 2


def test_what_a_stranger_wrote_is_listed_without_what_steers_a_terminal(
    run, store, sweep, tmp_path
):
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    place = tmp_path / "sweeps" / "\x1b[2Jcase\u202e.mha"
    sweep.path.rename(place)
    paths.remember_location(sweep.identity, place)
    for command in (["corrections", "list"], ["info", place]):
        code, out, err = run(*command)
        assert (code, err) == (0, "")
        assert "?[2Jcase?" in out
        assert "\x1b" not in out
        assert "\u202e" not in out
    _, _, err = run("info", tmp_path / "\x1b[2Jgone.mha")
    assert "\x1b" not in err


def test_a_damaged_store_is_repaired_into_another_one(run, store, sweep, tmp_path):
    store.set_label(sweep.identity, [1, 2, 3], Label.OPTIMAL, "AK")
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(
            "INSERT INTO event (uid, time, reviewer, sweep, frame, kind, action, label, accepted, "
            "tool) SELECT 'bad', time, reviewer, sweep, 24, kind, action, label, 0, tool FROM "
            "event LIMIT 1"
        )
    out_path = tmp_path / "new" / "mended.sqlite"
    code, out, err = run("corrections", "check", "--repair", out_path)
    assert (code, err) == (0, "")
    named, saved = out.splitlines()
    assert named.startswith("event 4: ")
    assert saved == f"{out_path}: 3 events of 1 sweeps saved, problems left out: 1"
    assert run("corrections", "check", "--store", out_path)[:2] == (0, "ok: 3 events of 1 sweeps\n")
    code, _, err = run("corrections", "check", "--repair", out_path)
    assert code == 1
    assert "is there already" in err
    assert run("corrections", "list")[1].count("3 frames labelled") == 1


@pytest.mark.parametrize("subject", ["=1+1", "@SUM(A1)"])
def test_a_data_set_that_grows_holds_no_formula(run, store, sweep, tmp_path, subject):
    store.set_mask(sweep.identity, 5, disc(12), "AK")
    assert run("corrections", "export", tmp_path / "out")[0] == 0
    table = next((tmp_path / "out").rglob("*.csv"))
    header, row = table.read_text().splitlines()
    cells = row.split(",")
    cells[0], cells[1] = "another", subject
    table.write_text("\n".join([header, ",".join(cells), ""]))
    assert run("corrections", "export", tmp_path / "out")[0] == 0
    assert f",'{subject}," in table.read_text()


def test_subjects_are_set_by_file_or_identity_and_taken_back(run, store, sweep, write_sweep):
    other = write_sweep(2)
    store.add_sweep(other)
    code, out, _ = run(
        *("corrections", "subject", sweep.identity[:8], str(other.path), "--subject", "Ada, 12")
    )
    assert code == 0
    assert "subjects of 2 of 2 sweeps are known" in out
    assert len({found.key for found in store.subjects().values()}) == 1
    assert run("corrections", "subject", str(other.path), "--forget")[0] == 0
    assert list(store.subjects()) == [sweep.identity]
    for bad in ([], ["--subject", "x"], [str(other.path)], [str(other.path), "--data", "."]):
        assert run("corrections", "subject", *bad)[0] == 2


def test_free_calipers_are_listed_and_exported_as_a_table_of_their_own(
    run, store, sweep, write_sweep, tmp_path
):
    line = Caliper(((10.0, 20.0), (10.0, 40.0)))
    store.set_caliper(sweep.identity, 5, line, "=AK")
    store.set_caliper(sweep.identity, 5, Caliper(((1.0, 1.0), (4.0, 5.0))), "BM")
    code, out, _ = run("corrections", "export", tmp_path / "out")
    assert (code, out) == (0, "free_calipers.csv: 2 free calipers\n")
    with (tmp_path / "out" / "free_calipers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["reviewer"] for row in rows] == ["'=AK", "BM"]
    assert [row["length_mm"] for row in rows] == ["10.000", "2.500"]
    assert {(row["frame"], row["sweep"], row["frame_in_sweep"]) for row in rows} == {
        ("5", "1", "1")
    }
    assert rows[0]["points_px"] == "10.00,20.00 10.00,40.00"
    assert rows[0]["kind"] == "distance"
    assert rows[0]["longer_mm"] == ""
    assert "1 free caliper, last" in run("corrections", "list")[1]

    store.set_mask(sweep.identity, 3, disc(12), "BM")
    assert run("corrections", "export", tmp_path / "one", "--reviewer", "BM")[0] == 0
    assert len((tmp_path / "one" / "free_calipers.csv").read_text().splitlines()) == 2


def test_the_window_is_told_in_its_own_words_what_was_exported(run, store, sweep, write_sweep):
    gone = write_sweep(1)
    store.add_sweep(gone)
    gone.path.unlink()
    for each in (sweep, gone):
        store.set_mask(each.identity, 5, disc(12), "AK")
    store.set_caliper(sweep.identity, 5, Caliper(((10.0, 20.0), (10.0, 40.0))), "AK")
    code, out, err = run("--for-window", "corrections", "export", gone.path.parent / "out")
    assert code == 1
    assert [read_written(line) for line in out.splitlines()] == [(1, "free caliper"), (1, "sweep")]
    assert "give the folder of the original as 'Moved sweeps'" in err
    assert "--sweeps" not in err


@pytest.mark.parametrize("there", [True, False], ids=["store there", "store gone"])
@pytest.mark.parametrize("command", ["list", "check"])
def test_what_the_window_rescued_is_named(run, sweep, store, command, there):
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnwritableError):
        store.set_label(sweep.identity, 3, Label.OPTIMAL, "AK")
    rescued = rescue(store)
    if not there:
        store.close()
        store.path.unlink()
    code, _, err = run("corrections", command)
    assert code == (0 if there else 1)
    line = err.splitlines()[0]
    assert line.startswith("1 correction of an earlier session not in the store yet: ")
    assert line.endswith(f"napari-fetal-iqa corrections merge {rescued}")
    assert run("corrections", "merge", str(rescued))[0] == 0
    assert "earlier session" not in run("corrections", command)[2]
