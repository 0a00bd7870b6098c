"""Which built-in model somebody's folder is, under another name, or with another temperature."""

import filecmp
from pathlib import Path

from fetal_iqa_models.built_in import BUILT_IN, BuiltInModel
from fetal_iqa_models.cards import CARD_FILE, MODEL_FILES, ModelCard, is_there, load_card


def built_in_with(folder: Path, card: ModelCard) -> BuiltInModel | None:
    """Find the built-in model that has the same weights, file by file.

    What is known of weights holds for a copy of them, and for one that was calibrated: a
    temperature changes how sure a model says to be, not what it knows.

    Parameters
    ----------
    folder : Path
        A model folder.
    card : ModelCard
        That of the folder.

    Returns
    -------
    BuiltInModel or None
        None where there is no such model.

    Raises
    ------
    ModelError
        Where something in the folder is no file.
    OSError
        Where a file cannot be read.
    """
    for row in BUILT_IN.values():
        if row.task != card.task:
            continue
        theirs = load_card(row.folder)
        if (theirs.encoder, theirs.encoder_weights) != (card.encoder, card.encoder_weights):
            continue
        # sizes are compared before bytes, so that hardly anything is read
        if all(_alike(folder / name, row.folder / name) for name in MODEL_FILES):
            return row
    return None


def _alike(one: Path, other: Path) -> bool:
    if one.name == CARD_FILE:
        return True
    if not is_there(one) or not is_there(other):
        return is_there(one) == is_there(other)
    return filecmp.cmp(one, other, shallow=False)
