"""The plugin as npe2 sees it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_npe2_finds_nothing_wrong():
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", "napari-fetal-iqa"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifest_at_the_root_is_that_of_the_plugin():
    ours = ROOT / "napari_fetal_iqa" / "napari.yaml"
    assert (ROOT / "napari.yaml").read_text() == ours.read_text()
