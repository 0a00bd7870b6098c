"""Damaged files of every format: a typed error or a valid volume, whatever is in them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("fuzz_reading.py")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the guards of memory and time are Linux's"
)


def fuzz(count: int, folder: Path) -> dict[str, dict[str, int]]:
    """Read mutations in a process that ends badly on a crash, a hang or a giant allocation."""
    child = subprocess.run(
        [sys.executable, CHILD, str(count), folder], capture_output=True, text=True
    )

    current = (folder / "current format").read_text()
    assert child.returncode == 0, f"{current}: {child.returncode}: {child.stderr[-2000:]}"
    assert child.stderr == "", "a library writes more than the one line that the user gets"
    return json.loads(child.stdout)


@pytest.mark.parametrize(
    "count", [100, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_mutated_files_of_every_format_are_refused_or_read(tmp_path, count):
    outcomes = fuzz(count, tmp_path)

    assert len(outcomes) == 19
    for name, outcome in outcomes.items():
        assert outcome["read"] + outcome["refused"] == count, name
        assert outcome["refused"] > count / 5, name
        assert outcome["grown_mb"] < 500, name
