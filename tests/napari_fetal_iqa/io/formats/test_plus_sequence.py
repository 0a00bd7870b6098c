"""Tracked sweeps as PLUS writes them: turned, and as large as the tracker says."""

import itertools
import zlib

import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.formats.spacing import PLACEHOLDER_NOTE

T, H, W = 3, 24, 32
ROTATION, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))


def frames_of_the_probe() -> np.ndarray:
    """Near is the first row and marked the last column; no two pixels of a frame are alike."""
    return np.random.default_rng(0).permuted(
        np.resize(np.arange(256, dtype=np.uint8), (T, H * W)), axis=1
    ).reshape(T, H, W)  # fmt: skip


def stored(frames: np.ndarray, letters: str) -> np.ndarray:
    """Return what a scanner of this orientation stores, pixel by pixel from the definition."""
    across = {"M": lambda n: n, "U": lambda n: W - 1 - n}  # step of the axis to column in MF
    down = {"F": lambda n: n, "N": lambda n: H - 1 - n}
    first, second = letters[:2]
    if first in across:
        columns, rows = [across[first](x) for x in range(W)], [down[second](y) for y in range(H)]
        return frames[:, rows][:, :, columns]
    rows, columns = [down[first](x) for x in range(H)], [across[second](y) for y in range(W)]
    return frames[:, rows][:, :, columns].transpose(0, 2, 1)


def matrix(step_x: float, step_y: float, shift: float = 0.0) -> str:
    whole = np.eye(4)
    whole[:3, :3] = ROTATION @ np.diag([step_x, step_y, 1.0])
    whole[2, 3] = shift
    return " ".join(f"{value:g}" for value in whole.ravel())


def write(path, frames, orientation="MF", transforms=(), spacing="1 1 1", **fields):
    rows, columns = frames.shape[1:]
    data = np.ascontiguousarray(frames).tobytes()
    named = {}
    if orientation is not None:
        named["UltrasoundImageOrientation"] = orientation
    named |= {"UltrasoundImageType": "BRIGHTNESS"} | fields
    for number, transform in enumerate(transforms):
        text, status = transform if isinstance(transform, tuple) else (transform, "OK")
        named[f"Seq_Frame{number:04}_ImageToReferenceTransform"] = text
        named[f"Seq_Frame{number:04}_ImageToReferenceTransformStatus"] = status
    if path.suffix == ".mha":
        packed = named.pop("CompressedData", "False") == "True"
        lines = [
            "ObjectType = Image",
            "NDims = 3",
            f"CompressedData = {packed}",
            f"DimSize = {columns} {rows} {len(frames)}",
            "Kinds = domain domain list",
            f"ElementSpacing = {spacing}",
            "ElementType = MET_UCHAR",
            *(f"{key} = {value}" for key, value in named.items()),
            "ElementDataFile = LOCAL\n",
        ]
        path.write_bytes("\n".join(lines).encode() + (zlib.compress(data) if packed else data))
    else:
        lines = [
            "NRRD0005",
            "type: uint8",
            "dimension: 3",
            f"sizes: {columns} {rows} {len(frames)}",
            "kinds: domain domain list",
            f"spacings: {spacing}",
            "encoding: raw",
            *(f"{key}:={value}" for key, value in named.items()),
            "\n",
        ]
        path.write_bytes("\n".join(lines).encode() + data)
    return path


TWO = ["".join(letters) for letters in itertools.product("MU", "FN")]
ORIENTATIONS = [*TWO, *(word[::-1] for word in TWO), *(word + z for word in TWO for z in "AD")]


@pytest.mark.parametrize("ending", [".mha", ".nrrd"])
@pytest.mark.parametrize("letters", ORIENTATIONS)
def test_a_sweep_of_any_orientation_is_seen_as_plus_shows_it(tmp_path, letters, ending):
    frames = frames_of_the_probe()
    steps = {"M": 0.3, "U": 0.3, "F": 0.2, "N": 0.2}
    transforms = [matrix(steps[letters[0]], steps[letters[1]], n) for n in range(T)]

    sweep = read_sweep(write(tmp_path / f"a{ending}", stored(frames, letters), letters, transforms))

    assert np.array_equal(sweep.frames, frames)
    assert sweep.spacing_mm == pytest.approx((0.2, 0.3), rel=1e-4)
    assert "image-to-tracker" in sweep.spacing_note


def test_a_compressed_sweep_is_turned_too(tmp_path):
    frames = frames_of_the_probe()

    path = write(tmp_path / "a.mha", frames[:, ::-1, ::-1], "un", CompressedData="True")

    assert np.array_equal(read_sweep(path).frames, frames)


@pytest.mark.parametrize("letters", [None, "XX", ""])
def test_a_sweep_whose_orientation_nobody_knows_stays_as_it_is(tmp_path, letters):
    frames = frames_of_the_probe()

    assert np.array_equal(read_sweep(write(tmp_path / "a.mha", frames, letters)).frames, frames)


TRANSFORMS = {
    "all the same": ([matrix(0.3, 0.2)] * T, "1 1 1", (0.2, 0.3), "that of its image"),
    "of one frame": ([matrix(0.3, 0.2)], "1 1 1", (0.2, 0.3), "that of its image"),
    "invalid ones among them": (
        [matrix(0.3, 0.2), (matrix(1, 1), "INVALID"), matrix(0.3, 0.2)],
        "1 1 1",
        (0.2, 0.3),
        "that of its image",
    ),
    "no numbers": (["a b c", "1 2 3", "nan " * 16], "1 1 1", (1.0, 1.0), PLACEHOLDER_NOTE),
    "none": ([], "1 1 1", (1.0, 1.0), PLACEHOLDER_NOTE),
    "of no scale": ([matrix(1, 1)] * T, "1 1 1", (1.0, 1.0), PLACEHOLDER_NOTE),
    "that differ": (
        [matrix(0.3, 0.2), matrix(0.4, 0.2), matrix(0.3, 0.2)],
        "1 1 1",
        None,
        "differ in scale",
    ),
    "beside the same spacing": ([matrix(0.3, 0.2)] * T, "0.3 0.2 1", (0.2, 0.3), ""),
    "in millimetres already": ([matrix(1, 1)] * T, "0.3 0.2 1", (0.2, 0.3), ""),
    "beside another spacing": ([matrix(0.3, 0.2)] * T, "0.6 0.4 1", None, "contradict"),
}


@pytest.mark.parametrize(
    ("transforms", "spacing", "mm", "note"), TRANSFORMS.values(), ids=TRANSFORMS.keys()
)
def test_the_size_of_a_pixel_is_the_trackers(tmp_path, transforms, spacing, mm, note):
    path = write(tmp_path / "a.mha", frames_of_the_probe(), "MF", transforms, spacing)

    sweep = read_sweep(path)

    assert sweep.spacing_mm == (None if mm is None else pytest.approx(mm, rel=1e-4))
    assert (note in sweep.spacing_note) if note else not sweep.spacing_note


@pytest.mark.parametrize(
    "fields", [{"UltrasoundImageType": "RF_REAL"}, {"UltrasoundImageOrientation": "Doe^Jane"}]
)
@pytest.mark.parametrize("ending", [".mha", ".nrrd"])
def test_what_is_no_picture_or_has_no_orientation_of_plus_is_refused(tmp_path, fields, ending):
    path = write(tmp_path / f"a{ending}", frames_of_the_probe(), None, **fields)

    with pytest.raises(SweepError, match=r"expected UltrasoundImage\w+ to be") as caught:
        read_sweep(path)

    assert "Doe" not in str(caught.value)
