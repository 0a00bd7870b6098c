"""Processes that open, make or migrate one store at the same moment, and write into it."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.corrections.integrity import check_store
from napari_fetal_iqa.corrections.schema import SCHEMA_VERSION
from napari_fetal_iqa.sweep import SweepVolume

PROCESSES, STORES = 4, 12

WRITER = """
import sys, time
import numpy as np
from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.errors import StoreUnwritableError
from napari_fetal_iqa.sweep import SweepVolume

sweep = SweepVolume(np.zeros((6, 8, 8), np.uint8))
sweep.identity
print("ready", flush=True)
for line in sys.stdin:
    with CorrectionStore(line.strip()) as store:
        for do in (
            lambda: store.add_sweep(sweep),
            lambda: store.set_label(sweep.identity, 1, Label.OPTIMAL, sys.argv[1]),
        ):
            try:
                do()
            except StoreUnwritableError:
                pass
        while store.waiting:  # another one was writing
            try:
                store.write_waiting()
            except StoreUnwritableError:
                pass
    print("done", flush=True)
"""


@pytest.fixture
def writers():
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, f"R{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    yield started
    for process in started:
        process.stdin.close()
        assert process.stderr.read() == ""
        process.wait()
        process.stdout.close()
        process.stderr.close()


def nothing(path):
    pass


def empty_file(path):
    path.touch()


def first_version(path):
    sweep = SweepVolume(np.zeros((6, 8, 8), np.uint8))
    with CorrectionStore(path) as store:
        store.add_sweep(sweep)
        store.set_label(sweep.identity, 2, Label.NONE, "BM")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE bookmark")
        connection.execute("DROP TABLE reviewed")
        connection.execute("DROP TABLE subject")
        connection.execute("DROP TABLE caliper")
        connection.execute("DROP TABLE remark")
        connection.execute("DROP TABLE age")
        connection.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize("start", [nothing, empty_file, first_version])
def test_all_of_them_succeed(tmp_path, writers, start):
    for number in range(STORES):
        path = tmp_path / f"{number}.sqlite"
        start(path)
        for process in writers:
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
        for process in writers:
            assert process.stdout.readline() == "done\n", process.stderr.read()
        assert check_store(path).problems == ()
        with CorrectionStore(path, "ro") as store:
            expected = {f"R{number}" for number in range(PROCESSES)}
            assert set(store.reviewers()) - {"BM"} == expected
            assert len(store.events()) == PROCESSES + (start is first_version)
            (version,) = store._connection.execute("PRAGMA user_version").fetchone()
        assert version == SCHEMA_VERSION
