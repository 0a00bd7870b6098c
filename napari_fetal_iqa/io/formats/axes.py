"""Which axis of a stored volume holds columns, rows, frames and channels.

A file may say so by a word for each axis: the kinds of NRRD (Teem's definition of the format,
section 6), which PLUS writes into MetaImage, too. Axes are given as headers have them, the one
that varies fastest first.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["space", "frames", "channels", "aside"]
"""``aside`` is an axis that is none of space, but may hold frames or channels."""

CHANNEL_KINDS = {
    "rgb-color": (3,),
    "3-color": (3,),
    "rgba-color": (4,),
    "4-color": (4,),
    "vector": (1, 2, 3, 4),
    "covariant-vector": (1, 2, 3, 4),
    "2-vector": (2,),
    "3-vector": (3,),
    "4-vector": (4,),
}
"""Kinds whose values are the channels of one pixel, and how many there may be.

Not the colours of other spaces (HSV, XYZ), whose mean is no grey, nor normals, complex numbers
and matrices, which are no picture.
"""

ROLES: dict[str, Role] = {
    "domain": "space",
    "space": "space",
    "time": "frames",
    "list": "frames",  # 3D Slicer's sequences
    **dict.fromkeys(CHANNEL_KINDS, "channels"),
}

UNKNOWN_KINDS = ("", "???", "none", "unknown")

KINDS_OF_SPACE = ("domain", "space")

SINGLE_KINDS = ("stub", "scalar")
"""Kinds of an axis of length 1."""

MAX_CHANNELS = 4
"""Red, green, blue, alpha; more are frames that somebody stored as channels."""


class AxesError(ValueError):
    """It cannot be told which axis is which; the message says what was found."""


@dataclass(frozen=True)
class Axes:
    """The axes of a stored volume, by number; None where there is none, or one of length 1."""

    sizes: tuple[int, ...]
    columns: int
    rows: int
    frames: int | None = None
    channels: int | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return self._size(self.frames), self.sizes[self.rows], self.sizes[self.columns]

    @property
    def n_channels(self) -> int:
        """How many values a pixel has."""
        return self._size(self.channels)

    @property
    def order(self) -> str:
        """The letters T, Y, X and C of the four axes, the one that varies slowest first."""
        named = {"T": self.frames, "Y": self.rows, "X": self.columns, "C": self.channels}
        present = {letter: axis for letter, axis in named.items() if axis is not None}
        stored = "".join(sorted(present, key=lambda letter: -present[letter]))
        # An axis of length 1 may stand anywhere: where the plain order TYXC has it.
        return ("" if "T" in stored else "T") + stored + ("" if "C" in stored else "C")

    def swapped(self) -> "Axes":
        """Return the same with rows and columns swapped."""
        return Axes(self.sizes, self.rows, self.columns, self.frames, self.channels)

    def _size(self, axis: int | None) -> int:
        return 1 if axis is None else self.sizes[axis]


def find_axes(
    sizes: Sequence[int], roles: Sequence[Role] | None = None, coloured: bool = False
) -> Axes:
    """Tell columns, rows, frames and channels from sizes and, where a file gives them, roles.

    Without roles the axes are columns, rows and frames, in this order. Of the axes of space the
    first are columns and rows; a third one holds the frames, where no other axis does. Axes of
    length 1 are passed over where there are too many. A short first axis is refused, unless the
    colours are elsewhere: on an axis of their own, or in each pixel (``coloured``).

    Raises
    ------
    AxesError
        Where it cannot be told.
    """
    known = ["space"] * len(sizes) if roles is None else list(roles)
    space = [axis for axis, role in enumerate(known) if role == "space"]
    channels = [a for a, role in enumerate(known) if role == "channels" and sizes[a] > 1]
    frames = [a for a, role in enumerate(known) if role == "frames" and sizes[a] > 1]
    for axis in (a for a, role in enumerate(known) if role == "aside" and sizes[a] > 1):
        if axis != len(sizes) - 1 and sizes[axis] <= MAX_CHANNELS:
            raise AxesError(f"an axis of {sizes[axis]} that may be colours or frames")
        frames.append(axis)
    while (single := _single(sizes, space, spare=2 if frames else 3)) is not None:
        space.remove(single)
    if len(space) == 3 and not frames:
        frames = [axis for axis in (space.pop(),) if sizes[axis] > 1]
    if len(space) != 2 or len(frames) > 1 or len(channels) > 1:
        raise AxesError(
            f"{len(space)} axes of space, {len(frames)} of frames and {len(channels)} of channels"
        )
    columns, rows = space
    _check_plane(sizes, columns, rows, coloured or bool(channels))
    return Axes(
        tuple(sizes), columns, rows, *(axes[0] if axes else None for axes in (frames, channels))
    )


def _check_plane(sizes: Sequence[int], columns: int, rows: int, coloured: bool) -> None:
    """Refuse a volume whose first axes are too short to be those of a picture."""
    if len(sizes) < 3:
        return
    short = 1 if coloured else MAX_CHANNELS
    if columns == 0 and sizes[columns] <= short:
        raise AxesError(f"a first axis of {sizes[columns]} that may be colours or columns")
    if columns == 0 and rows == 1 and sizes[rows] == 1:  # in the middle: a plane may lie across
        raise AxesError("a second axis of 1 that may be rows or frames")


def roles_of_kinds(kinds: Sequence[str], sizes: Sequence[int]) -> list[Role]:
    """Return the role of each axis by its kind, in small letters; unknown kinds are of space.

    Raises
    ------
    AxesError
        Where there is not one kind for each axis, a kind does not fit its size, or is one of no
        picture.
    """
    if len(kinds) != len(sizes):
        raise AxesError(f"{len(kinds)} kinds for {len(sizes)} axes")
    return [_role(kind, size) for kind, size in zip(kinds, sizes, strict=True)]


def known_kinds(kinds: Sequence[str]) -> list[str]:
    """Return the kinds, "" for each one that says nothing."""
    return ["" if kind in UNKNOWN_KINDS else kind for kind in kinds]


def with_frames_told(
    roles: Sequence[Role],
    sizes: Sequence[int],
    fields: Iterable[tuple[Sequence[str], Collection[str]]],
) -> list[Role]:
    """Return the roles with the frames found: where two axes of three are told to be of space.

    The third is aside, whatever word stands there: so it holds the frames, unless it is so short
    that it may hold colours.

    Parameters
    ----------
    roles : sequence of Role
    sizes : sequence of int
    fields : iterable of (sequence of str, collection of str)
        The word that a field has for each axis, and which words tell that an axis is of space.

    Raises
    ------
    AxesError
        Where a field sets a first or second axis apart from the other two, but does not tell them
        to be of space.
    """
    space = [axis for axis, role in enumerate(roles) if role == "space"]
    if len(space) > 3:
        space = [axis for axis in space if sizes[axis] > 1]
    told = list(roles)
    if len(space) != 3:
        return told
    for words, of_space in fields:
        others = [axis for axis in space if words[axis] not in of_space]
        first, second, third = (words[axis] for axis in space)
        if len(others) == 1:
            told[others[0]] = "aside"
        elif others and first != second and third in (first, second):
            raise AxesError("an axis set apart that may be frames, columns or rows")
    return told


def _role(kind: str, size: int) -> Role:
    if kind in SINGLE_KINDS and size == 1:
        return "channels"
    if kind in UNKNOWN_KINDS:
        return "space"
    role = ROLES.get(kind)
    if role is None:
        raise AxesError("an axis whose kind is none of a picture")
    if role == "channels" and size not in CHANNEL_KINDS[kind]:
        raise AxesError(f"colours of {size} channels")
    return role


def _single(sizes: Sequence[int], space: Sequence[int], spare: int) -> int | None:
    """Return the axis of length 1 to pass over, if there are more than ``spare`` axes of space.

    The third and later ones go first: a picture of one column is no picture.
    """
    if len(space) <= spare:
        return None
    single = [axis for axis in (*space[2:], *space[:2]) if sizes[axis] == 1]
    return single[0] if single else None
