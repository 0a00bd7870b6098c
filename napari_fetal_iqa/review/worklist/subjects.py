"""Which sweeps of a list are of one subject, and how that is said of some of them."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.corrections.subject_sources import subjects_beside
from napari_fetal_iqa.corrections.subjects import SweepSubject, plain_name, subject_key
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.io.read import read_source
from napari_fetal_iqa.review.worklist.listing import files_of
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.known_sweeps import KnownSweeps, remember
from napari_fetal_iqa.sweep import SweepVolume

logger = logging.getLogger(__name__)

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_key_of = lru_cache(maxsize=4096)(subject_key)  # some 50 ms each


@dataclass(frozen=True)
class Subject:
    """Whose sweep it is.

    Parameters
    ----------
    group : str
        Equal for all sweeps of the subject.
    name : str
        By the table of the sweep's folder; empty where the store alone knows, which keeps no names.
    """

    group: str
    name: str = ""


class SubjectFinder:
    """Finds whose sweeps these are: by the store, else by the table of a folder of ACOUSLIC-AI."""

    def __init__(self) -> None:
        self._tables: dict[Path, dict[str, str]] = {}

    def by_table(self, source: SweepSource) -> Subject | None:
        """Return whose sweep it is by the table of its folder; None where there is none."""
        name = self._table(source).get(source.path.name)
        return None if name is None else _named(name)

    def of(self, source: SweepSource, said: SweepSubject | None) -> Subject | None:
        """Return whose sweep it is.

        Parameters
        ----------
        source : SweepSource
        said : SweepSubject or None
            What the store says of it, which comes before the table.
        """
        if said is None:
            return self.by_table(source)
        table = self._table(source)
        own = [table[source.path.name]] if source.path.name in table else []
        for name in dict.fromkeys((*own, *table.values())):  # most often it is its own
            try:
                if _key_of(name, said.salt) == said.key:
                    return _named(name)
            except ValueError:
                continue  # too long for a name
        return Subject(said.key)

    def _table(self, source: SweepSource) -> Mapping[str, str]:
        folder = source.path.parent
        if folder not in self._tables:
            self._tables[folder] = subjects_beside(source.path)
        return self._tables[folder]


def _named(name: str) -> Subject:
    return Subject(f"name {plain_name(name)}", name)


class SubjectLabels:
    """What a list calls its subjects: by the table's name, else by a letter, A for the first."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def of(self, subject: Subject | None) -> str:
        """Return in few letters whose sweep it is; empty where that is not known."""
        if subject is None:
            return ""
        if subject.name:
            name = shown(subject.name)
            return f"id {name}" if re.fullmatch("[A-Z]{1,2}", name) else name  # no letter of ours
        return self._letters.setdefault(subject.group, _letters(len(self._letters)))


def _letters(number: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    before, last = divmod(number, len(_LETTERS))
    return (_letters(before - 1) if before else "") + _LETTERS[last]


def say_subject(
    sources: Iterable[tuple[int, SweepSource]], name: str | None, store: Path
) -> Iterator[int]:
    """Note in the store whose sweeps these are; one never opened on this machine is read first.

    Parameters
    ----------
    sources : iterable of (int, SweepSource)
    name : str or None
        Kept as a salted hash; None where it is not known any more.
    store : Path

    Yields
    ------
    int
        The number of a sweep of which it is in the store now.

    Raises
    ------
    StoreError
        Where the store cannot be written; what was given before is in it.
    SweepError
        Where sweeps cannot be read; of all others it is noted.
    """
    failed: list[str] = []
    with CorrectionStore(store) as opened, closing(KnownSweeps()) as known:
        for number, source in sources:
            try:
                sweep = _identified(source, known)
            except SweepError as error:
                failed.append(error.in_window)  # the window alone asks
                continue
            if opened.record(sweep.identity) is None and name is not None:
                opened.add_sweep(sweep)
            if opened.record(sweep.identity) is not None:
                opened.set_subject(sweep.identity, name)
            yield number
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise SweepError(f"subject not noted: {failed[0]}{more}")


def _identified(source: SweepSource, known: KnownSweeps) -> SweepVolume:
    """Return a sweep whose identity is known; its frames are read where it was not."""
    try:
        files: Sequence[Path] = files_of(source)
    except OSError as error:
        raise SweepError(f"{source.name}: cannot be read ({error.strerror})") from None
    found = known.find(source.path, files) if files else None
    if found is not None:
        try:
            return found.without_frames(source.name)
        except (SweepError, ValueError):
            logger.info("what is noted of a sweep is damaged; it is read again")
    sweep = read_source(source)
    identity = sweep.identity
    try:
        paths.remember_location(identity, source.path)
        if files:
            remember(source.path, files, sweep)
    except OSError:
        logger.warning("what was read of a sweep could not be noted")
    return sweep
