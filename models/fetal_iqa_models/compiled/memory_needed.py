"""Whether the memory suffices, told before it is asked for; torch-free."""

import psutil

from fetal_iqa_models.errors import ModelError

LARGE = 256 * 2**20
"""Bytes. Less than this is never refused: what is free changes by as much all the time."""


def check_memory(needed: float, what: str) -> None:
    """Check that so many bytes are free.

    Raises
    ------
    ModelError
        Where they are not.
    """
    free = psutil.virtual_memory().available
    if needed > max(free, LARGE):
        raise ModelError(
            f"{what} needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are "
            "free; close other programs"
        )
