"""Reads seeded mutations of one file of a format under guards; run as a process of its own.

``python fuzz_reading.py COUNT FOLDER [FORMAT...]`` prints JSON: of each format how many mutations
were read and refused, and the memory that reading took. A crash, a hang, a giant allocation or
an untyped error ends the process with a status other than 0.
"""

import faulthandler
import json
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK
from PIL import Image
from pydicom.data import get_testdata_file

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep

SECONDS_PER_FILE = 5
MEMORY_BYTES = 500 << 20


def small_sweep() -> np.ndarray:
    """Speckle in a disc: 6 frames, neither constant nor incompressible."""
    rng = np.random.default_rng(5)
    rows, columns = np.ogrid[:40, :48]
    disc = (rows - 20) ** 2 + (columns - 24) ** 2 < 300
    return (rng.rayleigh(50, (6, 40, 48)).clip(0, 255) * disc).astype(np.uint8)


def by_itk(ending: str, compress: bool) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        image = SimpleITK.GetImageFromArray(small_sweep())
        image.SetSpacing((0.28, 0.28, 1))
        SimpleITK.WriteImage(image, str(folder / f"sweep{ending}"), compress)
        return folder / f"sweep{ending}"

    return write


def by_pillow(ending: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        first, *rest = (Image.fromarray(frame) for frame in small_sweep())
        more = {"save_all": True, "append_images": rest} if ending == ".gif" else {}
        first.save(folder / f"sweep{ending}", **more)
        return folder / f"sweep{ending}"

    return write


def by_ffmpeg(ending: str, codec: str, pixel_format: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import av

        with av.open(folder / f"sweep{ending}", "w") as video:
            stream = video.add_stream(codec, rate=30)
            stream.height, stream.width, stream.pix_fmt = 40, 48, pixel_format
            for frame in small_sweep():
                for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")):
                    video.mux(packet)
            for packet in stream.encode():
                video.mux(packet)
        return folder / f"sweep{ending}"

    return write


def from_pydicom(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        return Path(shutil.copy(get_testdata_file(name), folder / "sweep.dcm"))

    return write


def ultrasound_dicom(folder: Path) -> Path:
    frames = small_sweep()
    dataset = pydicom.dcmread(get_testdata_file("examples_ybr_color.dcm"))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "MONOCHROME2", 1
    dataset.PixelData = frames.tobytes()
    dataset["PixelData"].VR = "OB"
    dataset.save_as(folder / "sweep.dcm")
    return folder / "sweep.dcm"


FORMATS: dict[str, Callable[[Path], Path]] = {
    "mha-raw": by_itk(".mha", False),
    "mha-zlib": by_itk(".mha", True),
    "mhd": by_itk(".mhd", False),
    "nii": by_itk(".nii", False),
    "nii-gz": by_itk(".nii.gz", True),
    "nrrd-raw": by_itk(".nrrd", False),
    "nrrd-gzip": by_itk(".nrrd", True),
    "dicom": ultrasound_dicom,
    "dicom-jpeg": from_pydicom("SC_rgb_small_odd_jpeg.dcm"),
    "dicom-jpeg-lossless": from_pydicom("SC_rgb_jpeg_gdcm.dcm"),
    "dicom-jpeg-ls": from_pydicom("emri_small_jpeg_ls_lossless.dcm"),
    "dicom-jpeg2000": from_pydicom("emri_small_jpeg_2k_lossless.dcm"),
    "dicom-rle": from_pydicom("emri_small_RLE.dcm"),
    "png": by_pillow(".png"),
    "jpeg": by_pillow(".jpg"),
    "gif": by_pillow(".gif"),
    "avi": by_ffmpeg(".avi", "mjpeg", "yuvj420p"),
    "mp4": by_ffmpeg(".mp4", "libx264", "yuv420p"),
    "mov": by_ffmpeg(".mov", "mpeg4", "yuv420p"),
}


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file in one of the ways that disks, networks and bad writers do."""
    changed = bytearray(data)
    kind = rng.integers(7)
    # Headers are short and matter most: half of the damage goes to the first 400 bytes.
    end = len(data) if rng.random() < 0.5 else min(400, len(data))
    place = int(rng.integers(end))
    length = int(rng.integers(1, 64))
    if kind == 0:
        return data[:place]
    if kind == 1:
        for _ in range(int(rng.integers(1, 9))):
            changed[int(rng.integers(end))] = int(rng.integers(256))
    elif kind == 2:
        del changed[place : place + length]
    elif kind == 3:
        changed[place:place] = rng.bytes(length)
    elif kind == 4:
        extremes = (b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80")
        changed[place : place + 4] = extremes[int(rng.integers(4))]
    elif kind == 5:
        digits = [i for i in range(end) if 48 <= data[i] < 58] or [place]
        numbers = (b"1000000000000", b"-1", b"0", b"1e9", b"99999999999999999999", b"nan", b"7")
        at = digits[int(rng.integers(len(digits)))]
        changed[at : at + 1] = numbers[int(rng.integers(len(numbers)))]
    else:
        changed[place : place + length] = data[-length:]
    return bytes(changed)


def fuzz(name: str, count: int, folder: Path) -> dict[str, int]:
    """Count the mutations that were read and refused, and give the growth of memory in MB."""
    folder.mkdir()
    base = FORMATS[name](folder)
    data = base.read_bytes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = {"read": 0, "refused": 0}
    rng = np.random.default_rng(sum(name.encode()))
    for number in range(count):
        base.write_bytes(mutate(data, rng))
        signal.alarm(SECONDS_PER_FILE)
        try:
            sweep = read_sweep(base)
            assert np.asarray(sweep.frames).shape == sweep.shape
            outcome["read"] += 1
        except SweepError as error:
            line = str(error)
            assert len(line) < 400, line
            assert "\n" not in line, line
            assert base.stem in line, line
            outcome["refused"] += 1
        except BaseException:
            traceback.print_exc()
            sys.exit(f"{name}: mutation {number} of {base}")
        signal.alarm(0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {**outcome, "grown_mb": grown // 1024}


def main(names: list[str], count: int, folder: Path) -> None:
    for name in names:  # the bases are sound, and now every library is loaded
        (folder / "sound" / name).mkdir(parents=True)
        np.asarray(read_sweep(FORMATS[name](folder / "sound" / name)).frames)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    faulthandler.enable()
    outcomes = {}
    for name in names:
        (folder / "current format").write_text(name)
        outcomes[name] = fuzz(name, count, folder / name)
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[3:] or list(FORMATS), int(sys.argv[1]), Path(sys.argv[2]))
