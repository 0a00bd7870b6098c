"""The tables as data: the paper's own, row by row, and what else can be compared.

Adding a system is adding a line.
"""

from dataclasses import replace

from fetal_iqa_models.cards import LoraSettings
from fetal_iqa_models.registry import TRANSFORMER_LORA
from fetal_iqa_training.experiments.tables import paper
from fetal_iqa_training.experiments.tables.systems import PAPER_LORA, Row, Table
from fetal_iqa_training.settings import Strategy, Task

RANKS = (8, 16, 32, 64, 128)
"""Those that the paper names as an open question; it has rank 8 itself."""
WITH_QKV = (*TRANSFORMER_LORA, "attn.qkv")

# what the paper calls an encoder, and its name in our table of encoders
DENSENET = ("DenseNet", "densenet121")
EFFICIENTNET = ("EfficientNet", "efficientnet_b0")
VGG = ("VGG", "vgg16")
SWIN = ("Swin", "swin_l")
DEIT = ("DeiT", "deit3_l")
VIT_400M = ("ViT_400M", "vit_l_clip_400m")
VIT_2B = ("ViT_2B", "vit_l_clip_laion2b")
VIT_SMALL = ("ViT_small", "vit_s")

DENSENET_LP = Row(*DENSENET, "linear", paper=paper.DENSENET_LP, paper_trainable=1.0e3)
DENSENET_FP = Row(*DENSENET, "full", paper=paper.DENSENET_FP, paper_trainable=7.0e6)
EFFICIENTNET_FP = Row(*EFFICIENTNET, "full", paper=paper.EFFICIENTNET_FP, paper_trainable=4.0e6)
VGG_FP = Row(*VGG, "full", paper=paper.VGG_FP, paper_trainable=134e6)
SWIN_LORA = Row(*SWIN, "lora", paper=paper.SWIN_LORA, paper_trainable=1.7e6)
DEIT_LORA = Row(*DEIT, "lora", paper=paper.DEIT_LORA, paper_trainable=2.4e6)
VIT_400M_LP = Row(*VIT_400M, "linear", paper=paper.VIT_400M_LP, paper_trainable=1.0e3)
VIT_400M_FP = Row(*VIT_400M, "full", paper=paper.VIT_400M_FP, paper_trainable=303e6)
VIT_400M_LORA = Row(*VIT_400M, "lora", paper=paper.VIT_400M_LORA, paper_trainable=2.4e6)
VIT_2B_LORA = Row(*VIT_2B, "lora", paper=paper.VIT_2B_LORA, paper_trainable=2.4e6)
VIT_SMALL_FP = Row(*VIT_SMALL, "full", paper=paper.VIT_SMALL_FP, paper_trainable=21.7e6)
CLS = Row("FetalCLIP_CLS", "fetalclip", "lora", paper=paper.FETALCLIP_CLS, paper_trainable=2.4e6)
SEG = Row(
    "FetalCLIP_SEG", "fetalclip", "lora", "seg", paper=paper.FETALCLIP_SEG, paper_trainable=4.0e6
)

PAPER_ROWS = (
    DENSENET_LP, DENSENET_FP, EFFICIENTNET_FP, VGG_FP, SWIN_LORA, DEIT_LORA, VIT_400M_LP,
    VIT_400M_FP, VIT_400M_LORA, VIT_2B_LORA, VIT_SMALL_FP, CLS, SEG,
)  # fmt: skip
"""Every system of the paper's four tables, once."""

_IN_PAPER = {row.name: row for row in PAPER_ROWS}


def _row(encoder: tuple[str, str], strategy: Strategy, task: Task = "cls") -> Row:
    """Return the paper's row where it has this one, else a row of our own."""
    own = Row(*encoder, strategy, task)
    return _IN_PAPER.get(own.name, own)


TABLE1 = (DENSENET_FP, EFFICIENTNET_FP, VGG_FP, SWIN_LORA, DEIT_LORA, VIT_400M_LORA, CLS)
TABLE2 = (CLS, SEG)
TABLE3 = (DENSENET_LP, DENSENET_FP, VIT_400M_LP, VIT_400M_FP, VIT_400M_LORA, VIT_SMALL_FP)
TABLE4 = (VIT_400M_LORA, VIT_2B_LORA, CLS)

_FETALCLIP = ("FetalCLIP_CLS", "fetalclip")
_TRANSFORMERS = (SWIN, DEIT, VIT_400M, VIT_2B, VIT_SMALL)
_CONVOLUTIONAL = (DENSENET, EFFICIENTNET, VGG)

STRATEGIES = (
    *(
        _row(encoder, strategy)
        for strategy in ("linear", "full")
        for encoder in (*_CONVOLUTIONAL, *_TRANSFORMERS, _FETALCLIP)
    ),
    *(_row(encoder, "lora") for encoder in (*_TRANSFORMERS, _FETALCLIP)),
    replace(CLS, recipe="published", paper={}, paper_trainable=None),
)
"""Every strategy of every encoder of the paper; FetalCLIP_CLS by the published code's recipe."""

ENCODERS = (
    *TABLE1[:-1],
    VIT_2B_LORA,
    CLS,
    Row("MobileFetalCLIP", "mobilefetalclip", "full"),
    Row("ResNet50", "resnet50", "full"),
    Row("EfficientNetV2-S", "efficientnetv2_s", "full"),
    Row("EfficientNet-Lite0", "efficientnet_lite0", "full"),
    Row("SonoNet16", "sononet16", "lora"),
    Row("DINOv3 ViT-S", "dinov3_vits", "lora"),
    Row("DINOv3 ViT-B", "dinov3_vitb", "lora"),
    Row("DINOv3 ViT-L", "dinov3_vitl", "lora"),
    Row("USFM", "usfm", "lora"),
    Row("UltraSam", "ultrasam", "lora"),
)
"""Classifiers; those that the paper has not are mostly of a newer benchmark, arXiv 2605.27796."""

_FETALCLIP_SEG = ("FetalCLIP_SEG", "fetalclip")
SEGMENTATION = (
    *(_row(encoder, "lora", "seg") for encoder in (SWIN, DEIT, VIT_400M, VIT_2B, _FETALCLIP_SEG)),
    replace(SEG, recipe="published", paper={}, paper_trainable=None),
    Row("DINOv3 ViT-S", "dinov3_vits", "lora", "seg"),
    Row("DINOv3 ViT-B", "dinov3_vitb", "lora", "seg"),
    Row("DINOv3 ViT-L", "dinov3_vitl", "lora", "seg"),
)


def _ranked(task: Task, rank: int, qkv: bool) -> Row:
    if rank == PAPER_LORA.rank and not qkv:
        return CLS if task == "cls" else SEG
    targets = WITH_QKV if qkv else None
    lora = LoraSettings(rank=rank, alpha=2 * rank, targets=targets)
    title = CLS.title if task == "cls" else SEG.title
    return Row(title, CLS.encoder, "lora", task, lora=lora)


RANK = tuple(
    _ranked(task, rank, qkv) for task in ("cls", "seg") for qkv in (False, True) for rank in RANKS
)
"""Alpha is twice the rank, as in the paper's rank 8."""


def _from(row: Row, other: Row) -> Row:
    return replace(row, starts_from=other.name, paper={}, paper_trainable=None)


INITIALISATION = (CLS, SEG, _from(CLS, SEG), _from(SEG, CLS))
"""An adapter that starts at random, or as that of the other task ended."""

TABLES = {
    table.name: table
    for table in (
        Table("table1", "Table 1: classification, all systems", TABLE1, "f1", CLS.name),
        Table("table2", "Table 2: the two networks as classifiers", TABLE2, "f1", CLS.name),
        Table("table3", "Table 3: strategies of fine-tuning", TABLE3, "f1", VIT_400M_LORA.name),
        Table("table4", "Table 4: the domain of the pretraining", TABLE4, "f1", CLS.name),
        Table("strategies", "Every strategy of every encoder", STRATEGIES, "f1", CLS.name),
        Table("segmentation", "Segmentation, transformers", SEGMENTATION, "dice", SEG.name),
        Table("encoders", "Classification, more encoders", ENCODERS, "f1", CLS.name),
        Table("rank", "Rank and targets of the LoRA", RANK, "f1", CLS.name),
        Table("initialisation", "Where the LoRA starts", INITIALISATION, "f1", CLS.name),
    )
}
