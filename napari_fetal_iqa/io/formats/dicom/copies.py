"""Copies of one image among the files of a folder, also those that were stored anew."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

from napari_fetal_iqa.io.formats.dicom.reader import DicomFacts, pixel_digest

logger = logging.getLogger(__name__)


def without_copies(files: Sequence[DicomFacts]) -> list[DicomFacts]:
    """Leave out files that say they are the same image as another one, and are.

    Some anonymising programs give all images one identity: those with other pixels in the same
    transfer syntax, or with other numbers, are images of their own; where an identity stands for
    several pictures, so are those of other series. Of copies in several series, the one in the
    series of most files stays, so that no sweep is torn apart; then the one that is named as most
    files are, so that it has its place where names decide the order.
    """
    same_instance = Counter(_instance(facts) for facts in files)
    digests = {
        facts.path: pixel_digest(facts.path)
        for facts in files
        if facts.instance and same_instance[_instance(facts)] > 1
    }
    pictures: dict[Hashable, set[bytes]] = defaultdict(set)
    for facts in files:
        if facts.path in digests:
            pictures[_instance(facts)].add(digests[facts.path])
    sizes = Counter(facts.series for facts in files).most_common()
    rank = {series: place for place, (series, _) in enumerate(sizes)}
    seen: set[Hashable] = set()
    syntaxes: dict[Hashable, set[str]] = defaultdict(set)
    copies: set[Path] = set()
    names = Counter(_name_without_numbers(facts) for facts in files)
    for facts in sorted(
        files, key=lambda facts: (rank[facts.series], -names[_name_without_numbers(facts)])
    ):
        if facts.path not in digests:
            continue
        image = (*_instance(facts), facts.instance_number)
        series = facts.series if len(pictures[_instance(facts)]) > 1 else ""
        stored = (*image, series, digests[facts.path])
        known = syntaxes[(*image, facts.series)]
        stored_anew = facts.instance_number is not None and bool(known - {facts.syntax})
        if stored in seen or stored_anew:
            copies.add(facts.path)
            logger.warning("%s: passed over, as it is a copy", facts.path.name)
            continue
        seen.add(stored)
        known.add(facts.syntax)
    return [facts for facts in files if facts.path not in copies]


def _instance(facts: DicomFacts) -> tuple[str, int]:
    return facts.instance, facts.frames


def _name_without_numbers(facts: DicomFacts) -> str:
    return re.sub(r"\d+", "0", facts.path.name)
