"""Models on this machine: which there are, whose children they are; use, go back, delete."""

import os
import re
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.cards import ModelCard, model_hash, model_id
from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.model_library.hold_out import doubtful, is_worse
from napari_fetal_iqa.model_library.in_use import (
    FOR,
    TASKS,
    Task,
    UseHistory,
    locate,
    places_in_use,
    reference_in_use,
    references_in_use,
)
from napari_fetal_iqa.model_library.soundness import check_usable, sound_card
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import AUTOMATIC

_DELETED = ".deleted-"
_ID_OR_HASH = re.compile(r"(?:(cls|seg)-)?([0-9a-f]{4,64})")


@dataclass(frozen=True)
class ModelEntry:
    """One model on this machine.

    Parameters
    ----------
    id : str
        Short name for people, ``"cls-7f3a"``; of a damaged folder the folder's own name.
    hash : str
        sha256 of the model folder; empty where it is damaged.
    reference : str
        What the settings hold of it: the name of a shipped model, else the folder.
    card : ModelCard or None
        None where the folder is damaged.
    in_use : bool
    damaged : str or None
        Why it cannot be used, in one line.
    suits : str
        The sweeps for which it is in use where nobody chose it: ``"real sweeps"``; else empty.
    """

    id: str
    hash: str
    reference: str
    card: ModelCard | None
    in_use: bool = False
    damaged: str | None = None
    suits: str = ""

    @property
    def automatic(self) -> bool:
        """Whether this is no model but "automatic": the built-in one that suits each sweep."""
        return self.reference == AUTOMATIC

    @property
    def shipped(self) -> bool:
        """Whether the model comes with the program."""
        return self.reference in BUILT_IN


class ModelLibrary:
    """The models on this machine.

    Parameters
    ----------
    folder : Path, optional
        Where fine-tuned models are kept, each in a folder of its own; by default the user's.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or paths.models()
        self._history = UseHistory(self.folder / "in-use-history.json")

    def entries(self) -> list[ModelEntry]:
        """Return the shipped models, those kept here, and those in use, once or now, elsewhere.

        Folders whose names start with a dot are half-written and left out; damaged ones are
        given, with the reason.
        """
        used = references_in_use()
        once = filter(os.path.isdir, self._history.references())
        in_use = places_in_use({task: reference_in_use(task) for task in TASKS})
        found: dict[Path, str] = {}
        for reference in (*BUILT_IN, *self._kept(), *used, *once):
            found.setdefault(locate(reference), reference)
        return [
            _entry(reference, place in in_use, in_use.get(place, ""))
            for place, reference in found.items()
        ]

    def find(self, text: str) -> ModelEntry:
        """Find a model by id, at least 4 digits of its hash, its folder, or its shipped name.

        Raises
        ------
        ModelError
            Where none or several are meant.
        """
        entries = self.entries()
        found = [entry for entry in entries if entry.shipped and entry.reference == text]
        found = found or [entry for entry in entries if self._is_meant(entry, text)]
        if not found and self._is_other_folder(text):
            found = [_entry(str(locate(text)), in_use=False)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise ModelError(
                f"{text or 'an empty name'}: no such model; give an id, 4 digits of a hash or "
                "more, or a folder (napari-fetal-iqa models list says what is here)",
                f"{text}: no such model is here any more",
            )
        several = ", ".join(f"{entry.hash[:12]} in {entry.reference}" for entry in found)
        said = f"{text}: may be any of {several}"
        raise ModelError(f"{said}; give more of the hash, or the folder", said)

    def lineage(self, entry: ModelEntry) -> list[ModelEntry | str]:
        """Return a model, its parent, and so on to the oldest; one that is not here in words."""
        return _lineage(entry, self.entries())

    def use(self, entry: ModelEntry, although_worse: bool = False) -> str | None:
        """Take a model into use for its task, from the next start of the window on.

        Returns
        -------
        str or None
            A remark on it: that it is worse than its parent, was never judged, or on too little.

        Raises
        ------
        ModelError
            Where the folder is damaged, pretrained weights are missing, or the model is worse than
            its parent on the hold-out or the reference and ``although_worse`` does not say that
            this is known.
        """
        card = check_usable(entry.reference)
        worse = is_worse(card)
        if worse and not although_worse:
            said = f"{entry.id}: {worse}"
            raise ModelError(f"{said}; give --although-worse to use it all the same", said)
        self._history.take(card.task, entry.reference)
        return worse or doubtful(card)

    def use_none(self, task: Task) -> None:
        """Have no model in use for a task; ``rollback`` takes the one before into use again.

        Raises
        ------
        ModelError
            Where the settings or the history cannot be written.
        """
        self._history.take(task, "")

    def use_automatic(self, task: Task) -> None:
        """Use for each sweep the built-in model of a task that suits it.

        Raises
        ------
        ModelError
            Where the settings or the history cannot be written.
        """
        self._history.take(task, AUTOMATIC)

    def rollback(self, task: Task) -> ModelEntry:
        """Take what was in use for a task before into use again; once more, one step further.

        An entry that is ``automatic`` and no model where none had been chosen.

        Raises
        ------
        ModelError
            Where nothing that can still be used is known to have been in use before.
        """

        def reason_against(reference: str) -> str | None:
            try:
                check_usable(reference, task)
            except ModelError as error:
                return str(error)
            return None

        reference = self._history.back(task, reason_against)
        if reference is None:
            raise ModelError(
                f"{task}: no model is known to have been in use before; choose one with "
                "napari-fetal-iqa models use",
                f"No other model for the {FOR[task]} is known to have been in use before; choose "
                "one of the list",
            )
        if reference == AUTOMATIC:
            return ModelEntry(AUTOMATIC, "", AUTOMATIC, None, in_use=True)
        return _entry(reference, in_use=True)

    def why_kept(self, entry: ModelEntry) -> str | None:
        """Explain why a model must not be deleted; None where it may be."""
        if entry.shipped:
            return f"{entry.id}: comes with the program and cannot be deleted"
        folder = Path(entry.reference)
        if folder.is_symlink() or locate(entry.reference).parent != locate(str(self.folder)):
            return f"{folder}: is not kept in {self.folder}; delete the folder yourself"
        entries = self.entries()
        for user in (known for known in entries if known.in_use):
            if locate(user.reference) == locate(entry.reference):
                return f"{entry.id}: is in use; take another model into use first"
            if user.damaged:
                return (
                    f"{user.reference}: is in use and cannot be read, so nobody knows whether it "
                    f"was made from {entry.id}; take another model into use first"
                )
            ancestors = _lineage(user, entries)[1:]
            if entry.hash in [known.hash for known in ancestors if isinstance(known, ModelEntry)]:
                return (
                    f"{entry.id}: {user.id}, which is in use, was made from it; take another "
                    "model into use first"
                )
        return None

    def delete(self, entry: ModelEntry) -> None:
        """Delete the folder of a model for good.

        It is renamed first, so that what a kill leaves is never listed; the next deletion
        clears it away.

        Raises
        ------
        ModelError
            Where ``why_kept`` has a reason, or the disk refuses.
        """
        if reason := self.why_kept(entry):
            raise ModelError(reason)
        folder = Path(entry.reference)
        hidden = folder.with_name(f"{_DELETED}{uuid.uuid4().hex[:8]}")
        try:
            folder.rename(hidden)
        except OSError as error:
            raise ModelError(
                f"{folder}: cannot be deleted ({error.strerror}); close what uses it, try again"
            ) from error
        for left in self.folder.glob(f"{_DELETED}*"):
            shutil.rmtree(left, ignore_errors=True)
        if hidden.exists():
            raise ModelError(f"{hidden}: deleted, but not all files are gone; remove this folder")

    def _kept(self) -> list[str]:
        try:
            return sorted(
                str(path.absolute())
                for path in self.folder.iterdir()
                if path.is_dir() and not path.name.startswith(".")
            )
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ModelError(f"{self.folder}: cannot be read ({error.strerror})") from error

    def _is_meant(self, entry: ModelEntry, text: str) -> bool:
        digits = _ID_OR_HASH.fullmatch(text.lower())
        if digits and entry.card and digits[1] in (None, entry.card.task):
            by_hash = entry.hash.startswith(digits[2])
        else:
            by_hash = False
        places_meant = (locate(text), locate(str(self.folder / text))) if text else ()
        return by_hash or locate(entry.reference) in places_meant

    def _is_other_folder(self, text: str) -> bool:
        """Return whether a folder is meant that is not listed; a half-written one never is."""
        if not text or not os.path.isdir(text):
            return False
        place = locate(text)
        return not (place.name.startswith(".") and place.parent == locate(str(self.folder)))


def _entry(reference: str, in_use: bool, suits: str = "") -> ModelEntry:
    try:
        card = sound_card(reference)
        digest = model_hash(reference)
    except ModelError as error:
        name = Path(reference).name
        return ModelEntry(name, "", reference, None, in_use, damaged=str(error))
    identity = model_id(card.task, digest)
    return ModelEntry(identity, digest, reference, card, in_use, suits=suits)


def _lineage(entry: ModelEntry, entries: Iterable[ModelEntry]) -> list[ModelEntry | str]:
    known = {other.hash: other for other in entries if other.card}
    line: list[ModelEntry | str] = [entry]
    seen = {entry.hash}
    parent = entry.card.parent if entry.card else None
    while parent is not None and parent not in seen:
        seen.add(parent)
        ancestor = known.get(parent)
        line.append(ancestor or f"{parent[:12]}, not on this machine")
        parent = ancestor.card.parent if ancestor and ancestor.card else None
    return line
