"""Reads seeded mutations of one file of a format under guards; run as a process of its own.

``python fuzz_reading.py COUNT FOLDER FORMAT`` prints JSON: how many mutations were read and
refused, and the memory that reading took. A crash, a hang, an allocation that is refused or an
untyped error ends the process with a status other than 0.

Libraries are imported where they are needed, as a process reads one format.
"""

import errno
import faulthandler
import json
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep

CPU_SECONDS = 5
WALL_SECONDS = 600  # for what waits; other programs may take the processor
MEMORY_BYTES = 500 << 20


def peak_kb() -> int:
    """Return the most memory that this process had; getrusage begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0])


def small_sweep() -> np.ndarray:
    """Speckle in a disc: 6 frames, neither constant nor incompressible."""
    rng = np.random.default_rng(5)
    rows, columns = np.ogrid[:40, :48]
    disc = (rows - 20) ** 2 + (columns - 24) ** 2 < 300
    return (rng.rayleigh(50, (6, 40, 48)).clip(0, 255) * disc).astype(np.uint8)


def by_itk(ending: str, compress: bool, dtype: str = "uint8") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import SimpleITK

        image = SimpleITK.GetImageFromArray(small_sweep().astype(dtype))
        image.SetSpacing((0.28, 0.28, 1))
        SimpleITK.WriteImage(image, str(folder / f"sweep{ending}"), compress)
        return folder / f"sweep{ending}"

    return write


def by_pillow(ending: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from PIL import Image

        first, *rest = (Image.fromarray(frame) for frame in small_sweep())
        more = {"save_all": True, "append_images": rest} if ending == ".gif" else {}
        first.save(folder / f"sweep{ending}", **more)
        return folder / f"sweep{ending}"

    return write


def folder_of_pictures(folder: Path) -> Path:
    from PIL import Image

    (folder / "sweep").mkdir()
    for number, frame in enumerate(small_sweep()):
        Image.fromarray(frame).save(folder / "sweep" / f"{number}.png")
    return folder / "sweep"


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
        from pydicom.data import get_testdata_file

        return Path(shutil.copy(get_testdata_file(name), folder / "sweep.dcm"))

    return write


def by_pydicom(name: str, syntax: str, photometric: str) -> Callable[[Path], Path]:
    """Put the small sweep into a real file's header."""

    def write(folder: Path) -> Path:
        import pydicom
        from pydicom.data import get_testdata_file

        frames = small_sweep()
        dataset = pydicom.dcmread(get_testdata_file(name))
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
        dataset.PhotometricInterpretation, dataset.SamplesPerPixel = photometric, 1
        dataset.PixelData = frames.tobytes()
        dataset["PixelData"].VR = "OB"
        dataset.save_as(folder / "sweep.dcm", enforce_file_format=True)
        return folder / "sweep.dcm"

    return write


EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"

FORMATS: dict[str, Callable[[Path], Path]] = {
    "mha-raw": by_itk(".mha", False),
    "mha-zlib": by_itk(".mha", True),
    "mhd": by_itk(".mhd", False),
    "mha-16-bit": by_itk(".mha", True, "uint16"),
    "mha-float": by_itk(".mha", False, "float32"),
    "nii": by_itk(".nii", False),
    "nii-gz": by_itk(".nii.gz", True),
    "nrrd-raw": by_itk(".nrrd", False),
    "nrrd-gzip": by_itk(".nrrd", True),
    "nhdr": by_itk(".nhdr", False),
    "dicom": by_pydicom("examples_ybr_color.dcm", EXPLICIT, "MONOCHROME2"),
    "dicom-deflated": by_pydicom("examples_ybr_color.dcm", DEFLATED, "MONOCHROME2"),
    "dicom-palette": by_pydicom("examples_palette.dcm", EXPLICIT, "PALETTE COLOR"),
    "dicom-ybr": from_pydicom("SC_ybr_full_422_uncompressed.dcm"),
    "dicom-jpeg": from_pydicom("SC_rgb_small_odd_jpeg.dcm"),
    "dicom-jpeg-lossless": from_pydicom("SC_rgb_jpeg_gdcm.dcm"),
    "dicom-jpeg-ls": from_pydicom("emri_small_jpeg_ls_lossless.dcm"),
    "dicom-jpeg2000": from_pydicom("emri_small_jpeg_2k_lossless.dcm"),
    "dicom-rle": from_pydicom("emri_small_RLE.dcm"),
    "png": by_pillow(".png"),
    "jpeg": by_pillow(".jpg"),
    "pictures": folder_of_pictures,
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


def caused_by_memory(error: BaseException | None) -> bool:
    """Return whether an error came from memory that was requested and refused.

    FFmpeg itself refuses sizes that no video needs, in the words of one that ran out of memory.
    """
    while error is not None and type(error).__module__ != "av.error":
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        error = error.__cause__ or error.__context__
    return False


def fuzz(base: Path, count: int, seed: int) -> dict[str, int]:
    """Count the mutations of a file, or of a folder's first file, that were read and refused."""
    target = min(base.iterdir()) if base.is_dir() else base
    data = target.read_bytes()
    outcome = {"read": 0, "refused": 0}
    rng = np.random.default_rng(seed)
    for number in range(count):
        target.write_bytes(mutate(data, rng))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        signal.alarm(WALL_SECONDS)
        try:
            sweep = read_sweep(base)
            assert np.asarray(sweep.frames).shape == sweep.shape
            outcome["read"] += 1
        except SweepError as error:
            line = str(error)
            if caused_by_memory(error):
                sys.exit(f"mutation {number} of {base}: {line}")
            assert len(line) < 400, line
            assert "\n" not in line, line
            assert base.stem in line or target.name in line, line
            outcome["refused"] += 1
        except BaseException:
            traceback.print_exc()
            sys.exit(f"mutation {number} of {base}")
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    return outcome


def main(count: int, folder: Path, name: str) -> None:
    import resource  # Windows has none, and collects tests that read FORMATS

    base = FORMATS[name](folder)
    np.asarray(read_sweep(base).frames)  # the base is sound, and now every library is loaded
    before = peak_kb()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)  # says where it hung, then dies of it
    outcome = fuzz(base, count, seed=sum(name.encode()))
    grown = peak_kb() - before
    sys.stdout.write(json.dumps({**outcome, "grown_mb": grown // 1024}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
