"""Whose sweeps a store holds, beside its other rows."""

from collections.abc import Iterable

from napari_fetal_iqa.corrections.row_writing import insert_subject
from napari_fetal_iqa.corrections.sound_rows import read_subjects
from napari_fetal_iqa.corrections.store_file import StoreFile
from napari_fetal_iqa.corrections.subjects import SweepSubject, translated
from napari_fetal_iqa.corrections.validity import sound_subject


class SubjectStore(StoreFile):
    """Subjects of sweeps, held as salted hashes.

    Parameters
    ----------
    path, mode
        See :class:`~napari_fetal_iqa.corrections.store_file.StoreFile`.
    """

    def subjects(self) -> dict[str, SweepSubject]:
        """Return whose sweep each is, by content identity, as far as it was said."""
        self.sweeps()
        with self._explaining():
            found = self._sound(read_subjects(self._connection, self._records.get))
        return {one.sweep: one for one in found}

    def subject(self, sweep: str) -> SweepSubject | None:
        """Return whose sweep it is, as the file says now; None where nobody said."""
        self.record(sweep)
        with self._explaining():
            found = self._sound(read_subjects(self._connection, self._records.get, sweep))
        return found[0] if found else None

    def take_over_subjects(self, others: Iterable[SweepSubject]) -> int:
        """Take over from another store whose sweeps are whose, of those known; return how many.

        What is said here stays; subjects that a sweep of both stores tells to be one become one.
        """
        others = [one for one in others if self.record(one.sweep) is not None]
        new = list(translated(others, self.subjects().values()))
        with self._writing(), self._refusing():
            for one in new:
                insert_subject(self._connection, sound_subject(one))
        return len(new)
