"""What a model and its ancestors learnt from, by identity: so that none of it ever judges them."""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from fetal_iqa_models.errors import ModelError

Kind = Literal["case", "frames", "sweep", "subject"]
"""Of a thing that teaches: a case of a data set by its name, the frames of one sweep or a whole
volume by their content, a subject by the salted hash that a corrections store has of the name."""

Thing = tuple[Kind, str]
"""What teaches, with its identity."""

_DIGITS = 24
"""Of each hash: 96 bits, so that 400 sweeps and their cases take 30 kB of a card."""

MOST = 100_000
"""Things in all: three times those of all images of FETAL_PLANES_DB, HC18 and FOCUS."""

_Hash = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{_DIGITS}}}$")]
_Hashes = Annotated[tuple[_Hash, ...], Field(max_length=MOST)]


class Taught(BaseModel):
    """What taught a model, what chose among its states, and what was set aside to judge it.

    Things are named by hashes with the salt of the lineage, and of nothing but names in data sets
    and contents: who holds a sweep can ask whether it taught, and nobody can read who did.

    Parameters
    ----------
    salt : str
        Of the hashes; a child has its parent's.
    learnt : tuple of str
        What the weights were trained on, of all ancestors too.
    chose : tuple of str
        What chose the epoch or the temperature.
    tested : tuple of str
        The test part of the split.
    tested_by_content : bool
        The frames of the test part are in ``tested``, too; older cards have its names alone.
    every_subject : bool
        The subject of each case is recorded with it; older cards lack those whose names their
        cases' names begin with, such as 017 of ``017_HC``.
    complete : bool
        False where an ancestor was fine-tuned by a version that did not record this: any corrected
        sweep may have taught it.
    unrecorded : tuple of str
        Hashes of the ancestors whose cards do not say what taught them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    learnt: _Hashes = ()
    chose: _Hashes = ()
    tested: _Hashes = ()
    tested_by_content: bool = False
    every_subject: bool = False
    complete: bool = True
    unrecorded: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = ()

    @property
    def known(self) -> bool:
        """Whether all that taught is recorded here; else what is not may have taught, too."""
        return self.complete and not self.unrecorded

    @classmethod
    def salted(cls, by: str) -> Self:
        """Begin a lineage; its salt comes from a text such as the hash of the training data."""
        salt = hashlib.sha256(f"lineage {by}".encode()).hexdigest()[:32]
        return cls(salt=salt, every_subject=True)

    def mark(self, kind: Kind, identity: str) -> str:
        """Return the hash by which a thing is recorded here."""
        digest = hashlib.sha256(f"{self.salt} {kind} {identity}".encode())
        return digest.hexdigest()[:_DIGITS]

    def marks(self, things: Iterable[Thing]) -> frozenset[str]:
        """Return the hashes of things."""
        return frozenset(self.mark(kind, identity) for kind, identity in things)

    def having(
        self,
        learnt: Iterable[Thing] = (),
        chose: Iterable[Thing] = (),
        tested: Iterable[Thing] = (),
    ) -> Self:
        """Return this with more things in it; each is recorded once.

        Raises
        ------
        ModelError
            Where they are more than a card takes: what is not recorded could judge.
        """
        marks = {
            "learnt": {*self.learnt, *self.marks(learnt)},
            "chose": {*self.chose, *self.marks(chose)},
            "tested": {*self.tested, *self.marks(tested)},
        }
        if (count := sum(map(len, marks.values()))) > MOST:
            raise ModelError(
                f"{count} cases, sweeps and subjects teach, choose or test, and a model's card "
                f"records {MOST} at most; take fewer cases"
            )
        return self.model_copy(update={name: tuple(sorted(of)) for name, of in marks.items()})

    def learnt_from(self, things: Iterable[Thing]) -> bool:
        """Return whether any of these taught the model or an ancestor."""
        return not self.marks(things).isdisjoint(self.learnt)

    def may_lack(self, things: Iterable[Thing]) -> bool:
        """Return whether a subject among these may have taught without a record of it."""
        return not self.every_subject and any(kind == "subject" for kind, _ in things)

    def chosen_by(self, things: Iterable[Thing]) -> bool:
        """Return whether any of these chose the epoch or the temperature."""
        return not self.marks(things).isdisjoint(self.chose)

    def tested_on(self, things: Iterable[Thing]) -> bool:
        """Return whether any of these is of the test part."""
        return not self.marks(things).isdisjoint(self.tested)
