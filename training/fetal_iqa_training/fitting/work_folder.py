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
