"""Where the bits of a sample lie in its word (PS3.5, section 8.1.1).

A sample fills ``bits_stored`` bits that end at ``high_bit``; whatever lies above and below, such as
an old overlay, is none of it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.formats.dicom.header import ImageHeader


class SampleBits:
    """Takes the samples of one file out of their words.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    header : ImageHeader

    Raises
    ------
    SweepError
        From :meth:`samples_of`, :meth:`decompressed` and :meth:`finish`, where it cannot be told
        where in its word a sample lies.
    """

    def __init__(self, name: str, header: ImageHeader) -> None:
        self._name = name
        self._header = header
        self._unused = header.bits_allocated - header.bits_stored
        self._below = header.high_bit + 1 - header.bits_stored
        self._whole = not self._unused and header.bits_allocated <= 8
        self._uses_bits_below = False
        self._all_fit_lowest = True

    def samples_of(self, words: NDArray[Any]) -> NDArray[Any]:
        """Return samples with their sign, of the type of the words.

        A word that is padding stays as it is where a sample's bits cannot hold such a value.
        """
        header = self._header
        if self._whole:  # there is no other place
            return words
        if header.high_bit >= header.bits_allocated:
            raise self._misplaced()
        if self._below < 0:
            # The header contradicts itself: right only where both its numbers give these values.
            if not _fit(words, header.bits_allocated - 1 - header.high_bit):
                raise self._misplaced()
            return words
        if not self._unused:
            return words
        if self._below:
            used = bool((words & ((1 << self._below) - 1)).any())
            self._uses_bits_below = self._uses_bits_below or used
            self._all_fit_lowest = self._all_fit_lowest and _fit(words, self._unused)
        samples = (words << (self._unused - self._below)) >> self._unused
        padding = header.padding
        if padding is None or _can_hold(header, padding):
            return np.asarray(samples)
        return np.where((words >= padding[0]) & (words <= padding[1]), words, samples)

    def decompressed(
        self, frame: NDArray[Any], precision: int, lossless: bool = True
    ) -> NDArray[Any]:
        """Return the samples of a frame of which so many bits a sample were compressed.

        Decoders give these as the lowest bits: the samples alone, or whole words.
        """
        header = self._header
        in_place = header.high_bit == header.bits_stored - 1
        if precision <= header.bits_stored or (in_place and not lossless):
            return frame
        if precision == header.bits_allocated == 8 * frame.itemsize:
            return self.samples_of(frame)
        if in_place:
            return frame
        raise self._misplaced()

    def finish(self) -> None:
        """Compare all words with where the header says that their samples lie."""
        if self._uses_bits_below and self._all_fit_lowest:
            raise self._misplaced()

    def _misplaced(self) -> SweepError:
        header = self._header
        return SweepError(
            f"{self._name}: expected pixels of {header.bits_stored} bits whose highest is bit "
            f"{header.high_bit} of {header.bits_allocated}, as the header says, found other ones; "
            f"export the sweep again"
        )


def _fit(words: NDArray[Any], unused: int) -> bool:
    """Return whether all values need no more than their lowest bits, but for ``unused``."""
    return np.array_equal((words << unused) >> unused, words)


def _can_hold(header: ImageHeader, padding: tuple[int, int]) -> bool:
    """Return whether the stored bits can hold the padding values."""
    lowest = -(1 << header.bits_stored - 1) if header.signed else 0
    return padding[0] >= lowest and padding[1] < lowest + (1 << header.bits_stored)
