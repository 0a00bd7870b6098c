"""SonoNet16 with its own classifier as a CLS model: run once, the result is shipped.

``python -m fetal_iqa_models.making.sononet_planes FOLDER``

The last layer of the published network is linear up to the mean over the map, so that it becomes
the head, with its batch normalisation worked in; the layers before are the encoder.
"""

import sys
from pathlib import Path

from fetal_iqa_models.cards import ModelCard
from fetal_iqa_models.classes import FrameClass
from fetal_iqa_models.encoders import load_encoder
from fetal_iqa_models.folders import save_model
from fetal_iqa_models.networks import FrameClassifier
from fetal_iqa_models.sononet import PLANES
from fetal_iqa_models.weights.recording import weights_record
from fetal_iqa_models.weights.store import SHIPPED, WeightsStore

TARGET = "Abdominal"
_FIRST_SHIPPED = "0.1.0"


def make_sononet_cls(folder: Path) -> Path:
    """Write the model folder of SonoNet16 and its 14 classes; return it.

    Raises
    ------
    ModelError
        Where the folder exists or cannot be written.
    """
    (stored,) = WeightsStore(folder.parent / "nowhere").entries("sononet16-planes")
    encoder = load_encoder("sononet16-planes", stored.path)
    network = FrameClassifier(
        encoder, [FrameClass(name=plane, target=plane == TARGET) for plane in PLANES]
    )
    last = encoder.trunk.adaptation[-1]
    scale = last.norm.weight / (last.norm.running_var + last.norm.eps).sqrt()
    network.head.load_state_dict(
        {
            "weight": (last.conv.weight[:, :, 0, 0] * scale[:, None]).detach(),
            "bias": (last.norm.bias - last.norm.running_mean * scale).detach(),
        }
    )
    card = ModelCard(
        name="SonoNet16, 13 standard planes",
        task="cls",
        encoder=encoder.spec.name,
        encoder_weights=weights_record(stored.path, SHIPPED),
        image_size=encoder.spec.image_size,
        classes=network.classes,
        labels=("another plane or background", "standard plane of the abdomen"),
        licence="Apache-2.0",
        training={
            "by": "Baumgartner et al., IEEE Transactions on Medical Imaging 36 (2017), "
            "arXiv 1612.05601; not trained further",
            "source": stored.header.source_repository,
        },
        tool_version=_FIRST_SHIPPED,
    )
    return save_model(network, folder, card)


if __name__ == "__main__":
    make_sononet_cls(Path(sys.argv[1]))
