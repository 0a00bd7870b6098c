"""What shall be exported, as the command line of ``corrections export``, and what it answers."""

import re
import sys
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from napari_fetal_iqa.corrections.sweep_finder import FIELD as MOVED_SWEEPS
from napari_fetal_iqa.fields import FormField

_WRITTEN = re.compile(r"written ([0-9]+) (.+)")


class ExportRequest(BaseModel):
    """Which corrections are written where: chosen in the window's form, or by command options."""

    model_config = ConfigDict(frozen=True)

    folder: Annotated[
        str, FormField("Folder", "Folder to write into; made where it is missing.", folder=True)
    ] = ""
    reviewer: Annotated[
        str,
        FormField(
            "Reviewer",
            "Only this reviewer's corrections; by default the consensus of all.",
            empty="all, by consensus",
        ),
    ] = ""
    sweeps: Annotated[
        str,
        FormField(
            MOVED_SWEEPS, "Folder to look for moved sweeps in.", folder=True, empty="none moved"
        ),
    ] = ""

    def command(self, store: Path) -> list[str]:
        """Return the command that exports from a store."""
        options = {"--reviewer": self.reviewer, "--sweeps": self.sweeps}
        given = [part for option, value in options.items() if value for part in (option, value)]
        return [
            *(
                sys.executable,
                "-m",
                "napari_fetal_iqa",
                "--for-window",
                "corrections",
                "export",
                self.folder,
            ),
            *("--store", str(store), *given),
        ]


def written_line(count: int, what: str) -> str:
    """Return the line by which the command tells the window what it has just written."""
    return f"written {count} {what}"


def read_written(line: str) -> tuple[int, str] | None:
    """Return how many of what a line says were written; None where it says something else."""
    found = _WRITTEN.fullmatch(line.strip())
    return None if found is None else (int(found[1]), found[2])
