"""Stores with bytes turned at random: read, refused or repaired, and never merged in part."""

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from napari_fetal_iqa.corrections import Bookmark, CorrectionStore, Label
from napari_fetal_iqa.corrections.corrected_sweeps import gather_corrections
from napari_fetal_iqa.corrections.integrity import check_store, repair
from napari_fetal_iqa.corrections.merge import merge
from napari_fetal_iqa.corrections.statistics import overview
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (24, 32)
SWEEP = SweepVolume(np.arange(12 * 24 * 32).astype(np.uint8).reshape(12, *SHAPE))
SECONDS = 5


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "store.sqlite"
    noise = np.random.default_rng(0).random((4, *SHAPE)) < 0.5
    with CorrectionStore(path) as store:
        store.add_sweep(SWEEP)
        for number in range(60):
            name = ("AK", "BM", "CL")[number % 3]
            store.set_label(SWEEP.identity, range(number % 9, 12), Label(number % 3), name)
            store.set_mask(SWEEP.identity, number % 12, noise[number % 4], name)
            if number % 5 == 0:
                store.undo(SWEEP.identity, name)
        store.set_bookmark(SWEEP.identity, "AK", Bookmark(3, (0.5, 0.01)))
        store.set_fully_reviewed(SWEEP.identity, "BM", True)
    return path


def turned(content, chance):
    """Turn some bytes, copy a piece elsewhere, or cut the file."""
    content = bytearray(content)
    kind = chance.random()
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        content[chance.randrange(len(content))] = chance.randrange(256)
    if kind < 0.2:
        start, to, length = (chance.randrange(len(content) // 2) for _ in range(3))
        content[to : to + length] = content[start : start + length]
    elif kind < 0.3:
        del content[chance.randrange(len(content)) :]
    return bytes(content)


def attempt(call):
    """Return whether a call ends well; it may refuse in one line, at once, and do nothing else."""
    start, refusal = time.process_time(), ""
    try:
        call()
    except StoreError as error:
        refusal = str(error)
    assert refusal.isprintable()
    assert time.process_time() - start < SECONDS
    return not refusal


def most_mb(afresh=False):
    """Return the most memory of this process so far, or since the call before with ``afresh``."""
    own = Path("/proc/self")
    if not (own / "clear_refs").is_file():
        return 0  # told by Linux alone
    if afresh:
        (own / "clear_refs").write_text("5")
    return int((own / "status").read_text().partition("VmHWM:")[2].split()[0]) // 1024


def use(path):
    with CorrectionStore(path, "rw") as store:
        overview(store)
        tuple(gather_corrections([store]))
        store.events()
        store.bookmark(SWEEP.identity, "AK")
        store.fully_reviewed(SWEEP.identity)


def review(path):
    with CorrectionStore(path) as store:
        store.add_sweep(SWEEP)
        store.set_label(SWEEP.identity, 1, Label.OPTIMAL, "AK")
        store.undo(SWEEP.identity, "AK")


@pytest.mark.parametrize(
    "count",
    [
        40,
        pytest.param(
            1500, marks=[pytest.mark.slow, pytest.mark.mutations, pytest.mark.timeout(1800)]
        ),
    ],
)
def test_no_mutation_crashes_hangs_or_poisons(sound, tmp_path, record_property, count):
    content = sound.read_bytes()
    path, own, out = (tmp_path / f"{name}.sqlite" for name in ("turned", "own", "out"))
    merged = used = 0
    before_mb = most_mb(afresh=True)
    for seed in range(count):
        chance = random.Random(seed)
        for old in tmp_path.iterdir():
            old.unlink()
        path.write_bytes(turned(content, chance))
        used += attempt(lambda: use(path))
        attempt(lambda: check_store(path, "ro"))
        with CorrectionStore(own) as mine:
            mine.add_sweep(SWEEP)
            mine.set_label(SWEEP.identity, 2, Label.NONE, "DM")
            before = mine.events()
            if attempt(lambda: merge(mine, path)):
                merged += 1
            else:
                assert mine.events() == before
        assert check_store(own).problems == ()
        if attempt(lambda: repair(path, out)):
            assert check_store(out).problems == ()
        attempt(lambda: review(path))
    with closing(sqlite3.connect(own)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    grown = most_mb() - before_mb
    assert grown < 500
    told = {"what": "stores", "tried": count, "read": used, "refused": count - used}
    record_property("mutations", {**told, "merged": merged, "grown_mb": grown})
