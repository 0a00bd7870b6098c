"""A volume under a text header, MetaImage or NRRD: its pixels turned as the probe was held."""

from collections.abc import Callable
from dataclasses import replace

from napari_fetal_iqa.io.formats.axes import Axes
from napari_fetal_iqa.io.formats.frame_rate import rate_of_timestamps
from napari_fetal_iqa.io.formats.pixel_block import PixelBlock
from napari_fetal_iqa.io.formats.plus_sequence import orientation_of, turned
from napari_fetal_iqa.io.formats.spacing import Spacing
from napari_fetal_iqa.io.formats.text_header import TextHeader
from napari_fetal_iqa.sweep import SweepVolume


def open_volume(
    header: TextHeader,
    axes: Axes,
    block_along: Callable[[Axes], PixelBlock],
    spacing_along: Callable[[Axes], Spacing],
    kind: str,
) -> SweepVolume:
    """Open the volume that a header describes.

    Parameters
    ----------
    header : TextHeader
    axes : Axes
        What each axis of the file is.
    block_along, spacing_along : callable
        Give the pixels, and the spacing, of the file along these axes.
    kind : str
        Name of the format.

    Raises
    ------
    SweepError
        As the callables do, and where the pixels cannot be opened.
    """
    orientation = orientation_of(header)
    block = block_along(axes.swapped() if orientation.swapped else axes)
    block = replace(block, flipped=(orientation.flip_rows, orientation.flip_columns))
    spacing = spacing_along(axes)
    rate = rate_of_timestamps(header.fields)
    return SweepVolume(
        block.open(),
        spacing_mm=turned(spacing.mm, orientation),
        name=header.path.stem,
        source_format=f"{kind}, {block.encoding}",
        path=header.path,
        spacing_note=spacing.note,
        frames_per_second=rate.per_second,
        rate_source=rate.source,
    )
