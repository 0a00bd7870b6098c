"""Damaged checkpoints and model folders: one line or sound weights, whatever is in them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("fuzz_models.py")
KINDS = ("pt", "pt-older", "ckpt", "safetensors", "store", "model")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the guards of memory and time are Linux's"
)

FAULTY = """
import runpy, sys
from fetal_iqa_models import checkpoints
module = runpy.run_path(sys.argv[1])
check, calls = checkpoints.check_keys, []
def faulty(*given):
    calls.append(given)
    if len(calls) > 3:
        {fault}
    return check(*given)
checkpoints.check_keys = faulty
module["main"]("mutate", "9", sys.argv[2])
"""


def run(*command: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, *map(str, command)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(words, capture_output=True, text=True, env=one_thread)


@pytest.mark.parametrize(
    "count", [5, pytest.param(84, marks=[pytest.mark.slow, pytest.mark.mutations])]
)
def test_mutated_checkpoints_and_models_are_refused_or_read(
    tmp_path: Path, record_property: Callable[[str, object], None], count: int
) -> None:
    """Of each of six kinds; the larger number makes 504."""
    child = run(CHILD, "mutate", count, tmp_path)

    assert child.returncode == 0, f"{child.returncode}: {child.stderr[-2000:]}"
    assert child.stderr == "", "a library writes more than the one line that the user gets"
    outcome = json.loads(child.stdout)
    assert [outcome[kind]["read"] + outcome[kind]["refused"] for kind in KINDS] == [count] * 6
    assert sum(outcome[kind]["refused"] for kind in KINDS) > count
    assert outcome["grown_mb"] < 500
    for kind in KINDS:
        told = {"what": "checkpoints, models", "tried": count, "grown_mb": outcome["grown_mb"]}
        record_property("mutations", {**told, **outcome[kind]})


FAULTS = {
    "pass": "",
    "bytearray(3 << 30)": "MemoryError",
    "open(1 / 0)": "ZeroDivisionError",
    "__import__('os').abort()": "Aborted",
    "all(x == 0 for x in iter(int, 1))": "most recent call first",  # killed for its time
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_the_fuzzer_notices_what_must_not_be(tmp_path: Path, fault: str) -> None:
    child = run("-c", FAULTY.format(fault=fault), CHILD, tmp_path)

    assert (child.returncode == 0) == (fault == "pass")
    assert FAULTS[fault] in child.stderr
