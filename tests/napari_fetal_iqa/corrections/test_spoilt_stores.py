"""A store that somebody spoilt is read as far as it goes, or refused at once."""

import json
import os
import sqlite3
import subprocess
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from napari_fetal_iqa.corrections import Bookmark, CorrectionStore, Label, schema
from napari_fetal_iqa.corrections.integrity import check_store, repair
from napari_fetal_iqa.corrections.merge import merge
from napari_fetal_iqa.corrections.statistics import overview
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (24, 32)
SWEEP = SweepVolume(np.arange(12 * 24 * 32).astype(np.uint8).reshape(12, *SHAPE))
ID = SWEEP.identity
CASES = Path(os.environ.get("FETAL_IQA_DATA", Path(__file__).parents[4] / "shared/data")).parent
SECONDS = 5
TABLE_LEAF = 13  # type of a page, https://www.sqlite.org/fileformat2.html#b_tree_pages
TABLE_INTERIOR = 5


@pytest.fixture
def path(tmp_path):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.add_sweep(SWEEP)
        store.set_label(ID, 1, Label.OPTIMAL, "AK")
        store.set_mask(ID, 1, np.ones(SHAPE, bool), "AK")
        store.set_label(ID, 1, Label.NONE, "BM")
    return store.path


def named(path):
    """Lines on rows; SQLite itself names some of what the tables' own checks keep out."""
    return [line for line in check_store(path).problems if not line.startswith("file: CHECK")]


def packed(size):
    return zlib.compress(bytes(size))


BAD_EVENTS = {
    "numpy frame": {"frame": np.int64(3).tobytes()},
    "frame beyond": {"frame": 12},
    "frame before": {"frame": -1},
    "half a frame": {"frame": 1.5},
    "endless frame": {"frame": float("inf")},
    "frame as text": {"frame": "x"},
    "nobody": {"reviewer": ""},
    "name is no text": {"reviewer": b"AK"},
    "name does not decode": {"reviewer": b"A\xef\xbf"},
    "name clears the screen": {"reviewer": "A\x1b[2J"},
    "a megabyte of name": {"reviewer": "A" * (1 << 20)},
    "kind": {"kind": "guess"},
    "a megabyte of kind": {"kind": "g" * (1 << 20)},
    "label": {"label": 7},
    "label as text": {"label": "one"},
    "accepted": {"accepted": 2},
    "year 2999": {"time": "2999-01-01T00:00:00+00:00"},
    "noon": {"time": "noon"},
    "mask of another size": {"kind": "mask", "mask": encode_mask(np.ones((90, 90), bool))},
    "mask that explodes": {"kind": "mask", "mask": packed(1 << 26)},
    "half a mask": {"kind": "mask", "mask": packed(96)[:-2]},
    "mask of text": {"kind": "mask", "mask": "mask"},
    "more than a value may have": {"kind": "mask", "mask": bytes(9 << 20)},
    "unknown sweep": {"of": "b" * 64},
}


@pytest.mark.parametrize("columns", BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_a_bad_event_is_named_and_takes_no_other_with_it(path, write_raw, columns, tmp_path):
    with CorrectionStore(path) as store:
        before = store.events(), store.corrections(ID), overview(store)
    if columns.get("reviewer") == b"A\xef\xbf":  # as text that is none
        write_raw(path, ID, reviewer="placeholder")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("DROP TRIGGER event_is_never_changed")
            connection.execute(
                "UPDATE event SET reviewer = CAST(x'41efbf' AS TEXT) WHERE frame = 1"
                " AND reviewer = 'placeholder'"
            )
    else:
        write_raw(path, **{"of": ID, **columns})
    with CorrectionStore(path, "ro") as store:
        assert (store.events(), store.corrections(ID), overview(store)) == before
        assert store.reviewers() == ["AK", "BM"]
    (line,) = named(path)
    assert line.startswith("event 4: ")
    assert len(line) < 300
    assert line.isprintable()
    other = tmp_path / "other.sqlite"
    with CorrectionStore(other) as mine, pytest.raises(StoreError, match=r"event 4: |file: CHECK"):
        merge(mine, path)
    with CorrectionStore(other) as mine:
        assert (mine.events(), mine.sweeps()) == ([], [])
    assert repair(path, tmp_path / "mended.sqlite").events == 3
    assert check_store(tmp_path / "mended.sqlite").problems == ()
    with CorrectionStore(tmp_path / "mended.sqlite") as mended:
        assert (mended.events(), mended.corrections(ID), overview(mended)) == before


BAD_SWEEPS = {
    "endless frames": {"frames": float("inf")},
    "no frames": {"frames": 0},
    "frames as text": {"frames": "x"},
    "a bomb's size": {"height": 32768, "width": 16384},
    "one spacing": {"row_mm": 0.3},
    "endless spacing": {"row_mm": float("inf"), "column_mm": 0.3},
    "spacing as text": {"row_mm": "x", "column_mm": 0.3},
    "no JSON": {"bounds": "[[0"},
    "deep JSON": {"bounds": "[" * 100_000},
    "long number": {"bounds": f"[[0, {'9' * 10_000}]]"},
    "endless bound": {"bounds": "[[0, Infinity]]"},
    "bounds beyond": {"bounds": "[[0, 12], [12, 13]]"},
    "bounds of bounds": {"bounds": "[[[0], 12]]"},
    "an object": {"bounds": '{"00": 1}'},
    "two megabytes": {"bounds": json.dumps([[0, 12]] * 200_000)},
    "no name": {"identity": b"x"},
    "a name that steers": {"identity": "a\x1b[2J"},
}


@pytest.mark.parametrize("columns", BAD_SWEEPS.values(), ids=BAD_SWEEPS)
def test_a_bad_sweep_is_named_and_takes_no_other_with_it(path, write_raw, columns, tmp_path):
    sweep = {"identity": "b" * 64, "frames": 12, "height": 24, "width": 32, "bounds": "[[0, 12]]"}
    write_raw(path, table="sweep", **{**sweep, **columns})
    with CorrectionStore(path) as store:
        assert [record.identity for record in store.sweeps()] == [ID]
        assert len(store.events()) == 3
    (line,) = named(path)
    assert line.startswith("sweep ")
    assert len(line) < 300
    assert line.isprintable()
    with CorrectionStore(tmp_path / "other.sqlite") as mine:
        with pytest.raises(StoreError, match="damaged"):
            merge(mine, path)
        assert mine.sweeps() == []


BAD_MARKS = {
    "frame": ("bookmark", {"frame": 12}),
    "endless": ("bookmark", {"frame": 1, "quality_threshold": float("inf"), "area_threshold": 1}),
    "half": ("bookmark", {"frame": 1, "quality_threshold": 0.5}),
    "unknown": ("bookmark", {"frame": 1, "of": "b" * 64}),
    "nobody": ("reviewed", {"time": "", "reviewer": ""}),
    "reviewed, unknown": ("reviewed", {"time": "", "of": "b" * 64}),
    "reviewed at noon": ("reviewed", {"time": "noon"}),
    "reviewed at a time that steers": ("reviewed", {"time": "\x1b[2J"}),
    "reviewed at no text": ("reviewed", {"time": b"\xff\x00"}),
    "reviewed in the future": ("reviewed", {"time": "2999-01-01T00:00:00+00:00"}),
    "threshold as text": (
        "bookmark",
        {"frame": 1, "quality_threshold": "\x1b[2J", "area_threshold": 0.1},
    ),
    "frame as a blob": ("bookmark", {"frame": b"\xff\x00"}),
}


@pytest.mark.parametrize(("table", "columns"), BAD_MARKS.values(), ids=BAD_MARKS)
def test_a_bad_mark_is_passed_over(path, write_raw, table, columns):
    write_raw(path, table=table, **{"of": ID, "reviewer": "CL", **columns})
    (line,) = named(path)
    assert line.isprintable()
    with CorrectionStore(path) as store:
        assert store.bookmark(ID, "CL") is None
        assert store.fully_reviewed(ID) == []
        store.set_bookmark(ID, "CL", Bookmark(2))
        assert store.bookmark(ID, "CL") == Bookmark(2)


LOOKALIKES = {
    "a view that never ends": (
        "ALTER TABLE event RENAME TO e0",
        "CREATE VIEW event AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
        "SELECT n AS number, hex(n) AS uid, '' AS time, '' AS reviewer, '' AS sweep, 0 AS frame, "
        "'label' AS kind, '' AS action, 1 AS label, NULL AS mask, 0 AS accepted, NULL AS answers, "
        "'' AS tool FROM r",
    ),
    "a view of the sweeps": (
        "ALTER TABLE sweep RENAME TO s0",
        "CREATE VIEW sweep AS SELECT * FROM s0",
    ),
    "a trigger": (
        "CREATE TRIGGER t AFTER INSERT ON event BEGIN INSERT INTO reviewed WITH RECURSIVE r(n) AS "
        "(SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT '', n, '' FROM r; END",
    ),
    "a trigger of a known name": (
        "DROP TRIGGER event_is_never_changed",
        "CREATE TRIGGER event_is_never_changed AFTER INSERT ON event BEGIN SELECT 1; END",
    ),
    "a table that is none": (
        "DROP TABLE event",
        "CREATE VIRTUAL TABLE event USING fts5(number, uid, time, reviewer, sweep, frame, kind, "
        "action, label, mask, accepted, answers, tool)",
    ),
    "a column that is computed": (
        "DROP TABLE bookmark",
        "CREATE TABLE bookmark (sweep, reviewer, frame, quality_threshold, area_threshold AS "
        "(zeroblob(1000000000)))",
    ),
    "an index that takes hours": (
        "CREATE INDEX heavy ON event (length(replace(hex(zeroblob(3000000)), '0', 'aa')))",
    ),
    "a check that takes hours": (
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (accepted IN (0, 1))', 'CHECK "
        "(accepted IN (0, 1) AND length(replace(hex(zeroblob(2000000 + number)), ''0'', "
        "''ab'')) > 0)') WHERE name = 'event'",
    ),
    "an order of its own": (
        "DROP TABLE reviewed",
        "CREATE TABLE reviewed (sweep TEXT COLLATE NOCASE, reviewer, time)",
    ),
    "one table more": ("CREATE TABLE mine (a)",),
    "no events": ("DROP TABLE event",),
    "no version": ("PRAGMA user_version = 0",),
    "a version below": ("PRAGMA user_version = -3",),
    "another program's": ("PRAGMA application_id = 7",),
    "a newer program's": ("PRAGMA user_version = 99",),
}


@pytest.mark.parametrize("statements", LOOKALIKES.values(), ids=LOOKALIKES)
def test_what_only_looks_like_a_store_is_refused_at_once(path, statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    content = path.read_bytes()
    start = time.monotonic()
    openings = (
        *(CorrectionStore, check_store, lambda path: CorrectionStore(path, "rw")),
        lambda path: check_store(path, "ro" if "TRIGGER" not in "".join(statements) else "rw"),
    )
    for open_it in openings:
        with pytest.raises(StoreError) as refused:
            open_it(path)
        assert "\n" not in str(refused.value)
    assert time.monotonic() - start < SECONDS
    assert path.read_bytes() == content


def test_a_statement_whose_single_steps_take_long_is_stopped(path):
    with closing(schema.connect(path, "ro")) as connection:
        start = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(
                "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT "
                "sum(length(replace(hex(zeroblob(1000000 + n)), '0', 'ab'))) FROM r"
            ).fetchall()
        assert time.monotonic() - start < 4 * SECONDS


def test_pages_that_point_at_each_other_end_somewhere(path, tmp_path):
    """The root of the events made the child of itself, over and over."""
    with CorrectionStore(path) as store:
        for _ in range(20):
            store.set_label(ID, range(12), Label.OPTIMAL, "AK" * 90)
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'event'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    page = (root - 1) * size
    assert content[page] == TABLE_INTERIOR, "not an interior page of a table"
    n_cells = int.from_bytes(content[page + 3 : page + 5], "big")
    for cell in range(n_cells):
        place = page + int.from_bytes(content[page + 12 + 2 * cell : page + 14 + 2 * cell], "big")
        content[place : place + 4] = root.to_bytes(4, "big")
    path.write_bytes(content)
    start = time.monotonic()
    assert check_store(path).problems
    with pytest.raises(StoreError), CorrectionStore(path) as store:
        store.events()
    assert time.monotonic() - start < 4 * SECONDS


def test_what_lies_behind_a_damaged_page_is_saved(tmp_path):
    path = tmp_path / "store.sqlite"
    with CorrectionStore(path) as store:
        store.add_sweep(SWEEP)
        for frame in range(400):
            store.set_label(ID, frame % 12, Label(frame % 3), "AK")
        before = {event.uid: event for event in store.events()}
    with closing(sqlite3.connect(path)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    in_the_middle = list(before)[200].encode()
    for start in range(0, len(content), size):
        if content[start] == TABLE_LEAF and in_the_middle in content[start : start + size]:
            content[start : start + size] = b"\xff" * size
    path.write_bytes(content)
    found = repair(path, tmp_path / "mended.sqlite")
    assert found.problems
    with CorrectionStore(tmp_path / "mended.sqlite") as mended:
        saved = mended.events()
    assert 300 < len(saved) < 400
    assert all(before[event.uid] == event for event in saved)
    assert check_store(tmp_path / "mended.sqlite").problems == ()


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.7, 0.9])
def test_a_store_that_was_cut_short_gives_what_is_left_or_says_that_nothing_is(tmp_path, share):
    path, out = tmp_path / "store.sqlite", tmp_path / "mended.sqlite"
    with CorrectionStore(path) as store:
        store.add_sweep(SWEEP)
        for frame in range(400):
            store.set_label(ID, frame % 12, Label(frame % 3), "AK")
        before = {event.uid: event for event in store.events()}
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    if share < 0.1:
        with pytest.raises(StoreError, match="nothing was saved; use a backup"):
            repair(path, out)
        assert not out.exists()
        return
    found = repair(path, out)
    assert found.problems[0].startswith("file: cut short")
    assert found.sweeps == 1
    assert check_store(out).problems == ()
    with CorrectionStore(out) as mended:
        assert all(before[event.uid] == event for event in mended.events())
        assert len(mended.events()) == found.events
    assert share < 0.5 or 0 < found.events < 400


def test_no_header_makes_a_repair_write_terabytes(path, tmp_path):
    content = bytearray(path.read_bytes())
    content[28:32] = b"\xff" * 4
    path.write_bytes(content)
    with pytest.raises(StoreError, match="nothing was saved"):
        repair(path, tmp_path / "mended.sqlite")


def test_a_repair_touches_nothing_that_is_there(path, tmp_path):
    there = tmp_path / "notes.txt"
    there.write_text("mine")
    content = path.read_bytes()
    with pytest.raises(StoreError, match="is there already"):
        repair(path, there)
    with pytest.raises(StoreError, match="is there already"):
        repair(path, path)
    assert there.read_text() == "mine"
    assert path.read_bytes() == content


def test_a_repair_keeps_where_reviews_stand(path, tmp_path):
    with CorrectionStore(path) as store:
        store.set_bookmark(ID, "AK", Bookmark(3, (0.5, 0.01)))
        store.set_fully_reviewed(ID, "BM", True)
    repair(path, tmp_path / "mended.sqlite")
    with CorrectionStore(tmp_path / "mended.sqlite") as mended:
        assert mended.bookmark(ID, "AK") == Bookmark(3, (0.5, 0.01))
        assert mended.fully_reviewed(ID) == ["BM"]


def test_opening_the_sweep_corrects_what_a_stranger_said_of_its_shape(path, write_raw):
    """As an earlier version took it over from another store."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE sweep SET height = 8, width = 8")
    write_raw(path, ID, kind="mask", mask=encode_mask(np.ones((8, 8), bool)))
    with CorrectionStore(path) as store:
        assert store.corrections(ID, "AK")[1].mask is None
        store.add_sweep(SWEEP)
        assert store.corrections(ID, "AK")[1].mask is not None
        assert store.sweeps()[0].shape == SWEEP.shape
        assert store.reviewers() == ["AK", "BM"]


def test_a_thousand_undos_of_a_thousand_events_take_no_time(path, write_raw):
    with CorrectionStore(path) as store:
        store.set_label(ID, [1] * 3000, Label.OPTIMAL, "CL")
        for _ in range(10):
            store.undo(ID, "CL")
            store.redo(ID, "CL")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for number in range(3000):
            connection.execute(
                "INSERT INTO event (uid, time, reviewer, sweep, frame, kind, action, accepted, "
                "tool) SELECT ?, time, reviewer, sweep, -1, ?, action, 0, tool FROM event WHERE "
                "reviewer = 'CL' LIMIT 1",
                (f"x{number}", ("undo", "redo")[number % 2]),
            )
        connection.execute("COMMIT")
    start = time.process_time()
    with CorrectionStore(path) as store:
        assert store.corrections(ID, "CL")[1].label is Label.OPTIMAL
    assert time.process_time() - start < SECONDS


MEASURED = r"""
import sys
from napari_fetal_iqa import cli
sys.argv = ["napari-fetal-iqa", "corrections", *sys.argv[1:]]
try:
    cli.main()
finally:
    # not getrusage: Linux lets a child begin with its parent's peak
    peak = open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]
    print("PEAK", int(peak) // 1024, file=sys.stderr)
"""

SPOILT = (
    *("bomb64m", "conflict", "flip_check_UnicodeDecodeError_746", "ident_null", "inf_frames"),
    *("merge_poison_mask_shape", "store_frame_beyond", "store_mask_size", "store_numpy_mask"),
    "view_inf",
)
NOT_OUR_TABLES = ("view_inf", "flip_check_UnicodeDecodeError_746", "ident_null", "inf_frames")


@pytest.mark.skipif(os.name != "posix", reason="measures memory as POSIX does")
@pytest.mark.parametrize("name", SPOILT)
def test_shared_cases_are_named_and_never_merged(name, tmp_path):
    case = CASES / "cases" / "stores" / f"{name}.sqlite"
    if not case.is_file():
        pytest.skip("the shared cases are not here: set FETAL_IQA_DATA to the folder beside them")
    path = tmp_path / case.name
    path.write_bytes(case.read_bytes())
    own = tmp_path / "own.sqlite"
    own.write_bytes((CASES / "cases" / "stores" / "good_store.sqlite").read_bytes())
    CorrectionStore(own).close()  # which brings it up to date
    content = own.read_bytes()
    for command, code in (
        (["check", "--store", path], 1),
        (["merge", path, "--store", own], 1),
        (["list", "--store", path], int(name in NOT_OUR_TABLES)),
    ):
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *map(str, command)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert int(done.stderr.rsplit("PEAK ", 1)[1]) < 500
        assert own.read_bytes() == content
