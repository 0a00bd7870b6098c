"""Where it is said whose sweep it is: by a person, or by the table of a data set."""

from collections.abc import Collection
from pathlib import Path

from napari_fetal_iqa.corrections.store import CorrectionStore
from napari_fetal_iqa.errors import FetalIqaError, StoreError, SweepError
from napari_fetal_iqa.io import list_cases, read_sweep
from napari_fetal_iqa.io.acouslic import IMAGES, TABLE
from napari_fetal_iqa.storage.paths import known_location

_FEWEST_DIGITS = 8


def identity_of(sweep: str, store: CorrectionStore) -> str:
    """Find a sweep of a store by its file, or by the start of its content identity.

    Raises
    ------
    StoreError
        Where the store knows none, or several.
    SweepError
        Where the file cannot be read.
    """
    known = [record.identity for record in store.sweeps()]
    if Path(sweep).exists():
        wanted = read_sweep(Path(sweep)).identity
        found = [identity for identity in known if identity == wanted]
    else:
        found = [one for one in known if len(sweep) >= _FEWEST_DIGITS and one.startswith(sweep)]
    if len(found) != 1:
        raise StoreError(
            f"{store.path}: knows {len(found) or 'no'} sweeps by {sweep!r}; give its file, or "
            f"{_FEWEST_DIGITS} digits of its identity or more (corrections list names them)"
        )
    return found[0]


def subjects_of_folder(folder: Path, known: Collection[str]) -> dict[str, str]:
    """Read whose sweeps these are from the table of a folder in the layout of ACOUSLIC-AI.

    Parameters
    ----------
    folder : Path
    known : collection of str
        Content identities of the sweeps in question.

    Returns
    -------
    dict of str to str
        Names of subjects by content identity; each case's frames are read to know it.

    Raises
    ------
    FetalIqaError
        Where the folder is in another layout, or none of its cases is among those known.
    """
    found: dict[str, str] = {}
    for case in list_cases(folder):
        if not case.subject_id.strip():  # what was said before stays
            continue
        identity = read_sweep(case.image_path).identity
        if identity in known:
            found[identity] = case.subject_id
    if not found:
        raise FetalIqaError(
            f"{folder}: none of its cases whose subject is named was corrected in this store"
        )
    return found


def subject_of_file(path: Path) -> str | None:
    """Return whose sweep a file is by the table of its folder, in the layout of ACOUSLIC-AI.

    None where it does not lie in such a folder, or the table does not name it.
    """
    return subjects_beside(path).get(path.name)


def subjects_beside(path: Path) -> dict[str, str]:
    """Return whose sweeps the files in the folder of one are, by the table of ACOUSLIC-AI.

    Returns
    -------
    dict of str to str
        Names of subjects by the names of files; empty in another layout.
    """
    folder = path.parent.parent.parent
    if path.parent != folder / IMAGES or not (folder / TABLE).is_file():
        return {}
    try:
        cases = list_cases(folder, must_exist=False)
    except SweepError:
        return {}
    return {case.image_path.name: case.subject_id for case in cases if case.subject_id.strip()}


def fill_subjects(store: CorrectionStore) -> int:
    """Note whose sweeps these are, where the folders that they were opened from say so.

    What somebody said stays.

    Returns
    -------
    int
        Sweeps whose subject was not known before.
    """
    known = store.subjects()
    filled = 0
    for record in store.sweeps():
        place = None if record.identity in known else known_location(record.identity)
        name = None if place is None else subject_of_file(place)
        if name is not None:
            store.set_subject(record.identity, name)
            filled += 1
    return filled
