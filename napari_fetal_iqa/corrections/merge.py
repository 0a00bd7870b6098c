"""Two stores into one: what was said on another machine joins what was said here."""

from dataclasses import dataclass
from pathlib import Path

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
    replays what a reviewer said in order of time; so it does not matter which of two stores
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
