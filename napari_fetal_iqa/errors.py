"""Errors that a user can cause; each message is one line: what, where, what to do."""


class FetalIqaError(Exception):
    """Base of the errors that the terminal and the window show as one plain line."""


class SweepError(FetalIqaError):
    """A sweep file cannot be read: it is missing, damaged, or not an ultrasound volume."""


class StoreError(FetalIqaError):
    """A corrections store cannot be opened, read or written."""


class StoreUnwritableError(StoreError):
    """A corrections store cannot be written now: corrections are kept, and written later."""


class StoreBusyError(StoreUnwritableError):
    """Another program has locked a corrections store at this moment, which seldom lasts."""


class StoreLostError(StoreUnwritableError):
    """The file of an open store was moved, replaced, cut or damaged: corrections are kept."""


class AnalysisError(FetalIqaError):
    """An analysis cannot be made, stored or written."""
