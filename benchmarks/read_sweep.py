"""Time and memory of opening an 840-frame sweep, against SimpleITK.

Simulates a phantom case (or takes a volume), writes it raw and compressed, and measures every
reader in processes of its own, in turn, with the file in the page cache. Prints a table.

    python benchmarks/read_sweep.py [--volume FILE] [--runs N] [--before CHECKOUT]

``--before`` measures another version of this program in the same run, in turn with this one:

    mkdir /tmp/before && git archive COMMIT napari_fetal_iqa models | tar -x -C /tmp/before
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FIRST, EACH, WHOLE = "first frame", "all, in turn", "whole volume"
"""All frames, looked at one after the other, is what this program does with a sweep."""


def open_by_us(path: str, task: str) -> tuple[Any, object]:
    from napari_fetal_iqa.io import read_sweep

    frames = read_sweep(path).frames
    if task == EACH:
        return frames, frames
    return (frames[0] if task == FIRST else np.asarray(frames)), frames


def open_by_itk(path: str, task: str) -> tuple[Any, object]:
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(path)
    if task == FIRST:  # the least that SimpleITK can read
        reader.ReadImageInformation()
        reader.SetExtractSize((*reader.GetSize()[:2], 1))
    image = reader.Execute()
    return SimpleITK.GetArrayViewFromImage(image), image


def open_by_itk_as_array(path: str, task: str) -> tuple[Any, object]:
    import SimpleITK

    view, image = open_by_itk(path, task)
    return SimpleITK.GetArrayFromImage(image), view


READERS = {
    "ours": open_by_us,
    "ReadImage": open_by_itk,
    "ReadImage, GetArrayFromImage": open_by_itk_as_array,
}
"""An image's own pixels die with it; an array, as ours is, does not."""
BEFORE = "ours, before"


def peak_mb() -> float:
    """Highest resident memory of this process so far (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(reader: str, path: str, task: str) -> None:
    """Print seconds and the growth of memory in MB; runs in a process of its own."""
    import SimpleITK  # noqa: F401  # imports are not what is compared

    import napari_fetal_iqa.io.formats.metaimage  # noqa: F401

    before = peak_mb()
    start = time.perf_counter()
    array, _owner = READERS["ours" if reader == BEFORE else reader](path, task)
    for part in array if task == EACH else [array]:
        part.reshape(-1)[::4096].max()  # every page is really there
    print(time.perf_counter() - start, peak_mb() - before)


def compare(
    path: Path, task: str, runs: int, before: Path | None
) -> dict[str, tuple[float, float]]:
    """Return the median seconds and MB of each reader; they run in turn, each run afresh."""
    readers = [*READERS] if before is None else [*READERS, BEFORE]
    results: dict[str, list[list[float]]] = {reader: [] for reader in readers}
    for _ in range(runs):
        for reader, measured in results.items():
            command = [sys.executable, __file__, "--measure", reader, str(path), task]
            other = f"{before}{os.pathsep}{before}/models" if reader == BEFORE else ""
            environment = {**os.environ, "PYTHONPATH": other}
            output = subprocess.check_output(command, text=True, env=environment)
            measured.append([float(word) for word in output.split()])
    return {
        reader: (statistics.median(m[0] for m in measured), max(m[1] for m in measured))
        for reader, measured in results.items()
    }


def main(volume: Path | None, runs: int, before: Path | None) -> None:
    import SimpleITK

    from napari_fetal_iqa.io import read_sweep
    from napari_fetal_iqa.phantom import make_phantom

    sweep = make_phantom().sweep if volume is None else read_sweep(volume)
    frames = np.asarray(sweep.frames)
    image = SimpleITK.GetImageFromArray(frames)
    print(f"{frames.shape} uint8, {frames.nbytes / 2**20:.0f} MB; median of {runs} runs")
    print(f"{'file':13}  {'task':12}  {'reader':28}  seconds   ours / it  peak MB")
    with tempfile.TemporaryDirectory() as folder:
        for kind, compress in (("raw", False), ("zlib", True)):
            path = Path(folder, f"{kind}.mha")
            SimpleITK.WriteImage(image, str(path), compress)
            label = f"{kind}, {len(path.read_bytes()) / 2**20:.0f} MB"  # now in the page cache
            for task in (FIRST, EACH, WHOLE):
                measured = compare(path, task, runs, before)
                for reader, (seconds, megabytes) in measured.items():
                    ratio = measured["ours"][0] / seconds
                    print(
                        f"{label:13}  {task:12}  {reader:28}  {seconds:7.4f}  {ratio:9.2f}"
                        f"  {megabytes:8.0f}"
                    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--volume", type=Path)
        parser.add_argument("--runs", type=int, default=5)
        parser.add_argument("--before", type=Path, metavar="CHECKOUT")
        arguments = parser.parse_args()
        main(arguments.volume, arguments.runs, arguments.before)
