"""Standard planes as a data set: abdomens with their outline, other planes as what is none."""

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from fetal_iqa_training.data.labelled_frames import AnnotatedCase, LabelledFrames
from fetal_iqa_training.data.outlines import PlaneEllipse, read_outlines
from fetal_iqa_training.data.planes import PlaneImage, load_frame, read_planes


def plane_cases(folder: Path, only: Collection[str] | None = None) -> tuple[AnnotatedCase, ...]:
    """List the images of a folder of standard planes, a case each by its file's name.

    An abdomen is positive, with the outline of the package's table; one without an outline there
    is left out, because nobody knows whether it can be measured. All other planes are negative.

    Raises
    ------
    TrainingError
        As of :func:`~fetal_iqa_training.data.planes.read_planes`.
    """
    outlines = read_outlines()
    cases = []
    for image in read_planes(folder):
        outline = outlines.get(image.path.name)
        if image.plane == "abdomen" and outline is None:
            continue
        name = image.path.stem
        if only is None or name in only:
            read = partial(_frames, image, outline if image.plane == "abdomen" else None)
            held_back = image.part != "train" if image.part else None
            cases.append(AnnotatedCase(name, image.subject, 1, read, held_back))
    return tuple(cases)


def _frames(image: PlaneImage, outline: PlaneEllipse | None) -> Iterator[LabelledFrames]:
    frame = load_frame(image)
    shape = (frame.shape[0], frame.shape[1])
    if outline is not None:
        outline.check_centre((shape[1], shape[0]), str(image.path))
    mask = np.zeros(shape, bool) if outline is None else outline.mask(shape)
    yield LabelledFrames(
        sweep=image.path.stem,
        frames=frame[None],
        masks=mask[None],
        positive=np.array([outline is not None]),
        subject=image.subject,
        case=image.path.stem,
    )
