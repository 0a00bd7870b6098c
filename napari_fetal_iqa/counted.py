"""Counts as people read them: 1 frame, 2 frames."""


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless it is one.

    Parameters
    ----------
    count : int
    noun : str
        In the singular; its plural ends in s.
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
