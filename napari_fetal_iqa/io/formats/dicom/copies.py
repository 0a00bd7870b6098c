"""Copies of one image among the files of a folder, also those that were stored anew."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    JPEG2000MC,
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    MPEGTransferSyntaxes,
)

from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.formats.dicom.reader import (
    DicomFacts,
    grey_digest,
    grey_frames_of,
    pixel_digest,
)

logger = logging.getLogger(__name__)

_LOSSY = {
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    JPEG2000,
    JPEG2000MC,
    HTJ2K,
    *MPEGTransferSyntaxes,
}
"""Transfer syntaxes that may have changed the pixels."""

_LOSS = 0.25
"""Of a picture's own standard deviation: JPEG of quality 50 takes less of speckle, another picture
differs by 1 and more."""


def without_copies(files: Sequence[DicomFacts]) -> list[DicomFacts]:
    """Leave out files that say they are the same image as another one, and are.

    An image is named by its SOP instance UID, and files of one UID with the same pixels are copies,
    whatever number, series or transfer syntax they have. But some anonymising programs give all
    images one UID: where it stands for several pictures, only files of the same number and series
    are copies, or such without a number; and a file of another transfer syntax and the same number,
    which was compressed with loss; without a number, where it looks the same. Of copies in several
    series, the one in the series of most files stays, so that no sweep is torn apart; then one that
    has a number, and the one that is named as most files are, so that it has its place where names
    decide the order.
    """
    pictures = _pictures(files)
    of_instance: dict[Hashable, set[bytes]] = defaultdict(set)
    for facts in files:
        if facts.path in pictures:
            of_instance[_instance(facts)].add(pictures[facts.path])
    sizes = Counter(facts.series for facts in files).most_common()
    rank = {series: place for place, (series, _) in enumerate(sizes)}
    names = Counter(_name_without_numbers(facts) for facts in files)
    seen: set[Hashable] = set()
    kept: dict[Hashable, list[DicomFacts]] = defaultdict(list)
    copies: set[Path] = set()

    def place(facts: DicomFacts) -> tuple[int, bool, int]:
        unnumbered = facts.instance_number is None
        return rank[facts.series], unnumbered, -names[_name_without_numbers(facts)]

    for facts in sorted(files, key=place):
        if facts.path not in pictures:
            continue
        instance, number = _instance(facts), facts.instance_number
        is_one_picture = len(of_instance[instance]) == 1
        picture = (*instance, "" if is_one_picture else facts.series, pictures[facts.path])
        known = kept[(*instance, number, facts.series)]
        stored_anew = any(
            other.syntax != facts.syntax and (number is not None or _differ_by_loss(other, facts))
            for other in known
        )
        is_seen = picture if is_one_picture or number is None else (*picture, number)
        if is_seen in seen or stored_anew:
            copies.add(facts.path)
            logger.warning("%s: passed over, as it is a copy", shown(facts.path.name))
            continue
        seen |= {picture, (*picture, number)}
        known.append(facts)
    return [facts for facts in files if facts.path not in copies]


def _pictures(files: Sequence[DicomFacts]) -> dict[Path, bytes]:
    """Return digests by which the pixels of files with one identity can be compared.

    Pixels of several transfer syntaxes can only be compared once they are decoded.
    """
    by_instance: dict[tuple[str, int], list[DicomFacts]] = defaultdict(list)
    for facts in files:
        if facts.instance:
            by_instance[_instance(facts)].append(facts)
    digests = {}
    for same in by_instance.values():
        if len(same) > 1:
            kinds = {UID(facts.syntax).is_compressed and facts.syntax for facts in same}
            digest = pixel_digest if len(kinds) == 1 else grey_digest
            digests.update({facts.path: digest(facts.path) for facts in same})
    return digests


def _differ_by_loss(one: DicomFacts, other: DicomFacts) -> bool:
    """Whether two files look the same, of which one at least was compressed with loss."""
    if not {one.syntax, other.syntax} & _LOSSY or one.frame_shape != other.frame_shape:
        return False
    frames, others = (_three_frames(facts.path) for facts in (one, other))
    return bool(np.std(frames - others) < _LOSS * np.std(frames))


def _three_frames(path: Path) -> NDArray[np.float32]:
    frames = grey_frames_of(path)
    return frames[[0, len(frames) // 2, -1]].astype(np.float32)


def _instance(facts: DicomFacts) -> tuple[str, int]:
    return facts.instance, facts.frames


def _name_without_numbers(facts: DicomFacts) -> str:
    return re.sub(r"\d+", "0", facts.path.name)
