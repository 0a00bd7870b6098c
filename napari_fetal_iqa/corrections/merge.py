"""Two stores into one: corrections made on another machine join those made here."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from napari_fetal_iqa.corrections.events import Event
from napari_fetal_iqa.corrections.integrity import check_store
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
    """

    events: int
    sweeps: int
    known: int


def merge(store: CorrectionStore, other: Path) -> Merged:
    """Take over every event and sweep of another store, in one transaction.

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
        Where the other is not there, is no store or is damaged; then nothing is taken over.
    """
    problems = check_store(other, "ro").problems
    if problems:
        raise StoreError(
            f"{other}: damaged ({problems[0]}), nothing was taken over; napari-fetal-iqa "
            "corrections check --store says more, use a backup"
        )
    here = {event.uid for event in store.events()}
    sweeps_here = {record.identity for record in store.sweeps()}
    with CorrectionStore(other, "ro") as others:
        sweeps, events = others.sweeps(), others.events()
    new = [event for event in events if event.uid not in here]
    store.append(new, sweeps)
    return Merged(
        events=len(new),
        sweeps=sum(record.identity not in sweeps_here for record in sweeps),
        known=len(events) - len(new),
    )


def move_to_disk(kept: CorrectionStore) -> CorrectionStore:
    """Open the store that could not be opened before, and take over what was kept in memory.

    Raises
    ------
    StoreError
        Where it still cannot be opened or written; then nothing has changed.
    """
    store = CorrectionStore(kept.path)
    try:
        store.append(kept.events(), kept.sweeps())
    except BaseException:
        store.close()
        raise
    kept.close()
    return store


def rescue(store: CorrectionStore) -> Path | None:
    """Save what is not on disk into a new store in the folder of temporary files.

    Returns
    -------
    Path or None
        Of the new store, to be merged into the other; None where everything is on disk.

    Raises
    ------
    StoreError
        Where that folder cannot be written either.
    """
    events = [one for one in store.waiting if isinstance(one, Event)]
    if not store.on_disk:
        events = store.events()
    if not events:
        return None
    spoken_of = {event.sweep for event in events}
    path = Path(tempfile.mkdtemp(prefix="fetal-iqa-")) / "rescued-corrections.sqlite"
    with CorrectionStore(path) as rescued:
        known = [*store.sweeps(), *(s for s in store.waiting if not isinstance(s, Event))]
        rescued.append(events, [record for record in known if record.identity in spoken_of])
    return path
