"""How a video says that it is to be turned, as telephones and capture boxes do.

The matrix is that of a track header (ISO/IEC 14496-12, section 6.2.2), as FFmpeg hands it on.
"""

import struct
from dataclasses import dataclass
from typing import Any

import av
from numpy.typing import NDArray

from napari_fetal_iqa.errors import SweepError


@dataclass(frozen=True)
class Turn:
    """How stored frames become those that are shown: swapped first, then each axis reversed."""

    swapped: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def apply(self, frame: NDArray[Any]) -> NDArray[Any]:
        """Turn one (H, W) frame."""
        turned = frame.T if self.swapped else frame
        rows, columns = (
            slice(None, None, -1 if flip else 1) for flip in (self.flip_rows, self.flip_columns)
        )
        return turned[rows, columns]


def turn_of(name: str, frame: av.VideoFrame) -> Turn:
    """Return how a decoded frame is to be turned; not at all where it has no matrix.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    frame : av.VideoFrame

    Raises
    ------
    SweepError
        Where it is not by a quarter of a circle, or slanted.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Turn()
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    # A point (x, y) is shown at (a x + c y, b x + d y), in y downwards, but for a shift.
    if a and d and not b and not c:
        return Turn(flip_rows=d < 0, flip_columns=a < 0)
    if b and c and not a and not d:
        return Turn(swapped=True, flip_rows=b < 0, flip_columns=c < 0)
    raise SweepError(
        f"{name}: expected a video that is upright or turned by a quarter of a circle, found one "
        f"that is slanted; export it again as it is to be seen"
    )
