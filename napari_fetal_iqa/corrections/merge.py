"""Two stores into one: corrections made on another machine join those made here."""

from dataclasses import dataclass
from pathlib import Path

from napari_fetal_iqa.corrections.integrity import read_whole_store
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
    other_ages : tuple of str
        Likewise, sweeps whose age by dates is another there.
    """

    events: int
    sweeps: int
    known: int
    reviewed: int = 0
    other_bounds: tuple[str, ...] = ()
    other_ages: tuple[str, ...] = ()


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
        damaged = f"{other}: damaged ({found.problems[0]}), nothing was taken over"
        raise StoreError(
            f"{damaged}; napari-fetal-iqa corrections check --store names all of it, and --repair "
            "OUT saves the rest",
            in_window=f"{damaged}; it stays as it is: ask whoever looks after this machine to "
            "repair it",
        )
    try:
        with store.at_once():
            done = store.take_over(found.events, found.sweeps, found.reviewed)
            store.take_over_subjects(found.subjects)
            ages = store.take_over_ages(found.ages)
    except StoreError as error:
        nothing = f" (nothing of {other} was taken over)"
        raise StoreError(f"{error}{nothing}", in_window=f"{error.in_window}{nothing}") from None
    here = {record.identity: record.bounds for record in store.sweeps()}
    split = (one.identity for one in found.sweeps if here.get(one.identity) != one.bounds)
    events, sweeps, reviewed = done
    return Merged(events, sweeps, len(found.events) - events, reviewed, tuple(split), ages)


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
