"""Two stores into one: corrections made on another machine join those made here."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from napari_fetal_iqa.corrections.events import Event
from napari_fetal_iqa.corrections.integrity import read_whole_store
from napari_fetal_iqa.corrections.rows import FullReview
from napari_fetal_iqa.corrections.schema import LOCK_WAIT_S
from napari_fetal_iqa.corrections.store import CorrectionStore
from napari_fetal_iqa.errors import StoreError


@dataclass(frozen=True)
class Merged:
    """What a store took over from another.

    Parameters
    ----------
    events, sweeps : int
        New ones.
    known : int
        Events that were here before.
    reviewed : int
        Sweeps that a reviewer has gone through by the other store alone; each counts here as well.
    other_bounds : tuple of str
        Sweeps that the other store splits in another way; they stay as they are here.
    """

    events: int
    sweeps: int
    known: int
    reviewed: int = 0
    other_bounds: tuple[str, ...] = ()


def merge(store: CorrectionStore, other: Path) -> Merged:
    """Take over every event, sweep and full review of another store, in one transaction.

    Events keep their time, reviewer and unique name, so merging again adds nothing. A store
    replays a reviewer's events in order of time; so it does not matter which of two stores
    is merged into the other, and undo goes on where the reviewer spoke last.

    Parameters
    ----------
    store : CorrectionStore
        Added to.
    other : Path
        Opened read-only, and never changed.

    Raises
    ------
    StoreError
        Where the other is not there, is no store, or holds a row that is not sound or contradicts
        what is known here, which it names; then nothing is taken over.
    """
    found = read_whole_store(other, "ro")
    if found.problems:
        raise StoreError(
            f"{other}: damaged ({found.problems[0]}), nothing was taken over; napari-fetal-iqa "
            "corrections check --store names all of it, and --repair OUT saves the rest"
        )
    try:
        with store.at_once():
            done = store.take_over(found.events, found.sweeps, found.reviewed)
            store.take_over_subjects(found.subjects)
    except StoreError as error:
        raise StoreError(f"{error} (nothing of {other} was taken over)") from None
    here = {record.identity: record.bounds for record in store.sweeps()}
    split = (one.identity for one in found.sweeps if here.get(one.identity) != one.bounds)
    events, sweeps, reviewed = done
    return Merged(events, sweeps, len(found.events) - events, reviewed, tuple(split))


def move_to_disk(kept: CorrectionStore, wait_s: float = LOCK_WAIT_S) -> CorrectionStore:
    """Open the store that could not be opened before, and take over what was kept in memory.

    ``wait_s`` is how long each step waits for another program that has locked the file.

    Raises
    ------
    StoreError
        Where it still cannot be opened or written; then nothing has changed.
    """
    store = CorrectionStore(kept.path, wait_s=wait_s)
    try:
        store.take_over(kept.events(), kept.sweeps(), sure=True)
        store.take_over_subjects(kept.subjects().values())
        store.say_where_reviews_stand(kept)
    except BaseException:
        store.close()
        raise
    kept.close()
    return store


def rescue(store: CorrectionStore, path: Path | None = None) -> Path | None:
    """Save what is not on disk into a new store.

    The store's own file is not asked for anything. Bookmarks are left out; and a store can say that
    a sweep was gone through, but not that it was not after all: :func:`beyond_rescue` has these.

    Parameters
    ----------
    store : CorrectionStore
    path : Path, optional
        Of the new store, where there is no file yet; by default in the folder of temporary files.

    Returns
    -------
    Path or None
        Of the new store, to be merged into the other; None where everything is on disk.

    Raises
    ------
    StoreError
        Where that cannot be written either, or is there already.
    """
    events = [one for one in store.unsaved if isinstance(one, Event)]
    reviews = [one for one in store.unsaved if isinstance(one, FullReview) and one.reviewed]
    whose_sweeps = store.waiting_subjects
    if not events and not reviews and not whose_sweeps:
        return None
    spoken_of = {event.sweep for event in events} | {review.sweep for review in reviews}
    spoken_of |= {one.sweep for one in whose_sweeps}
    if path is None:
        path = Path(tempfile.mkdtemp(prefix="fetal-iqa-")) / "rescued-corrections.sqlite"
    elif path.exists():
        raise StoreError(f"{path}: is there already; choose another name")
    with CorrectionStore(path) as rescued:
        known = [record for record in store.known_sweeps if record.identity in spoken_of]
        whose = [(review.sweep, review.reviewer) for review in reviews]
        rescued.take_over(events, known, whose)
        rescued.take_over_subjects(whose_sweeps)
    return path


def beyond_rescue(store: CorrectionStore) -> int:
    """Count the sweeps that are not fully reviewed after all, which no rescued store can say."""
    unsaved = store.unsaved
    return sum(isinstance(one, FullReview) and not one.reviewed for one in unsaved)
