"""Memory that reading takes, measured in a process of its own (Linux)."""

import subprocess
import sys

import numpy as np
import pytest

from napari_fetal_iqa.io import write_volume

MB = 1 << 20
CODE = """
import sys
from pathlib import Path
import numpy as np
from napari_fetal_iqa.io import read_sweep
import napari_fetal_iqa.io.formats.metaimage

def peak_kb():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

before = peak_kb()
frames = read_sweep(sys.argv[1]).frames
frames[0].max()
first = peak_kb()
np.asarray(frames)[:, ::8, ::8].max()
print(first - before, peak_kb() - before)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


@pytest.mark.parametrize("compress", [False, True], ids=["raw", "zlib"])
def test_the_first_frame_takes_little_and_the_whole_at_most_15_percent_more_than_raw(
    tmp_path, compress
):
    volume = np.random.default_rng(0).integers(0, 64, (160, 512, 512), np.uint8)  # 40 MB
    path = write_volume(tmp_path / "a.mha", volume, compress=compress)

    output = subprocess.check_output([sys.executable, "-c", CODE, path], text=True)

    first, whole = (int(word) * 1024 for word in output.split())
    assert first < 4 * MB
    assert volume.nbytes * 0.9 < whole < volume.nbytes * 1.15
