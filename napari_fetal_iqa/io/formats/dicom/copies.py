"""Copies of one image among the files of a folder, also those that were stored anew."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

from pydicom.uid import UID

from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.formats.dicom.reader import DicomFacts, grey_digest, pixel_digest

logger = logging.getLogger(__name__)


def without_copies(files: Sequence[DicomFacts]) -> list[DicomFacts]:
    """Leave out files that say they are the same image as another one, and are.

    An image is named by its SOP instance UID, and files of one UID with the same pixels are copies,
    whatever number, series or transfer syntax they have. But some anonymising programs give all
    images one UID: where it stands for several pictures, only files of the same number and series
    are copies, or such without a number; and a file of another transfer syntax and the same number,
    which was compressed with loss. Of copies in several series, the one in the series of most files
    stays, so that no sweep is torn apart; then one that has a number, and the one that is named as
    most files are, so that it has its place where names decide the order.
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
    syntaxes: dict[Hashable, set[str]] = defaultdict(set)
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
        known = syntaxes[(*instance, number, facts.series)]
        stored_anew = number is not None and bool(known - {facts.syntax})
        is_seen = picture if is_one_picture or number is None else (*picture, number)
        if is_seen in seen or stored_anew:
            copies.add(facts.path)
            logger.warning("%s: passed over, as it is a copy", shown(facts.path.name))
            continue
        seen |= {picture, (*picture, number)}
        known.add(facts.syntax)
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


def _instance(facts: DicomFacts) -> tuple[str, int]:
    return facts.instance, facts.frames


def _name_without_numbers(facts: DicomFacts) -> str:
    return re.sub(r"\d+", "0", facts.path.name)
