"""What can be wrong with a file of others. Nothing that the file says is in these messages."""


class DamagedError(Exception):
    """A file is not what its first bytes promise: it was cut, or another program wrote it."""


class RefusedError(Exception):
    """A file is sound in itself, but holds what is never read; the message ends a sentence."""
