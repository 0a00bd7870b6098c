"""From content identity back to the file, for the training."""

from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.corrections import finding


class SweepFinder(finding.SweepFinder):
    """Finds sweeps by content; what is missing raises :class:`TrainingError`."""

    error = TrainingError
