"""Errors that a user can cause; each message is one line: what, where, what to do."""

from pathlib import Path


class ModelError(Exception):
    """A model folder is missing, damaged, foreign, or of the wrong task."""


class WeightsError(ModelError):
    """A checkpoint of pretrained weights is missing, damaged, or not what it should be."""


class DeviceError(ModelError):
    """The requested device is not there, or has no memory for a single frame."""


def unreadable(path: Path, error: Exception) -> WeightsError:
    """Describe in one line, as an error, that a weights file cannot be read."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
    return WeightsError(f"{path}: not a readable weights file, download it again ({reason})")
