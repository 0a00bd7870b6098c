"""Headers of text (MetaImage, NRRD): their fields, each checked when it is read."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.axes import AxesError

MAX_HEADER_BYTES = 1 << 22
"""4 MiB; 840 frames with their notes (of trackers, of sequences) have about 300 KB."""


class TextHeader:
    """Typed access to the ``key = value`` fields of one image header.

    Every method raises a :class:`~napari_fetal_iqa.errors.SweepError` that names the file and
    the field, and quotes none of its text.

    Parameters
    ----------
    path : Path
        The header's file, for messages and to find data files beside it.
    fields : mapping of str to str
    """

    def __init__(self, path: Path, fields: Mapping[str, str]) -> None:
        self.path = path
        self.fields = fields

    def get(self, key: str, default: str = "") -> str:
        """Return a field as it stands."""
        return self.fields.get(key, default)

    def words(self, key: str, default: str = "") -> list[str]:
        """Return the words of a field."""
        return self.get(key, default).split()

    def numbers(self, key: str) -> list[float]:
        """Return the numbers of a field; none where any of its words is no number."""
        try:
            return [float(word) for word in self.words(key)]
        except ValueError:
            return []

    def flag(self, key: str, default: bool) -> bool:
        """Return a field that must be True or False."""
        value = self.get(key, str(default)).lower()
        if value not in ("true", "false"):
            raise self.wrong(key, "True or False")
        return value == "true"

    def whole_numbers(self, key: str, count: int) -> tuple[int, ...]:
        """Return ``count`` positive integers of at most 15 digits."""
        words = self.words(key)
        # 15 digits are a petabyte; from 4300 on, int raises an error of its own.
        if len(words) != count or not all(
            word.isascii() and word.isdigit() and len(word) <= 15 and int(word) for word in words
        ):
            raise self.wrong(key, f"{count} positive whole number{'s' * (count > 1)}")
        return tuple(int(word) for word in words)

    def skipped_bytes(self, key: str) -> int:
        """Return how many bytes come before the pixels; -1 where the pixels end the file."""
        value = self.get(key, "0")
        return int(value) if value in ("0", "-1") else self.whole_numbers(key, 1)[0]

    def data_file(self, key: str, expected: str) -> Path:
        """Return the data file that a field names; it must lie in the header's folder or below.

        Lists and patterns of files, one a frame, are refused as not ``expected``.
        """
        name = self.get(key)
        if not name or re.fullmatch(r"LIST(\s+\d+)?", name):
            raise self.wrong(key, expected)
        folder = self.path.parent.resolve()
        elsewhere = False
        for spelling in _spellings(name):
            try:
                data = (folder / spelling).resolve()
                inside, found = data.is_relative_to(folder), data.is_file()
            except (OSError, ValueError):  # a name too long, or with a null byte
                raise self.wrong(key, "a file name") from None
            if inside and found:
                return data
            elsewhere |= not inside
        if elsewhere:
            raise SweepError(
                f"{self.path.name}: expected its data file in its own folder, found one "
                f"elsewhere; put both in one folder and correct {key}"
            )
        if "%" in name:
            raise self.wrong(key, expected)
        raise SweepError(
            f"{self.path.name}: expected the data file that its {key} names beside it, found "
            f"none; copy both files"
        )

    def wrong(self, key: str, expected: str) -> SweepError:
        """Make the error that says what was expected of a field, and whether it is there at all.

        What stands in it is not quoted: fields of other programs name patients.
        """
        found = "something else" if self.fields.get(key) else "none"
        return SweepError(
            f"{self.path.name}: expected {key} to be {expected}, found {found}; "
            f"save the volume again as an 8-bit MetaImage"
        )

    def untold(self, error: AxesError) -> SweepError:
        """Make the error that says that the axes cannot be told."""
        return SweepError(
            f"{self.path.name}: expected columns, rows and frames, and colours at most, found "
            f"{error}; save the volume again with its frames along the third axis"
        )


def _spellings(name: str) -> list[str]:
    """Return how a file may be called that a header names, the likeliest first.

    Names come in the encoding of the writer's machine (``name`` is its bytes as Latin-1), with
    accents composed or, from a Mac, not, and with the backslashes of Windows.
    """
    try:
        names = [name.encode("latin-1").decode(), name]
    except UnicodeDecodeError:
        names = [name]
    names += [unicodedata.normalize(form, names[0]) for form in ("NFC", "NFD")]
    names += [spelling.replace("\\", "/") for spelling in names]
    return list(dict.fromkeys(names))
