"""A data set that a tiny network learns in seconds, bright discs on dark noise; the command."""

import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fetal_iqa_training import cli
from fetal_iqa_training.fitting.fit import fit
from fetal_iqa_training.settings import FitSettings
from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.acouslic import IMAGES, MASKS, TABLE, write_case
from napari_fetal_iqa.io.frames.lazy_inflate import InflatingFrames
from napari_fetal_iqa.io.write import write_volume
from napari_fetal_iqa.storage.paths import remember_location
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (42, 56)
FRAMES_PER_SWEEP = 6


def disc_volume(seed: int, n_sweeps: int = 6) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Frames of noise, and their masks: the last three frames of each sweep show a disc."""
    random = np.random.default_rng(seed)
    total = n_sweeps * FRAMES_PER_SWEEP
    frames = random.integers(5, 60, (total, *SHAPE), dtype=np.uint8)
    masks = np.zeros_like(frames)
    rows, columns = np.indices(SHAPE)
    for frame in range(total):
        if frame % FRAMES_PER_SWEEP < FRAMES_PER_SWEEP // 2:
            continue
        row, column = random.uniform(14, 28), random.uniform(18, 38)
        disc = np.hypot(rows - row, columns - column) < random.uniform(8, 11)
        frames[frame][disc] += 150
        masks[frame][disc] = 1 + frame % 2
    return frames, masks


def tiny_settings(task: str, **changes: object) -> FitSettings:
    """Settings of a fit that takes seconds: the tiny encoder, one epoch, frames as they are."""
    quick = {
        "encoder": "fetalclip-tiny",
        "epochs": 1,
        "copies": 0,
        "batch_size": 16,
        "device": "cpu",
        "learning_rate": 2e-3,
    }
    return FitSettings.model_validate({"task": task} | quick | changes)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten subjects in the ACOUSLIC-AI layout; their last sweep is not annotated."""
    folder = tmp_path_factory.mktemp("discs")
    for number in range(10):
        frames, masks = disc_volume(number)
        sweep = SweepVolume(frames, (1.0, 1.0), name=f"case{number}")
        ac_mm = [100.0] * 5 + [None]
        write_case(folder, f"case{number}", sweep, masks, ac_mm, f"subject{number}")
    return folder


@pytest.fixture
def renamed(data: Path, tmp_path: Path) -> Path:
    """The same data, its cases and subjects under other names."""
    folder = tmp_path / "renamed"
    shutil.copytree(data, folder)
    for part in (IMAGES, MASKS):
        for path in (folder / part).iterdir():
            path.rename(path.with_name(f"other-{path.name}"))
    text = (folder / TABLE).read_text().replace("case", "other-case").replace("subject", "person")
    (folder / TABLE).write_text(text.replace("person_id", "subject_id"))
    return folder


@pytest.fixture(scope="session")
def bases(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of each task, fitted to bright discs."""
    folder = tmp_path_factory.mktemp("bases")
    for task in ("cls", "seg"):
        settings = tiny_settings(task, epochs=4, head_rate=5.0, gradient_clip=1.0, test_share=0)
        fit(data, folder / task, settings)
    return folder


@pytest.fixture
def corrected(tmp_path: Path) -> tuple[Path, NDArray[np.uint8], NDArray[np.uint8]]:
    """A store in which an expert has labelled and outlined 12 frames of a sweep."""
    frames, masks = disc_volume(51)  # which its hash does not hold out
    return correct(tmp_path, frames, masks, range(12)), frames, masks


def correct(
    tmp_path: Path,
    frames: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    numbers: Iterable[int],
    name: str = "sweep",
) -> Path:
    """Label and outline some frames by the truth, in a store that may be there already."""
    path = write_volume(tmp_path / f"{name}.mha", frames, (1.0, 1.0))
    sweep = read_sweep(path)
    remember_location(sweep.identity, path)
    with CorrectionStore(tmp_path / "review.sqlite") as store:
        store.add_sweep(sweep)
        for number in numbers:
            label = Label(int(masks[number].max()))
            store.set_label(sweep.identity, number, label, "AK")
            if label:
                store.set_mask(sweep.identity, number, masks[number] > 0, "AK")
    return tmp_path / "review.sqlite"


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run ``fetal-iqa-train`` in this process; return exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fetal-iqa-train", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def volumes_in_memory(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many volumes were in memory, at every opening of one."""
    alive: set[int] = set()
    counts: list[int] = []

    class Counted(InflatingFrames):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            alive.add(id(self))
            counts.append(len(alive))

        def __del__(self) -> None:
            alive.discard(id(self))

    monkeypatch.setattr("napari_fetal_iqa.io.formats.pixel_block.InflatingFrames", Counted)
    return counts
