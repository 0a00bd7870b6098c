"""Files that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_fetal_iqa.errors import SweepError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a new file that takes the place of ``path`` once it is written.

    Whoever reads ``path`` meanwhile sees the old file; where the block raises, the old file
    stays. Missing folders are made.

    Raises
    ------
    SweepError
        Where the disk refuses.
    """
    folder = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=".writing-", dir=path.parent)
        new = Path(folder, path.name.lower())  # ITK knows formats by small endings only
        yield new
        os.replace(new, path)
    except OSError as error:
        raise SweepError(
            f"{path.name}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
