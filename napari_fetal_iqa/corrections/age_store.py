"""How far the pregnancy was when each sweep was made, by dates, beside a store's other rows."""

from collections.abc import Iterable

from napari_fetal_iqa.corrections.row_writing import put_age
from napari_fetal_iqa.corrections.sound_rows import read_ages
from napari_fetal_iqa.corrections.subject_store import SubjectStore
from napari_fetal_iqa.corrections.validity import sound_dating
from napari_fetal_iqa.growth.dating import Dating


class AgeStore(SubjectStore):
    """Gestational ages as somebody entered them: days and by what, no date of anybody.

    Parameters
    ----------
    path, mode
        See :class:`~napari_fetal_iqa.corrections.store_file.StoreFile`.
    """

    def ages(self) -> dict[str, Dating]:
        """Return the age by dates of each sweep, by content identity, as far as it was entered."""
        self.sweeps()
        with self._explaining():
            return dict(self._sound(read_ages(self._connection, self._records.get)))

    def age(self, sweep: str) -> Dating | None:
        """Return the age by dates of a sweep, as the file says now; None where nobody said."""
        self.record(sweep)
        with self._explaining():
            found = self._sound(read_ages(self._connection, self._records.get, sweep))
        return found[0][1] if found else None

    def take_over_ages(self, others: Iterable[tuple[str, Dating]]) -> tuple[str, ...]:
        """Take over another store's ages of sweeps that are known; what is said here stays.

        Returns
        -------
        tuple of str
            Sweeps whose age is another there than here.
        """
        here = self.ages()
        other = []
        with self._writing(), self._refusing():
            for sweep, dating in others:
                if sweep in here:
                    other += [sweep] if here[sweep].days != dating.days else []
                elif self.record(sweep) is not None:
                    put_age(self._connection, sweep, sound_dating(dating))
        return tuple(other)
