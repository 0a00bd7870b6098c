"""Rows count whatever their numbers, and a store without a next number says so."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from napari_fetal_iqa.corrections import Bookmark, CorrectionStore, Label
from napari_fetal_iqa.corrections.integrity import check_store, repair
from napari_fetal_iqa.corrections.merge import merge
from napari_fetal_iqa.corrections.news import NewsReader
from napari_fetal_iqa.corrections.rescuing import rescue
from napari_fetal_iqa.errors import StoreError, StoreUnwritableError
from napari_fetal_iqa.geometry.caliper import Caliper
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (24, 32)
SWEEP = SweepVolume(np.arange(12 * 24 * 32).astype(np.uint8).reshape(12, *SHAPE))
ID = SWEEP.identity
LAST = 2**63 - 1
TABLES = ["sweep", "event", "caliper", "bookmark", "reviewed", "subject"]


def say(path, reviewer):
    with CorrectionStore(path) as store:
        store.add_sweep(SWEEP)
        store.set_label(ID, [1, 2], Label.OPTIMAL, reviewer)
        store.set_mask(ID, 1, np.ones(SHAPE, bool), reviewer)
        store.set_caliper(ID, 1, Caliper(((1.0, 2.0), (3.0, 4.0))), reviewer)
        store.set_bookmark(ID, reviewer, Bookmark(4))
        store.set_fully_reviewed(ID, reviewer, True)
        store.set_subject(ID, "Ann")
    return path


def tamper(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        triggers = connection.execute(query).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
    return path


def content(path):
    with CorrectionStore(path) as store:
        return (
            [record.identity for record in store.sweeps()],
            [event.uid for event in store.events()],
            store.bookmark(ID, "Eve"),
            store.fully_reviewed(ID),
            len(store.subjects()),
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return {name: say(folder / f"{name}.sqlite", name) for name in ("Eve", "Own")}


@pytest.fixture
def eve(tmp_path, made):
    return Path(shutil.copy(made["Eve"], tmp_path / "eve.sqlite"))


@pytest.fixture
def own(tmp_path, made):
    return Path(shutil.copy(made["Own"], tmp_path / "own.sqlite"))


@pytest.mark.parametrize(
    ("table", "number"),
    [
        *((table, "-rowid") for table in TABLES),
        ("event", f"{-LAST - 1} + rowid - 1"),
        ("event", f"{LAST} - 5 + rowid"),
    ],
)
def test_rows_of_any_number_are_read_merged_and_saved(tmp_path, eve, own, table, number):
    before = content(eve)
    tamper(eve, *(f"UPDATE {table} SET rowid = {number} WHERE rowid = {n}" for n in range(1, 5)))

    found = check_store(eve)

    assert (found.events, found.sweeps) == (4, 1)
    assert all("no number left" in line for line in found.problems)
    repair(eve, tmp_path / "repaired.sqlite")
    with CorrectionStore(own) as store:
        merged = merge(store, eve)
        assert (merged.events, store.fully_reviewed(ID)) == (4, ["Eve", "Own"])
        assert len(store.corrections(ID, "Eve")) == 2
    for path in (eve, tmp_path / "repaired.sqlite"):
        whole = content(path)
        assert sorted(whole[1]) == sorted(before[1])
        assert (whole[0], *whole[2:]) == (before[0], *before[2:])
    with closing(NewsReader(eve, ID)) as reader:
        assert len(reader.look().events) == 4


def test_a_row_of_a_number_below_0_that_is_not_sound_is_named_and_left_out(tmp_path, eve):
    tamper(eve, "UPDATE event SET number = -number", "UPDATE event SET frame = 99 WHERE number=-2")

    assert [line[:9] for line in check_store(eve).problems] == ["event -2:"]
    found = repair(eve, tmp_path / "repaired.sqlite")
    assert (found.events, len(found.problems)) == (3, 1)


def test_rows_of_numbers_below_0_behind_a_damaged_page_are_saved(tmp_path):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.add_sweep(SWEEP)
        for _ in range(20):
            store.set_label(ID, range(12), Label.OPTIMAL, "AK")
    path = tamper(tmp_path / "store.sqlite", "UPDATE event SET number = number - 241")
    with closing(sqlite3.connect(path)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    data = bytearray(path.read_bytes())
    leaf = next(
        at
        for at in range(size, len(data), size)
        if data[at] == 13 and data.count(ID.encode(), at, at + size) > 5
    )
    data[leaf] = 99
    path.write_bytes(data)

    found = repair(path, tmp_path / "repaired.sqlite")

    assert 120 < found.events < 240


FULL = [
    ("event", LAST),
    ("caliper", LAST),
    ("event", LAST - 3),
    ("event", "9.3e18"),
    ("event", f"'{LAST}'"),
]


@pytest.mark.parametrize(("table", "counter"), FULL)
def test_a_store_that_has_no_number_left_is_named_and_repaired(tmp_path, eve, table, counter):
    tamper(eve, f"UPDATE sqlite_sequence SET seq = {counter} WHERE name = '{table}'")

    found = check_store(eve)

    assert found.events == 4
    assert len(found.problems) == 1
    assert "no number left for another event" in found.problems[0]
    assert repair(eve, tmp_path / "mended.sqlite").problems == found.problems
    assert check_store(tmp_path / "mended.sqlite").problems == ()
    with CorrectionStore(tmp_path / "mended.sqlite") as mended:
        mended.set_label(ID, 5, Label.OPTIMAL, "Eve")
        mended.set_caliper(ID, 5, Caliper(((1.0, 2.0), (3.0, 4.0))), "Eve")


def test_the_write_to_a_store_without_numbers_says_so_and_waits(tmp_path, eve):
    tamper(eve, f"UPDATE sqlite_sequence SET seq = {LAST} WHERE name = 'event'")
    with CorrectionStore(eve) as store:
        with pytest.raises(StoreUnwritableError, match=r"no number left .* --repair OUT") as said:
            store.set_label(ID, 7, Label.OPTIMAL, "Eve")
        assert "no number left" in said.value.in_window
        assert "--" not in said.value.in_window
        assert store.corrections(ID, "Eve")[7].label is Label.OPTIMAL
        rescue(store, tmp_path / "rescued.sqlite")

    repair(eve, tmp_path / "mended.sqlite")
    with CorrectionStore(tmp_path / "mended.sqlite") as mended:
        merge(mended, tmp_path / "rescued.sqlite")
        assert sorted(mended.corrections(ID, "Eve")) == [1, 2, 7]


@pytest.mark.parametrize("counter", ["'x'", "NULL", "-5", str(2**40)])
def test_a_counter_that_still_counts_is_no_problem(eve, counter):
    tamper(eve, f"UPDATE sqlite_sequence SET seq = {counter}")

    assert check_store(eve).problems == ()
    with CorrectionStore(eve) as store:
        store.set_label(ID, 5, Label.OPTIMAL, "Eve")


# A store that another program gave a log of changes beside the file


def test_a_store_with_a_log_beside_it_is_read_and_left_as_it_is(tmp_path, eve):
    with closing(sqlite3.connect(eve)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    before = eve.read_bytes(), sorted(tmp_path.iterdir())

    assert check_store(eve, "ro").problems == ()
    repair(eve, tmp_path / "log" / "repaired.sqlite")
    with CorrectionStore(tmp_path / "log" / "own.sqlite") as own:
        assert merge(own, eve).events == 4
    shutil.rmtree(tmp_path / "log")

    assert (eve.read_bytes(), sorted(tmp_path.iterdir())) == before
    assert len(content(eve)[1]) == 4


def test_what_lies_in_the_log_alone_is_read_too(eve, own):
    with closing(sqlite3.connect(eve)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM reviewed")
        connection.commit()
        assert eve.with_name("eve.sqlite-wal").stat().st_size > 0

        with CorrectionStore(own) as store:
            merged = merge(store, eve)

        assert (merged.events, merged.reviewed) == (4, 0)


def test_news_of_a_store_with_a_log_beside_it_are_seen(eve):
    with closing(sqlite3.connect(eve)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    reader = NewsReader(eve, ID)
    assert reader.look().fully_reviewed == ("Eve",)

    with closing(sqlite3.connect(eve)) as connection:
        connection.execute("DELETE FROM reviewed")
        connection.commit()
        assert reader.look().fully_reviewed == ()
    reader.close()


def test_a_log_that_cannot_be_read_is_named(tmp_path, eve, own):
    with closing(sqlite3.connect(eve)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM reviewed")
        connection.commit()
        shutil.copytree(tmp_path, tmp_path / "copy")
    copied = tmp_path / "copy" / "eve.sqlite"
    copied.with_name("eve.sqlite-shm").unlink()
    copied.with_name("eve.sqlite-shm").symlink_to(tmp_path / "no" / "place")

    with CorrectionStore(own) as store:
        with pytest.raises(StoreError, match=r"last changes lie in eve\.sqlite-wal, .* copy both"):
            merge(store, copied)
        assert store.fully_reviewed(ID) == ["Own"]
