"""Stores of which single values are other ones: what flipped bytes seldom make, strangers do."""

import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from napari_fetal_iqa.corrections import Bookmark, CorrectionStore, Label
from napari_fetal_iqa.corrections.corrected_sweeps import gather_corrections
from napari_fetal_iqa.corrections.integrity import check_store, repair
from napari_fetal_iqa.corrections.merge import merge
from napari_fetal_iqa.corrections.statistics import overview
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperMeasure
from napari_fetal_iqa.growth.dating import Dating

from .test_store_mutations import SHAPE, SWEEP, attempt, most_mb

OTHER = replace(SWEEP, frames=255 - SWEEP.frames)
ODD = [
    *(None, -1, 0, 1, 5, 11, 12, 2**62, -(2**63), 1.5, float("inf"), b"", b"\xff\x00", b"\xed"),
    *(
        "",
        "x",
        "AK",
        "BM",
        "label",
        "mask",
        "undo",
        "redo",
        "caliper",
        "criterion",
        "a" * 5000,
        "\x1b[2J",
        "=1",
    ),
    *("2999-01-01T00:00:00+00:00", "2026-11-22T10:00:00.000000+00:00", "[[0, 12]]", "[[0, 1e999]]"),
    *(SWEEP.identity, OTHER.identity, "b" * 64),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A store with a row in every table."""
    path = tmp_path_factory.mktemp("sound") / "store.sqlite"
    noise = np.random.default_rng(0).random((8, *SHAPE)) < 0.5
    with CorrectionStore(path) as store:
        for sweep in (SWEEP, OTHER):
            store.add_sweep(sweep)
            for number in range(8):
                store.set_label(sweep.identity, number, Label(number % 3), "AK")
                store.set_mask(sweep.identity, number, noise[number], "BM")
                store.set_caliper(sweep.identity, number, Caliper(((1, 2), (5, 6))), "AK")
                store.judge(sweep.identity, number, Criterion.STOMACH, number < 4, "AK")
            store.name_caliper(
                sweep.identity, store.calipers(sweep.identity, "AK")[0], CaliperMeasure.BPD, "AK"
            )
            store.undo(sweep.identity, "AK")
            store.set_bookmark(sweep.identity, "AK", Bookmark(3, (0.5, 0.01)))
            store.set_fully_reviewed(sweep.identity, "BM", True)
            store.set_subject(sweep.identity, "one")
            store.set_age(sweep.identity, Dating("LMP", 200))
    return path


def change_cells(path, chance):
    """Put an odd value, or that of another row, in the place of one to three values."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        for _ in range(chance.choice([1, 1, 2, 3])):
            table = chance.choice([name for (name,) in connection.execute(tables)])
            columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
            column = chance.choice(columns)[1]
            values = [value for (value,) in connection.execute(f"SELECT {column} FROM {table}")]
            value = chance.choice([*ODD, chance.choice(values)])
            number = chance.randrange(len(values))
            row = f"(SELECT rowid FROM {table} LIMIT 1 OFFSET {number})"
            try:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = {row}", (value,))
            except sqlite3.IntegrityError:  # a value that another row has already
                continue
        for _, statement in triggers:
            connection.execute(statement)
        connection.commit()


def use(path):
    with CorrectionStore(path, "rw") as store:
        overview(store)
        tuple(gather_corrections([store]))
        store.subjects()
        for sweep in (SWEEP.identity, OTHER.identity):
            store.corrections(sweep)
            store.bookmark(sweep, "AK")
            store.fully_reviewed(sweep)


@pytest.mark.parametrize(
    "count",
    [
        30,
        pytest.param(
            1500, marks=[pytest.mark.slow, pytest.mark.mutations, pytest.mark.timeout(1800)]
        ),
    ],
)
def test_no_changed_value_crashes_hangs_or_poisons(sound, tmp_path, record_property, count):
    path, own, out = (tmp_path / f"{name}.sqlite" for name in ("changed", "own", "out"))
    merged = used = 0
    before_mb = most_mb(afresh=True)
    for seed in range(count):
        for old in tmp_path.iterdir():
            old.unlink()
        shutil.copy(sound, path)
        change_cells(path, random.Random(seed))
        with CorrectionStore(own) as mine:
            mine.add_sweep(SWEEP)
            mine.set_label(SWEEP.identity, 2, Label.NONE, "DM")
            before = mine.events(), mine.sweeps(), mine.subjects()
            if attempt(lambda: merge(mine, path)):
                merged += 1
            else:
                assert (mine.events(), mine.sweeps(), mine.subjects()) == before
        assert check_store(own).problems == ()
        used += attempt(lambda: use(path))
        if attempt(lambda: repair(path, out)):
            assert check_store(out).problems == ()
    grown = most_mb() - before_mb
    assert 0 < merged < used
    assert grown < 500
    told = {"what": "stores of changed values", "tried": count, "read": used}
    record_property(
        "mutations", {**told, "refused": count - used, "merged": merged, "grown_mb": grown}
    )
