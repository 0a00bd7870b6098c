"""Bad files of every kind through the command: status 1, one line, in little time and memory."""

import json
import os
import runpy
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

FORMATS = runpy.run_path(str(Path(__file__).with_name("fuzz_reading.py")))["FORMATS"]

# Forks for every file, so that the command is imported once.
DRIVER = """
import json, os, resource, signal, sys, time
from pathlib import Path
from napari_fetal_iqa.cli import main
from napari_fetal_iqa.io.formats import pictures, video
from napari_fetal_iqa.io.formats.dicom import folder

outcomes = {}
for path in sys.argv[1:]:
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(sys.argv[0] + ".err", os.O_CREAT | os.O_TRUNC | os.O_WRONLY), 2)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + (500 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        signal.alarm(60)
        sys.argv = ["napari-fetal-iqa", "info", path]
        main()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    shown = Path(sys.argv[0] + ".err").read_text()
    outcomes[path] = os.waitstatus_to_exitcode(status), shown, time.monotonic() - start
print(json.dumps(outcomes))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guards are Linux's")

METAIMAGE = "NDims = 3\nDimSize = {}\nElementType = MET_UCHAR\nElementDataFile = {}\n"


def text(ending: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / f"bad{ending}"
        path.write_text(content)
        return path

    return write


def cut(name: str, share: float = 0.6) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = FORMATS[name](folder)
        target = min(path.iterdir()) if path.is_dir() else path
        target.write_bytes(target.read_bytes()[: int(share * target.stat().st_size)])
        return path

    return write


def report(folder: Path) -> Path:
    from pydicom.data import get_testdata_file

    return Path(shutil.copy(get_testdata_file("test-SR.dcm"), folder / "report.dcm"))


def deflated_bomb(folder: Path) -> Path:
    """1500 MB of zeros in a private element, in 1.5 MB."""
    path = FORMATS["dicom-deflated"](folder)
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    header = zlib.decompress(data[start:], -15).split(b"\xe0\x7f\x10\x00")[0]
    deflater = zlib.compressobj(9, wbits=-15)
    header += b"\x09\x00\x10\x00UN\0\0" + (1500 << 20).to_bytes(4, "little")
    first = deflater.compress(header) + deflater.flush(zlib.Z_FULL_FLUSH)
    megabyte = deflater.compress(bytes(1 << 20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(data[:start] + first + megabyte * 1500 + deflater.flush())
    return path


def gif_bomb(folder: Path) -> Path:
    path = FORMATS["gif"](folder)
    data = bytearray(path.read_bytes())
    struct.pack_into("<HH", data, 6, 8000, 8000)
    path.write_bytes(data)
    return path


def png_bomb(folder: Path) -> Path:
    path = folder / "large.png"
    Image.new("1", (8192, 8192)).save(path)
    return path


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.mha")
    return folder / "pipe.mha"


def folder_of_sweeps_and_a_bad_one(folder: Path) -> Path:
    (folder / "case").mkdir()
    (folder / "case" / "a.mha").write_text("hello")
    return folder / "case"


def folder_of_text(folder: Path) -> Path:
    (folder / "case").mkdir()
    (folder / "case" / "a.txt").write_text("hello")
    return folder / "case"


BAD: dict[str, Callable[[Path], Path]] = {
    "missing": lambda folder: folder / "missing.mha",
    "empty": text(".dcm", ""),
    "not an image": text(".nrrd", "what is this?\n" * 99),
    "another kind of file": text(".txt", "hello"),
    "too many voxels": text(".mha", METAIMAGE.format("10000 10000 10000", "LOCAL")),
    "negative size": text(".mha", METAIMAGE.format("-3 4 5", "LOCAL")),
    "data elsewhere": text(".mhd", METAIMAGE.format("3 4 5", "../../etc/passwd")),
    "five dimensions": text(".mha", "NDims = 5\nDimSize = 1 1 1 1 1\nElementDataFile = LOCAL\n"),
    "no pixels": report,
    "folder of text": folder_of_text,
    "folder of a bad sweep": folder_of_sweeps_and_a_bad_one,
    "pipe": pipe,
    "deflated bomb": deflated_bomb,
    "GIF bomb": gif_bomb,
    "PNG bomb": png_bomb,
    **{f"cut {name}": cut(name) for name in FORMATS if name not in ("mhd", "nhdr")},
    "cut mhd": cut("mhd", 0.3),
    "cut nhdr": cut("nhdr", 0.3),
}


def test_every_bad_file_is_reported_in_one_line(tmp_path):
    paths = {}
    for number, (kind, write) in enumerate(BAD.items()):
        (tmp_path / str(number)).mkdir()
        paths[kind] = str(write(tmp_path / str(number)))

    child = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.argv[0] = {str(tmp_path / 'shown')!r}\n{DRIVER}"]
        + list(paths.values()),
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )

    assert child.returncode == 0, child.stderr
    outcomes = json.loads(child.stdout)
    for kind, path in paths.items():
        status, shown, seconds = outcomes[path]
        assert (status, shown.count("\n")) == (1, 1), f"{kind}: {status}: {shown}"
        assert shown.startswith("napari-fetal-iqa: "), kind
        assert "; " in shown, kind
        assert "memory" not in shown, kind
        assert seconds < 30, f"{kind}: {seconds}"  # it takes one; machines are busy
