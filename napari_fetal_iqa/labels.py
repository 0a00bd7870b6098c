"""What a frame shows, in the words and values of ACOUSLIC-AI."""

from enum import IntEnum


class Label(IntEnum):
    """Label of a frame, with the values of the ACOUSLIC-AI masks."""

    NONE = 0
    OPTIMAL = 1
    SUBOPTIMAL = 2
