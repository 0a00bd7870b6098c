"""Errors that a user can cause; each message is one line: what, where, what to do."""


class ModelError(Exception):
    """A model folder is missing, damaged, foreign, or of the wrong task."""


class WeightsError(ModelError):
    """A checkpoint of pretrained weights is missing, damaged, or not what it should be."""


class DeviceError(ModelError):
    """The requested device is not there, or has no memory for a single frame."""
