"""Files made to cost time or memory: refused in one line in 5 CPU seconds and 500 MB (Linux)."""

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_fetal_iqa.io.formats.dicom import pixels
from napari_fetal_iqa.io.frames import frame_stack

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guards are Linux's")

CPU_SECONDS, MEMORY_MB = 5, 500

# Measured from the start of the process, so that imports count, too; the peak counts from there.
CODE = """
import json, resource, sys
from pathlib import Path
import napari_fetal_iqa.io.formats.dicom.folder
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep

def peak_mb():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024

before = peak_mb()
try:
    line = repr(read_sweep(sys.argv[1]).shape)
except SweepError as error:
    line = str(error)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([line, used.ru_utime + used.ru_stime, peak_mb() - before]))
"""

EXPLICIT, DEFLATED = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"
RLE, JPEG = b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.4.50"
JPEG_2000 = b"1.2.840.10008.1.2.4.90"
ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0)


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    long = vr in (b"OB", b"OW", b"SQ", b"UN")
    return head + (struct.pack("<HL", 0, size) if long else struct.pack("<H", size)) + value


def numbers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def image(rows=24, columns=32, photometric=b"MONOCHROME2 ", bits=8) -> bytes:
    """The elements of group 0028 that an image needs, but for its number of frames."""
    return (
        element(0x00280002, b"US", numbers(1))
        + element(0x00280004, b"CS", photometric)
        + element(0x00280010, b"US", numbers(rows))
        + element(0x00280011, b"US", numbers(columns))
        + element(0x00280100, b"US", numbers(bits))
        + element(0x00280101, b"US", numbers(bits))
        + element(0x00280103, b"US", numbers(0))
    )


PIXELS = element(0x7FE00010, b"OW", bytes(24 * 32))


def write(path: Path, syntax: bytes, *parts: bytes) -> Path:
    meta = element(0x00020010, b"UI", syntax)
    with path.open("wb") as file:
        file.write(bytes(128) + b"DICM" + meta)
        for part in parts:
            file.write(part)
    return path


def deflated(*parts: tuple[bytes, int]) -> bytes:
    """Deflate parts, each so many times over; a megabyte of equal bytes takes a kilobyte."""
    deflater = zlib.compressobj(9, wbits=-15)
    data = b""
    for part, times in parts:
        block = part * max(1, (1 << 20) // len(part))
        whole, rest = divmod(times, len(block) // len(part))
        data += deflater.compress(part * rest) + deflater.flush(zlib.Z_FULL_FLUSH)
        if whole:
            first = deflater.compress(block) + deflater.flush(zlib.Z_FULL_FLUSH)
            data += first
            again = deflater.compress(block) + deflater.flush(zlib.Z_FULL_FLUSH)
            data += again * (whole - 1)
    return data + deflater.flush()


def of_items(path: Path) -> Path:
    opening = element(0x00186011, b"SQ", b"", 0xFFFFFFFF)
    data = deflated((opening, 1), (ITEM, 47 << 20), (image() + PIXELS, 1))
    return write(path, DEFLATED, data)


def nested(path: Path) -> Path:
    opening = element(0x00091010, b"SQ", b"", 0xFFFFFFFF) + ITEM[:4] + b"\xff\xff\xff\xff"
    return write(path, DEFLATED, deflated((opening, 19 << 20), (image() + PIXELS, 1)))


def nested_and_closed(path: Path) -> Path:
    opening = element(0x00091010, b"SQ", b"", 0xFFFFFFFF) + ITEM[:4] + b"\xff\xff\xff\xff"
    closing = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    data = deflated((opening, 1 << 20), (closing, 1 << 20), (image() + PIXELS, 1))
    return write(path, DEFLATED, data)


def of_elements(path: Path) -> Path:
    data = deflated((element(0x00091010, b"LO", b""), 47 << 20), (image() + PIXELS, 1))
    return write(path, DEFLATED, data)


def beyond_the_limit(path: Path) -> Path:
    large = element(0x00091010, b"UN", b"", 3 << 30)
    return write(path, DEFLATED, deflated((large, 1), (b"\0", 3 << 30)))


def of_regions(path: Path) -> Path:
    deltas = b"".join(
        element(tag, b"FD", struct.pack("<d", 0.02)) for tag in (0x0018602C, 0x0018602E)
    )
    units = b"".join(element(tag, b"US", numbers(3)) for tag in (0x00186024, 0x00186026))
    item = ITEM[:4] + struct.pack("<L", len(units + deltas)) + units + deltas
    regions = element(0x00186011, b"SQ", b"", len(item) * 190_000)
    return write(path, EXPLICIT, regions, item * 190_000, image(), element(0x7FE00010, b"OW", b""))


def of_frame_groups(path: Path) -> Path:
    """A hundred thousand frame groups, each of its own spacing."""
    items = []
    for number in range(100_000):
        spacing = element(0x00280030, b"DS", f"1\\{number + 1}".encode().ljust(8))
        inner = ITEM[:4] + struct.pack("<L", len(spacing)) + spacing
        measures = element(0x00289110, b"SQ", inner)
        items.append(ITEM[:4] + struct.pack("<L", len(measures)) + measures)
    groups = element(0x52009230, b"SQ", b"".join(items))
    return write(path, EXPLICIT, image(), groups, element(0x7FE00010, b"OW", b""))


def compressed(path: Path, syntax: bytes, header: bytes, table: int, frames: list[bytes]) -> Path:
    fragments = b"".join(ITEM[:4] + struct.pack("<L", len(frame)) + frame for frame in frames)
    start = element(0x7FE00010, b"OB", b"", 0xFFFFFFFF) + ITEM[:4] + struct.pack("<L", table)
    with write(path, syntax, header, start).open("ab") as file:
        file.truncate(file.tell() + table)
        file.seek(0, 2)
        file.write(fragments + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0))
    return path


def table_of_two_gigabytes(path: Path) -> Path:
    return compressed(path, RLE, image(), 2 << 30, [bytes(64)])


def a_million_fragments(path: Path) -> Path:
    return compressed(path, JPEG, image(), 0, [b""] * 1_100_000)


def more_than_8_gib(path: Path) -> Path:
    """700 frames of 16 megapixels in 100 kB."""
    frame = struct.pack("<LL", 1, 64) + bytes(60)
    return compressed(path, RLE, image(4096, 4096), 0, [frame] * 700)


def repeated_bytes(path: Path) -> Path:
    """A segment of 8 MB that PackBits makes 512 MB of, for a frame of 768 bytes."""
    frame = struct.pack("<LL", 2, 64) + struct.pack("<L", 80) + bytes(52) + b"\x81\x07" * (4 << 20)
    return compressed(path, RLE, image(), 0, [frame])


@lru_cache
def jpeg_2000(side: int, picture: int = 0) -> bytes:
    """Return a black square that holds a small picture."""
    pixels = np.zeros((side, side), np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (picture, picture), np.uint8)
    pixels[:picture, :picture] = noise
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG2000", irreversible=False, no_jp2=True)
    return file.getvalue()


def ending_in(last: Callable[[bytes], bytes], picture: int) -> Callable[[Path], Path]:
    """Sixty frames of 16 megapixels, which take ten seconds, the last one damaged."""

    def made(path: Path) -> Path:
        frame = jpeg_2000(4096, picture)
        return compressed(path, JPEG_2000, image(4096, 4096), 0, [frame] * 59 + [last(frame)])

    return made


def folder_with(side: int, end: int | None) -> Callable[[Path], Path]:
    """Forty files of one frame of 16 megapixels, and another one, read after them."""

    def made(folder: Path) -> Path:
        folder.mkdir()
        for number in range(41):
            last = number == 40
            uid = element(0x00080018, b"UI", f"1.2.{100 + number}\0".encode())
            instance = element(0x00200013, b"IS", f"{number:02}".encode())
            size = side if last else 4096
            frame = jpeg_2000(size, 32)[: end if last else None]
            path = folder / ("bad.dcm" if last else f"{number}.dcm")
            compressed(path, JPEG_2000, uid + instance + image(size, size), 0, [frame])
        return folder

    return made


def palette_of(segments: bytes) -> Callable[[Path], Path]:
    def made(path: Path) -> Path:
        descriptors = b"".join(
            element(tag, b"US", numbers(0, 0, 16)) for tag in (0x00281101, 0x00281102, 0x00281103)
        )
        tables = b"".join(
            element(tag, b"OW", segments) for tag in (0x00281221, 0x00281222, 0x00281223)
        )
        header = image(photometric=b"PALETTE COLOR ")
        return write(path, EXPLICIT, header, descriptors, tables, PIXELS)

    return made


HOSTILE: dict[str, Callable[[Path], Path]] = {
    "items": of_items,
    "nested sequences": nested,
    "nested sequences, closed": nested_and_closed,
    "elements": of_elements,
    "a bomb": beyond_the_limit,
    "regions": of_regions,
    "frame groups": of_frame_groups,
    "an offset table": table_of_two_gigabytes,
    "fragments": a_million_fragments,
    "more than 8 GiB": more_than_8_gib,
    "repeated bytes": repeated_bytes,
    "black frames": ending_in(lambda frame: frame[: len(frame) // 2], 0),
    "the last frame cut": ending_in(lambda frame: frame[: len(frame) // 2], 96),
    "the last frame cut, with an end": ending_in(lambda frame: frame[:99] + b"\xff\xd9", 96),
    "the last frame of another size": ending_in(lambda _: jpeg_2000(64, 64), 96),
    "a folder whose last file is cut": folder_with(4096, -200),
    "a folder whose last file has another size": folder_with(64, None),
    "a palette of nothing": palette_of(numbers(0, 0) * 250_000),
    "a palette that repeats nothing": palette_of(
        numbers(0, 1, 7) + numbers(0, 0) * 1000 + numbers(2, 1000, 6, 0) * 100_000
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_little_time_and_memory(tmp_path, kind):
    path = HOSTILE[kind](tmp_path / "bad.dcm")

    child = subprocess.run(
        [sys.executable, "-c", CODE, path], capture_output=True, text=True, check=True
    )

    line, seconds, megabytes = json.loads(child.stdout)
    assert line.startswith("bad.dcm: expected"), line
    assert "\n" not in line
    assert seconds < CPU_SECONDS
    assert megabytes < MEMORY_MB


LONG = b"1\\" * (1 << 19)
"""Half a million numbers, where there should be one or two."""


def item_of(*elements: bytes) -> bytes:
    inner = b"".join(elements)
    return ITEM[:4] + struct.pack("<L", len(inner)) + inner


def of_long_groups(path: Path) -> Path:
    spacing = element(0x00280030, b"UN", LONG)
    group = item_of(element(0x00289110, b"SQ", item_of(spacing)))
    opening = element(0x52009230, b"SQ", b"", len(group) * 330)
    # Before the pixels: the groups' tag is the lower one.
    return write(path, DEFLATED, deflated((image() + opening, 1), (group, 330), (PIXELS, 1)))


def of_long_regions(path: Path) -> Path:
    tags = (0x00186012, 0x00186018, 0x00186024, 0x00186026, 0x0018602C, 0x0018602E)
    region = item_of(*(element(tag, b"UN", LONG) for tag in tags))
    opening = element(0x00186011, b"SQ", b"", len(region) * 55)
    return write(path, DEFLATED, deflated((opening, 1), (region, 55), (image() + PIXELS, 1)))


WORDY = {"spacings": of_long_groups, "regions": of_long_regions}


@pytest.mark.parametrize("kind", WORDY)
def test_long_text_in_the_place_of_numbers_is_not_made_numbers(tmp_path, kind):
    path = WORDY[kind](tmp_path / "a.dcm")
    assert path.stat().st_size < 2 << 20

    child = subprocess.run(
        [sys.executable, "-c", CODE, path], capture_output=True, text=True, check=True
    )

    line, seconds, megabytes = json.loads(child.stdout)
    assert line == "(1, 24, 32)"
    assert seconds < CPU_SECONDS
    assert megabytes < MEMORY_MB


def test_the_size_of_a_volume_is_reported_before_it_is_decoded(save_dicom, volume, monkeypatch):
    from napari_fetal_iqa.errors import SweepError
    from napari_fetal_iqa.io import read_sweep

    monkeypatch.setattr(frame_stack, "MAX_STACK_BYTES", 4 * volume[0].size)
    monkeypatch.setattr(pixels, "decode_uncompressed", lambda *_: pytest.fail("decoded"))

    with pytest.raises(SweepError, match=r"a\.dcm: expected a sweep of at most"):
        read_sweep(save_dicom("a.dcm", volume.astype(np.uint16)))
