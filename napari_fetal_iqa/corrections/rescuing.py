"""Corrections whose store cannot be used: kept in memory, moved to disk, or saved elsewhere."""

import tempfile
from pathlib import Path

from napari_fetal_iqa.corrections.events import Event
from napari_fetal_iqa.corrections.store import CorrectionStore


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
    events = [said for said in store.waiting if isinstance(said, Event)]
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
