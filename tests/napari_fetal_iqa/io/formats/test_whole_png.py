"""PNG whose chunks are sound and whose rows end early."""

import io
import itertools
import struct
import zlib

import pytest
from PIL import Image

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.formats.whole_png import check_png_rows

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
          (1, 0, 2, 1)]  # fmt: skip


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def control(number, size):
    return chunk(b"fcTL", struct.pack(">5I2H2B", number, size, size, 0, 0, 1, 10, 0, 0))


def rows_of(columns, rows, bits, interlaced):
    """Stored rows, listed pixel by pixel."""
    passes = PASSES if interlaced else [(0, 0, 1, 1)]
    stored = b""
    for top, left, down, right in passes:
        width = len(range(left, columns, right))
        for _ in range(top, rows, down) if width else ():
            stored += b"\0" + b"\x55" * ((width * bits + 7) // 8)
    return stored


def png(columns, rows, stored, depth=8, colour=0, interlaced=0, pieces=1):
    packed = zlib.compress(stored)
    step = -(-len(packed) // pieces)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2I5B", columns, rows, depth, colour, 0, 0, interlaced))
        + (chunk(b"PLTE", bytes(768)) if colour == 3 else b"")
        + b"".join(chunk(b"IDAT", packed[n : n + step]) for n in range(0, len(packed), step))
        + chunk(b"IEND", b"")
    )


def animated_png(frames, size=64):
    """An animated PNG of grey frames, of which each has as many rows as said."""
    data = [zlib.compress((b"\0" + b"\xc8" * size) * rows) for rows in frames]
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2I5B", size, size, 8, 0, 0, 0, 0))
        + chunk(b"acTL", struct.pack(">2I", len(frames), 0))
        + control(0, size)
        + chunk(b"IDAT", data[0])
        + b"".join(
            control(2 * n - 1, size) + chunk(b"fdAT", struct.pack(">I", 2 * n) + data[n])
            for n in range(1, len(frames))
        )
        + chunk(b"IEND", b"")
    )


KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 4), (3, 8), (4, 8),
         (4, 16), (6, 8), (6, 16)]  # fmt: skip


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_a_png_has_as_many_bytes_as_its_rows_take(colour, depth, interlaced):
    for columns, rows in itertools.product((1, 2, 3, 5, 8, 9, 17), (1, 2, 4, 5, 9)):
        stored = rows_of(columns, rows, SAMPLES[colour] * depth, interlaced)
        whole, short = (
            io.BytesIO(png(columns, rows, data, depth, colour, interlaced))
            for data in (stored, stored[:-1])
        )
        Image.open(io.BytesIO(whole.getvalue())).load()

        check_png_rows(whole, 1)
        with pytest.raises(ValueError, match="rows are missing"):
            check_png_rows(short, 1)


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_png_of_which_rows_are_missing_is_refused(tmp_path, pieces):
    row, path = b"\0" + b"\xc8" * 64, tmp_path / "a.png"
    path.write_bytes(png(64, 64, row * 64, pieces=pieces))
    assert read_sweep(path).frames.min() == 200

    (tmp_path / "b.png").write_bytes(png(64, 64, row * 40, pieces=pieces))

    for source in (tmp_path / "b.png", tmp_path):
        with pytest.raises(SweepError, match=r"^b\.png: .*found a damaged"):
            read_sweep(source)


@pytest.mark.parametrize("rows", [(64, 30, 64), (64, 64, 63), (10, 64, 64)])
def test_an_animated_png_of_which_rows_are_missing_is_refused(tmp_path, rows):
    path = tmp_path / "a.png"
    path.write_bytes(animated_png([64, 64, 64]))
    assert read_sweep(path).frames.shape == (3, 64, 64)

    path.write_bytes(animated_png(rows))

    with pytest.raises(SweepError, match=r"^a\.png: .*found a damaged"):
        read_sweep(path)


def test_rows_behind_the_last_are_no_fault(tmp_path):
    (tmp_path / "a.png").write_bytes(png(64, 64, (b"\0" + b"\xc8" * 64) * 80))

    assert read_sweep(tmp_path / "a.png").frames.min() == 200
