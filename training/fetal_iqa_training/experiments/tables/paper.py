"""The paper's results, figure by figure: mean and standard deviation over its five runs."""

from collections.abc import Mapping
from dataclasses import dataclass

PAPER = "arXiv 2507.22802"
PAPER_DICE = "dice_pooled"
"""Which of our Dice is the paper's: pooled over all pixels of the test frames."""


@dataclass(frozen=True)
class PaperFigure:
    """One figure of a paper; no deviation where it gives none."""

    mean: float
    std: float | None = None

    def __str__(self) -> str:
        """Write as the paper does: ``0.7570 ± 0.007``."""
        return f"{self.mean:.4f}" + ("" if self.std is None else f" ± {self.std:.3f}")


Figures = Mapping[str, PaperFigure]
_Pair = tuple[float, float]


def _figures(
    accuracy: _Pair, f1: _Pair, precision: _Pair, recall: _Pair, dice: _Pair | None = None
) -> Figures:
    named = {
        PAPER_DICE: dice,
        "accuracy": accuracy,
        "f1": f1,
        "precision": precision,
        "recall": recall,
    }
    return {name: PaperFigure(*pair) for name, pair in named.items() if pair is not None}


# Tables 1 and 3: DenseNet, every parameter; Tables 1, 2 and 4: FetalCLIP_CLS; and so on
DENSENET_LP = _figures((0.9187, 0.000), (0.3569, 0.018), (0.6113, 0.010), (0.2525, 0.019))
DENSENET_FP = _figures((0.9516, 0.002), (0.7024, 0.028), (0.7805, 0.026), (0.6420, 0.059))
EFFICIENTNET_FP = _figures((0.9537, 0.004), (0.7253, 0.030), (0.7725, 0.025), (0.6855, 0.053))
VGG_FP = _figures((0.9510, 0.002), (0.7084, 0.021), (0.7580, 0.023), (0.6671, 0.048))
SWIN_LORA = _figures((0.9565, 0.003), (0.7429, 0.039), (0.7864, 0.032), (0.7113, 0.087))
DEIT_LORA = _figures((0.9554, 0.001), (0.7466, 0.014), (0.7619, 0.035), (0.7363, 0.059))
VIT_400M_LP = _figures((0.9339, 0.001), (0.5273, 0.009), (0.7319, 0.007), (0.4123, 0.013))
VIT_400M_FP = _figures((0.9105, 0.000), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
VIT_400M_LORA = _figures((0.9560, 0.003), (0.7506, 0.019), (0.7657, 0.042), (0.7417, 0.067))
VIT_2B_LORA = _figures((0.9555, 0.002), (0.7429, 0.011), (0.7687, 0.017), (0.7196, 0.026))
VIT_SMALL_FP = _figures((0.9360, 0.005), (0.5814, 0.059), (0.7002, 0.039), (0.5052, 0.097))
FETALCLIP_CLS = _figures((0.9575, 0.001), (0.7570, 0.007), (0.7782, 0.034), (0.7397, 0.041))
FETALCLIP_SEG = _figures(
    (0.9543, 0.001), (0.7708, 0.005), (0.6988, 0.010), (0.8599, 0.017), (0.7244, 0.007)
)
