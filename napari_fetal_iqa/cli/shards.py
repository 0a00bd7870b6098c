"""Shares of an archive, for job arrays: which process takes which sweeps, without their talking."""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

import typer

from napari_fetal_iqa.analysis.files import folder_name


@dataclass(frozen=True)
class Shard:
    """One of several disjoint shares of all sweeps.

    A sweep's share follows from the name of its results folder alone: it stays the same whatever
    else comes to the archive, and sweeps of one name, whose folders are told apart in the order in
    which they are analysed, are of one share.
    """

    number: int
    """From 1."""
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"3/8"``: the third of eight.

        Raises
        ------
        typer.BadParameter
            Where it is no share.
        """
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.count:
            raise typer.BadParameter(
                f"expected one of several shares, as 1/8 to 8/8, not {text!r}",
                param_hint="--shard",
            )
        return shard

    def holds(self, sweep_name: str) -> bool:
        """Whether a sweep of this name is of this share."""
        name = folder_name(sweep_name).casefold().encode()  # some systems tell no case
        digest = hashlib.sha256(name).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1
