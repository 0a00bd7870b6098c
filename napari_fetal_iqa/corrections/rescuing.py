"""What could not be written to a store, kept in a store of its own until it is merged.

Rescues lie beside the store that they belong to, where whoever looks for the corrections finds
them; else in the application's folder, and only then among the temporary files.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari_fetal_iqa.corrections.events import Event
from napari_fetal_iqa.corrections.rows import FullReview, SweepRecord
from napari_fetal_iqa.corrections.store import CorrectionStore
from napari_fetal_iqa.corrections.subjects import SweepSubject
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.growth.dating import Dating
from napari_fetal_iqa.storage import paths

RESCUED, MERGED = "rescued", "merged"
"""Second part of the name of a rescue, before and after it was taken over."""

_IN_TEMPORARY = "fetal-iqa-rescued"


@dataclass(frozen=True)
class Unsaved:
    """All that is not on disk, apart from the store that it waits in; no file is asked for it.

    Bookmarks are left out; and a store can say that a sweep was gone through, but not that it was
    not after all: :func:`beyond_rescue` has these.

    Parameters
    ----------
    events : tuple of Event
    sweeps : tuple of SweepRecord
        Those that are spoken of.
    reviewed : tuple of (sweep, reviewer)
    subjects : tuple of SweepSubject
    ages : tuple of (sweep, Dating)
    """

    events: tuple[Event, ...] = ()
    sweeps: tuple[SweepRecord, ...] = ()
    reviewed: tuple[tuple[str, str], ...] = ()
    subjects: tuple[SweepSubject, ...] = ()
    ages: tuple[tuple[str, Dating], ...] = ()

    @classmethod
    def of(cls, store: CorrectionStore) -> "Unsaved":
        """Gather what a store has not written."""
        unsaved = store.unsaved
        events = tuple(one for one in unsaved if isinstance(one, Event))
        reviews = [one for one in unsaved if isinstance(one, FullReview) and one.reviewed]
        subjects, ages = store.waiting_subjects, store.waiting_ages
        spoken_of = {one.sweep for one in events}
        spoken_of |= {one.sweep for one in reviews} | {one.sweep for one in subjects}
        spoken_of |= {sweep for sweep, _ in ages}
        return cls(
            events,
            tuple(record for record in store.known_sweeps if record.identity in spoken_of),
            tuple((review.sweep, review.reviewer) for review in reviews),
            subjects,
            ages,
        )

    def __len__(self) -> int:
        return len(self.events) + len(self.reviewed) + len(self.subjects) + len(self.ages)


def rescue(store: CorrectionStore, path: Path | None = None) -> Path | None:
    """Save what is not on disk into a store of its own; see :func:`write_rescue`.

    Returns
    -------
    Path or None
        Of that store, to be merged into the other; None where everything is on disk.
    """
    unsaved = Unsaved.of(store)
    return write_rescue(unsaved, store.path, path) if unsaved else None


def write_rescue(
    unsaved: Unsaved, store: Path, path: Path | None = None, again: Path | None = None
) -> Path:
    """Write what is unsaved where it survives and is found; the store's own file is not asked.

    Parameters
    ----------
    unsaved : Unsaved
    store : Path
        That it belongs to.
    path : Path, optional
        Where to: a new file, or a corrections store, which it is added to. By default a new one
        beside the store; where that folder cannot be written in the application's folder, and then
        among the temporary files.
    again : Path, optional
        The rescue that was written before, which goes on where it can.

    Returns
    -------
    Path
        Of what was written.

    Raises
    ------
    StoreError
        Where that cannot be written either, or is no corrections store; then nothing was changed.
    """
    if path is not None:
        if _is_same(path, store):
            raise StoreError(f"{path}: is the store that could not be written; choose another name")
        _write(unsaved, path)
        return path
    refused = []
    if again is not None and again.is_file():
        try:
            _write(unsaved, again)
        except StoreError as error:
            refused.append(str(error))
        else:
            return again
    for new in _new_paths(store):
        try:
            new.parent.mkdir(parents=True, exist_ok=True)
            new.open("xb").close()  # another window may have chosen the same name
            _write(unsaved, new)
        except (StoreError, OSError) as error:
            refused.append(str(error))
            if new.parent.name.startswith(_IN_TEMPORARY):
                with suppress(OSError):
                    take_away(new)
                    new.parent.rmdir()
        else:
            return new
    raise StoreError(refused[0])


def _write(unsaved: Unsaved, path: Path) -> None:
    """Write into a new file or into a store; a new one that cannot hold it is taken away."""
    was_there = path.exists() and path.stat().st_size > 0
    try:
        with CorrectionStore(path) as rescued, rescued.at_once():
            rescued.take_over(unsaved.events, unsaved.sweeps, unsaved.reviewed)
            rescued.take_over_subjects(unsaved.subjects)
            rescued.take_over_ages(unsaved.ages)
    except BaseException:
        if not was_there:
            with suppress(OSError):
                take_away(path)
        raise


def _is_same(path: Path, store: Path) -> bool:
    with suppress(OSError):
        return path.samefile(store)
    return path.absolute() == store.absolute()


def _new_paths(store: Path) -> Iterator[Path]:
    """Give paths of no file yet, one in each folder that a rescue of a store may lie in."""
    name = f"{store.stem}.{RESCUED}-{datetime.now():%Y-%m-%d-%H%M%S}"
    for folder in _lasting_folders(store):
        yield _unused(folder, name)
    with suppress(OSError):
        temporary = tempfile.mkdtemp(prefix=f"{_IN_TEMPORARY}-{_key(store)}-")
        yield _unused(Path(temporary), name)


def _unused(folder: Path, name: str) -> Path:
    path, number = folder / f"{name}.sqlite", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.sqlite"
    return path


def _lasting_folders(store: Path) -> tuple[Path, Path]:
    """Return the store's own folder, and that of the application for stores of this path."""
    return store.absolute().parent, paths.home() / RESCUED / _key(store)


def _key(store: Path) -> str:
    """Tell stores of one name apart where their rescues lie in one folder."""
    return hashlib.sha256(str(store.absolute()).encode(errors="surrogateescape")).hexdigest()[:12]


def rescues_of(store: Path) -> list[Path]:
    """Return the rescues of a store that were not merged yet, the oldest first."""
    folders = list(_lasting_folders(store))
    with suppress(OSError):
        temporary = Path(tempfile.gettempdir())
        folders += sorted(temporary.glob(f"{_IN_TEMPORARY}-{_key(store)}-*"))
    found: list[Path] = []
    for folder in folders:
        with suppress(OSError):  # a folder of somebody else
            found += sorted(
                path
                for path in folder.iterdir()
                if path.name.startswith(f"{store.stem}.{RESCUED}-")
                and path.suffix == ".sqlite"
                and path.stat().st_size  # else the program ended before anything was in it
            )
    return found


def set_aside(rescued: Path) -> Path:
    """Rename a rescue that was merged, so that nobody is asked again; it is kept.

    Where its folder cannot be written it keeps its name: merging again adds nothing.
    """
    kept = _unused(rescued.parent, _name_merged(rescued))
    try:
        rescued.rename(kept)
        _journal(rescued).unlink(missing_ok=True)
    except OSError:
        pass
    return kept if kept.exists() else rescued


def was_set_aside(rescued: Path) -> bool:
    """Whether another window merged a rescue that was there, and renamed it."""
    merged = rescued.with_name(f"{_name_merged(rescued)}{rescued.suffix}")
    return merged.exists() and not rescued.exists()


def _name_merged(rescued: Path) -> str:
    return rescued.stem.replace(f".{RESCUED}-", f".{MERGED}-", 1)


def take_away(rescued: Path) -> None:
    """Delete a rescue that is empty, or whose contents are sure to be in its store."""
    rescued.unlink(missing_ok=True)
    _journal(rescued).unlink(missing_ok=True)


def has_journal(path: Path) -> bool:
    """Whether a store's last writing may have been cut off."""
    with suppress(OSError):
        return _journal(path).stat().st_size > 0
    return False


def _journal(path: Path) -> Path:
    """Return where SQLite's journal of a store lies, which outlives its writing."""
    return path.with_name(f"{path.name}-journal")


def beyond_rescue(store: CorrectionStore) -> int:
    """Count the sweeps that are not fully reviewed after all, which no rescued store can say."""
    unsaved = store.unsaved
    return sum(isinstance(one, FullReview) and not one.reviewed for one in unsaved)
