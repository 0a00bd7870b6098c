"""Errors that a user can cause; each message is one line: what, where, what to do."""

from napari_fetal_iqa.errors import FetalIqaError


class TrainingError(FetalIqaError):
    """Training cannot start or go on: too little data, a wrong base model, a taken folder."""
