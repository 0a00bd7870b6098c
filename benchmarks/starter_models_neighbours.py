"""Whom the models' cards say taught, and what would judge although its neighbour did."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from fetal_iqa_models import load_card
from fetal_iqa_models.taught import Taught
from fetal_iqa_training.data.chests import chest_cases
from fetal_iqa_training.data.near_copies import PERHAPS, likeness, small
from fetal_iqa_training.data.planes import PlaneImage, load_frame, read_planes


class Neighbours:
    """Frames of FOCUS and of FETAL_PLANES_DB, told apart by content: seconds apart in one loop.

    Parameters
    ----------
    data : Path
        Has fetal_planes_640, fetal_planes_png and focus_thorax.
    models : sequence of str
        By their cards frames taught or did not.

    Attributes
    ----------
    subjects : frozenset of str
        Held-back, with a thorax that is the neighbour of a chest that taught.
    chests : frozenset of str
        Names of held-back chests that are neighbours of frames that taught.
    """

    def __init__(self, data: Path, models: Sequence[str]) -> None:
        cards = taught_of(models)
        images = [
            image
            for folder in ("fetal_planes_640", "fetal_planes_png")
            for image in read_planes(data / folder)
            if image.plane == "thorax"
        ]
        cases = chest_cases(data / "focus_thorax" / "annotations.csv")
        chests = [small(next(iter(case.read())).frames[0]) for case in cases]
        planes = [small(load_frame(image)) for image in images]
        chest_taught = [_taught(cards, case.name) for case in cases]
        plane_taught = [_taught(cards, image.path.stem) for image in images]
        of_planes = likeness(planes, [c for c, t in zip(chests, chest_taught, strict=True) if t])
        self.subjects = frozenset(
            image.subject
            for image, row in zip(images, of_planes, strict=True)
            if image.part == "val" and row.max() >= PERHAPS
        )
        both, said = [*planes, *chests], [*plane_taught, *chest_taught]
        of_chests = likeness(chests, [one for one, t in zip(both, said, strict=True) if t])
        self.chests = frozenset(
            case.name
            for case, row in zip(cases, of_chests, strict=True)
            if case.held_back and row.max() >= PERHAPS
        )

    def teach(self, image: PlaneImage) -> bool:
        """Whether a plane's subject may have taught by a chest: of the planes, thoraxes alone."""
        return image.plane == "thorax" and image.subject in self.subjects


def taught_of(models: Sequence[str]) -> list[Taught]:
    """Return what the cards of models say of what taught them."""
    return [card.taught for card in map(load_card, models) if card.taught is not None]


def _taught(cards: Sequence[Taught], name: str) -> bool:
    return any(card.learnt_from([("case", name)]) for card in cards) or any(
        card.chosen_by([("case", name)]) for card in cards
    )


def people(folder: Path, models: Sequence[str], judges: Callable) -> dict[str, float]:
    """Count by the cards whose standard planes taught, whose only chose, and who judge.

    Parameters
    ----------
    folder : Path
        Of planes.
    models : sequence of str
    judges : callable
        Whether an image judges.
    """
    cards, images = taught_of(models), read_planes(folder)
    learnt, chose = set(), set()
    for image in images:
        thing = [("case", image.path.stem)]
        if any(card.learnt_from(thing) for card in cards):
            learnt.add(image.subject)
        elif any(card.chosen_by(thing) for card in cards):
            chose.add(image.subject)
    chose -= learnt
    judged = [image for image in images if judges(image)]
    listed = {image.subject for image in images if image.part == "train"}
    planes = Counter(image.plane for image in judged)
    return {
        "judge": len({image.subject for image in judged}),
        "learnt": len(learnt),
        "chose": len(chose),
        "neither": len(listed - learnt - chose),
        **{f"judged {plane}": count for plane, count in sorted(planes.items())},
    }
