"""Compile the models that come with the package, after one of them has changed.

``python -m fetal_iqa_models.making.shipped_graphs``. What passed the gate in less precision is made
by ``napari-fetal-iqa models compile`` and copied from the cache.
"""

import shutil

from fetal_iqa_models.built_in import BUILT_IN
from fetal_iqa_models.cards import EncoderWeights, load_card, model_hash
from fetal_iqa_models.compiled.compiling import compile_model
from fetal_iqa_models.compiled.graph_folder import PRECISIONS, SHIPPED, folder_name

_READABLE, _ENTERABLE = 0o644, 0o755


def make_shipped_graphs() -> None:
    """Write the graphs that are missing, and take away those of models that are no more."""
    wanted = {folder_name(model_hash(name), weights_of(name)): name for name in BUILT_IN}
    there = {folder.name for folder in SHIPPED.iterdir()} if SHIPPED.is_dir() else set()
    reduced = tuple(f"-{precision}" for precision in PRECISIONS)
    for old in there - wanted.keys():
        # what is said of less precision is of one graph alone: it counts for nothing with another
        if not old.endswith(reduced) or old.rpartition("-")[0] not in there & wanted.keys():
            shutil.rmtree(SHIPPED / old)
    for new in wanted.keys() - there:
        name = wanted[new]
        made = compile_model(name, SHIPPED, weights_sha256=weights_of(name)).folder
        made.chmod(_ENTERABLE)
        for file in made.iterdir():
            file.chmod(_READABLE)


def weights_of(name: str) -> str | None:
    """Return the sha256 of an encoder's weights that lie beside the model and not in it."""
    weights = load_card(name).encoder_weights
    return weights.sha256 if isinstance(weights, EncoderWeights) else None


if __name__ == "__main__":
    make_shipped_graphs()
