"""How far the review of each sweep is, of a store of thousands."""

from dataclasses import dataclass
from itertools import combinations

from napari_fetal_iqa.corrections.agreement import MOST_REVIEWERS, compare
from napari_fetal_iqa.corrections.store import CorrectionStore


@dataclass(frozen=True)
class ReviewState:
    """How far the review of one sweep is.

    Parameters
    ----------
    corrected : dict of str to int
        Frames that each reviewer corrected, of those who corrected any.
    reviewed_by : tuple of str
        Those who looked at every frame.
    disagreements : int
        Frames of which any two reviewers say otherwise.
    """

    corrected: dict[str, int]
    reviewed_by: tuple[str, ...] = ()
    disagreements: int = 0


class ReviewStates:
    """Tells how far reviews are; what the store holds of all sweeps is looked up once.

    Parameters
    ----------
    store : CorrectionStore
        Open; what is written to it afterwards may be missed.

    Raises
    ------
    StoreError
        Where the store cannot be read, as :meth:`of` does.
    """

    def __init__(self, store: CorrectionStore) -> None:
        self._store = store
        self._records = {record.identity: record for record in store.sweeps()}
        self._speakers = store.speakers()

    def of(self, identity: str) -> ReviewState:
        """Return how far the review of a sweep is; of one that is not known, not begun."""
        record = self._records.get(identity)
        if record is None:
            return ReviewState({})
        names = self._speakers.get(identity, [])
        self._store.read_ahead(identity, names)
        states = {name: self._store.corrections(identity, name) for name in names}
        differing: set[int] = set()
        for pair in combinations(names[:MOST_REVIEWERS], 2):
            found = compare(pair, states[pair[0]], states[pair[1]], record.shape[1:])
            differing.update(found.disagreements)
        return ReviewState(
            corrected={name: len(state) for name, state in states.items() if state},
            reviewed_by=tuple(self._store.fully_reviewed(identity)),
            disagreements=len(differing),
        )
