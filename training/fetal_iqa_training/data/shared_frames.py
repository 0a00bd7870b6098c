"""Which sweeps hold the same frames: known frame by frame, so that a part of a sweep is, too."""

import hashlib
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from fetal_iqa_training.data.labelled_frames import content_of

Unit = TypeVar("Unit", bound=Hashable)


def frame_contents(frames: Iterable[ArrayLike]) -> Iterator[str]:
    """Hash single (n, H, W) frames as :func:`~.labelled_frames.content_of` does one of its own.

    Frames of one grey value are left out: black ones are in many sweeps, and show nobody.
    """
    for one in frames:
        frame = np.asarray(one, np.uint8)
        if frame.min() != frame.max():
            yield content_of(frame[None])


def one_in_several(contents: Collection[str], most: int) -> list[str]:
    """Choose at most so many contents by themselves: of any two sets the same, as far as can be."""
    return sorted(contents, key=lambda one: hashlib.sha256(one.encode()).digest())[:most]


def joined_units(contents: Mapping[Unit, Collection[str]]) -> dict[Unit, Unit]:
    """Join units, such as subjects, that share a content, directly or through others.

    Returns
    -------
    dict
        Of each unit that is joined to another, the one by which all of them are known: the first.
    """
    parent: dict[Unit, Unit] = {unit: unit for unit in contents}

    def root(unit: Unit) -> Unit:
        while parent[unit] != unit:
            unit = parent[unit]
        return unit

    holder: dict[str, Unit] = {}
    for unit, of_unit in contents.items():
        for content in of_unit:
            one, other = root(unit), root(holder.setdefault(content, unit))
            if one != other:
                order = list(contents)
                first, second = sorted((one, other), key=order.index)
                parent[second] = first
    roots = {unit: root(unit) for unit in contents}
    sizes = {one: list(roots.values()).count(one) for one in set(roots.values())}
    return {unit: one for unit, one in roots.items() if sizes[one] > 1}
