"""Files that claim much are refused in bounded time and memory, in words of our own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fetal_iqa_models import WeightsError
from fetal_iqa_models.checkpoints import read_checkpoint

from .hostile_files import CHECKPOINTS, HEADERS, SECRET

FUZZER = Path(__file__).parents[1] / "fuzz_models.py"
TABLES = {".pt": CHECKPOINTS, ".safetensors": HEADERS}
CASES = [(ending, name) for ending, table in TABLES.items() for name in table]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the guards of memory and time are Linux's"
)


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float]]:
    """What is said to each file, and the CPU seconds that it took; read in a guarded process."""
    folder = tmp_path_factory.mktemp("hostile")
    paths = [folder / f"{name}{ending}" for ending, name in CASES]
    for path, (ending, name) in zip(paths, CASES, strict=True):
        TABLES[ending][name][0](path)
    child = subprocess.run(
        [sys.executable, str(FUZZER), "read", *map(str, paths)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert child.returncode == 0, f"{child.returncode}: {child.stderr[-2000:]}"
    assert child.stderr == "", "a library writes more than the one line that the user gets"
    for path in paths:  # some are large
        path.unlink()
    return json.loads(child.stdout)


@pytest.mark.parametrize(("ending", "name"), CASES)
def test_a_hostile_file_is_refused_in_words_of_our_own(
    refusals: dict[str, tuple[str, float]], ending: str, name: str
) -> None:
    line, seconds = refusals[f"{name}{ending}"]
    assert line is not None
    assert re.search(TABLES[ending][name][1], line)
    assert SECRET not in line
    assert seconds < 5
    assert ("download it again" in line) == ("not a readable" in line)


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(WeightsError, match="not a regular file"):
        read_checkpoint(tmp_path / "folder.pt")
