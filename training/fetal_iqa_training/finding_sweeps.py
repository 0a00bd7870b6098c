"""From content identity back to the file, for the training."""

from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.corrections import sweep_finder


class SweepFinder(sweep_finder.SweepFinder):
    """Finds sweeps by content; what is missing raises :class:`TrainingError`."""

    error = TrainingError
