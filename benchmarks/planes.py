"""How well a CLS model tells the abdominal plane from others, on images of standard planes.

    python benchmarks/planes.py DATA [--model sononet-cls]

DATA is a folder in one of the layouts of ``fetal_iqa_training.data.planes``. Where scanners burn in
text is blackened. Prints the area under the ROC curve of the quality, against all other planes and
against each, F1 at the model's threshold, and what a model that names planes takes each for.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score
from tqdm import tqdm

from fetal_iqa_models import FramePredictor, load_model
from fetal_iqa_training.data.planes import PlaneImage, load_frame, read_planes
from napari_fetal_iqa.model_library.zero_shot import made
from napari_fetal_iqa.storage import paths

ABDOMEN = "abdomen"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="sononet-cls", help="model folder or name")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()

    images = read_planes(options.data)
    model = load_model(made(options.model), weights_folder=paths.weights())
    predictor = FramePredictor(model, device=options.device, batch_size=1)
    quality, named = [], []
    for image in tqdm(images, unit="image", disable=None):
        (batch,) = predictor.predict(load_frame(image)[None])
        quality.append(float(batch.quality[0]))
        named.append("" if batch.plane is None else model.classes[int(batch.plane[0])].name)

    print(f"{options.model}, {model.card.name}; text blackened\n")
    print("| images | of them abdomens | AUC | F1 at the threshold | AUC against |")
    print("|---|---|---|---|---|")
    parts = {"all": np.ones(len(images), bool)}
    parts |= {
        p: np.array([one.part == p for one in images])
        for p in sorted({i.part for i in images} - {""})
    }
    for part, chosen in parts.items():
        print(_row(part, images, np.array(quality), chosen, model.card.quality_threshold))
    if any(named):
        print("\n| plane | images | taken for |\n|---|---|---|")
        for plane in sorted({one.plane for one in images}):
            taken = Counter(n for n, one in zip(named, images, strict=True) if one.plane == plane)
            shown = ", ".join(f"{name} {count}" for name, count in taken.most_common(5))
            print(f"| {plane} | {taken.total()} | {shown} |")


def _row(
    part: str,
    images: Sequence[PlaneImage],
    quality: np.ndarray,
    chosen: np.ndarray,
    threshold: float,
) -> str:
    planes = np.array([one.plane for one in images])
    abdomen = planes == ABDOMEN
    against = [
        f"{plane} {roc_auc_score(abdomen[pair], quality[pair]):.3f}"
        for plane in sorted(set(planes[chosen]) - {ABDOMEN})
        for pair in [chosen & (abdomen | (planes == plane))]
    ]
    auc = roc_auc_score(abdomen[chosen], quality[chosen])
    f1 = f1_score(abdomen[chosen], quality[chosen] > threshold)
    return (
        f"| {part}, {chosen.sum()} | {abdomen[chosen].sum()} | {auc:.4f} | {f1:.3f} | "
        f"{', '.join(against)} |"
    )


if __name__ == "__main__":
    main()
