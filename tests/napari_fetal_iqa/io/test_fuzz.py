"""Damaged files of every format: a typed error or a valid volume, whatever is in them."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("fuzz_reading.py")
FORMATS = runpy.run_path(str(CHILD))["FORMATS"]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

GREEDY = """
import runpy, sys
import numpy as np
from napari_fetal_iqa.io.formats import metaimage
read, calls = metaimage.read_metaimage, []
def greedy(path):
    calls.append(path)
    if len(calls) > 1:
        np.ones(3 << 30, np.uint8)
    return read(path)
metaimage.read_metaimage = greedy
runpy.run_path(sys.argv[1])["main"](3, __import__("pathlib").Path(sys.argv[2]), "mha-raw")
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the guards of memory and time are Linux's"
)


def run(*command: object) -> subprocess.CompletedProcess:
    words = [sys.executable, *map(str, command)]
    return subprocess.run(words, capture_output=True, text=True, env=ONE_THREAD)


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(500, marks=pytest.mark.mutations),
        pytest.param(5000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
@pytest.mark.parametrize("name", FORMATS)
def test_mutated_files_are_refused_or_read(tmp_path, record_property, name, count):
    child = run(CHILD, count, tmp_path, name)

    assert child.returncode == 0, f"{child.returncode}: {child.stderr[-2000:]}"
    assert child.stderr == "", "a library writes more than the one line that the user gets"
    outcome = json.loads(child.stdout)
    assert outcome["read"] + outcome["refused"] == count
    assert outcome["refused"] > count / 5
    assert outcome["grown_mb"] < 500
    record_property("mutations", {"what": "files", "tried": count, **outcome})


def test_the_fuzzer_notices_a_reader_that_asks_for_gigabytes(tmp_path):
    child = run("-c", GREEDY, CHILD, tmp_path)

    assert child.returncode != 0
    assert "does not fit into memory" in child.stderr


def test_every_ending_is_fuzzed(tmp_path):
    from napari_fetal_iqa.io.read import READERS

    fuzzed = set()
    for name, write in FORMATS.items():
        (tmp_path / name).mkdir()
        fuzzed.add("".join(write(tmp_path / name).suffixes))
    same = {".dicom": ".dcm", ".m4v": ".mp4", ".jpeg": ".jpg"}
    assert {same.get(ending, ending) for ending in READERS} <= fuzzed
