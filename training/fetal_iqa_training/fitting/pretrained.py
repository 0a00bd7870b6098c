"""Where the pretrained weights of an encoder come from when a training starts."""

from pathlib import Path

from fetal_iqa_models import encoder_spec
from fetal_iqa_models.weights.store import WeightsStore
from fetal_iqa_training.errors import TrainingError


def find_pretrained(encoder: str, folder: Path) -> Path | None:
    """Find an encoder's weights in the store of those that were fetched or imported.

    Parameters
    ----------
    encoder : str
        One of :func:`~fetal_iqa_models.list_encoders`.
    folder : Path
        Of the store.

    Returns
    -------
    Path or None
        None for an encoder that has no published weights, which starts at random.

    Raises
    ------
    ModelError
        Where there is no such encoder.
    TrainingError
        Where its weights are published but not here.
    """
    if stored := WeightsStore(folder).entries(encoder):
        return stored[0].path
    if encoder_spec(encoder).source is None:
        return None
    raise TrainingError(
        f"the pretrained weights of {encoder} are not here: fetch them with "
        f"`napari-fetal-iqa weights fetch {encoder}`, name a file with --weights, or start at "
        "random with --from-scratch"
    )
