"""Where a training keeps frames and checkpoints until its model folder is written, whole."""

import shutil
from pathlib import Path

from fetal_iqa_training.errors import TrainingError


def check_is_free(out: Path) -> None:
    """Refuse a model folder that exists, before anything is computed."""
    if out.exists():
        raise TrainingError(f"{out}: exists already; models are never overwritten, choose another")


def enter(work: Path, note: str) -> None:
    """Make the work folder; one that another training left behind is emptied first."""
    started = work / "settings"
    if not started.is_file() or started.read_text(encoding="utf-8") != note:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        started.write_text(note, encoding="utf-8")


def go_on_with(work: Path, data: str) -> None:
    """Keep what was computed of the same data, and begin anew with other data.

    Parameters
    ----------
    work : Path
        As :func:`enter` made it, with the frames of this training already in it.
    data : str
        Hash of the frames, which tells whether what lies beside them was computed of them.
    """
    known = work / "data"
    if known.is_file() and known.read_text(encoding="utf-8") == data:
        return
    for path in (*work.glob("*.ckpt"), *work.glob("*-features")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    known.write_text(data, encoding="utf-8")
