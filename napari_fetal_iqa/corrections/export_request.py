"""What shall be exported, as the command line of ``corrections export``."""

import sys
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from napari_fetal_iqa.fields import FormField


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
            "Moved sweeps", "Folder to look for moved sweeps in.", folder=True, empty="none moved"
        ),
    ] = ""

    def command(self, store: Path) -> list[str]:
        """Return the command that exports from a store."""
        options = {"--reviewer": self.reviewer, "--sweeps": self.sweeps}
        given = [part for option, value in options.items() if value for part in (option, value)]
        return [
            *(sys.executable, "-m", "napari_fetal_iqa", "corrections", "export", self.folder),
            *("--store", str(store), *given),
        ]
