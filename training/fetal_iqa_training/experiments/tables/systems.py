"""The rows of the paper's tables, as data: adding a system is adding a line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from fetal_iqa_models.cards import LoraSettings
from fetal_iqa_models.registry import TRANSFORMER_LORA
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import Recipe, Strategy, Task

RANKS = (4, 8, 16, 32, 64, 128)
WITH_QKV = (*TRANSFORMER_LORA, "attn.qkv")
PAPER_LORA = LoraSettings()


@dataclass(frozen=True)
class Row:
    """One system of a table: a network and how it is trained.

    Parameters
    ----------
    title : str
        The encoder, for people.
    encoder : str
        Name in the table of encoders.
    strategy : {"lora", "linear", "full"}
    task : {"cls", "seg"}
    paper : mapping of str to float
        The paper's results, where they are known here; ``trainable`` is a number of parameters.
    in_paper : bool
        Whether the paper has this system.
    lora : LoraSettings
    recipe : {"ours", "published"}
        Published does as the paper's published code does where we do otherwise.
    """

    title: str
    encoder: str
    strategy: Strategy
    task: Task = "cls"
    paper: Mapping[str, float] = field(default_factory=dict)
    in_paper: bool = True
    lora: LoraSettings = PAPER_LORA
    recipe: Recipe = "ours"

    @property
    def name(self) -> str:
        """What distinguishes a system from all others; its models' folder is called so."""
        name = f"{self.encoder}-{self.task}-{self.strategy}"
        if self.lora != PAPER_LORA:
            name += f"-r{self.lora.rank}" + ("-qkv" if self.with_qkv else "")
        return name + ("-published" if self.recipe == "published" else "")

    @property
    def with_qkv(self) -> bool:
        """Whether queries, keys and values are adapted, too."""
        return "attn.qkv" in (self.lora.targets or ())


@dataclass(frozen=True)
class Table:
    """One experiment that compares rows.

    Parameters
    ----------
    name : str
        Of its command.
    title : str
    rows : tuple of Row
    metric : str
        Which is drawn, and by which rows are compared run by run.
    reference : str
        Name of the row that the others are compared with.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    metric: str
    reference: str


_CLS = {"accuracy": 0.9575, "f1": 0.7570, "precision": 0.7782, "recall": 0.7397, "trainable": 2.4e6}
_SEG = {
    "dice": 0.7244,
    "accuracy": 0.9543,
    "f1": 0.7708,
    "precision": 0.6988,
    "recall": 0.8599,
    "trainable": 4.0e6,
}

DENSENET121 = ("DenseNet121", "densenet121")
EFFICIENTNET_B0 = ("EfficientNet-B0", "efficientnet_b0")
VGG16 = ("VGG16", "vgg16")
SWIN_L = ("Swin-L", "swin_l")
DEIT3_L = ("DeiT3-L", "deit3_l")
VIT_L_400M = ("ViT-L/14 CLIP 400M", "vit_l_clip_400m")
VIT_L_2B = ("ViT-L/14 CLIP LAION-2B", "vit_l_clip_laion2b")
VIT_S = ("ViT-S/16", "vit_s")
FETALCLIP = ("FetalCLIP", "fetalclip")

SYSTEMS = (
    Row(*DENSENET121, "full", paper={"f1": 0.7024}),
    Row(*EFFICIENTNET_B0, "full", paper={"f1": 0.7253}),
    Row(*VGG16, "full", paper={"f1": 0.7084}),
    Row(*SWIN_L, "lora", paper={"f1": 0.7429}),
    Row(*DEIT3_L, "lora", paper={"f1": 0.7466}),
    Row(*VIT_L_400M, "lora", paper={"f1": 0.7506}),
    Row(*VIT_L_2B, "lora", paper={"f1": 0.7429}),
    Row(*FETALCLIP, "lora", paper=_CLS),
    Row("ResNet50", "resnet50", "full", in_paper=False),
    Row("EfficientNetV2-S", "efficientnetv2_s", "full", in_paper=False),
    Row("DINOv3 ViT-S", "dinov3_vits", "lora", in_paper=False),
    Row("DINOv3 ViT-B", "dinov3_vitb", "lora", in_paper=False),
    Row("DINOv3 ViT-L", "dinov3_vitl", "lora", in_paper=False),
    Row("USFM", "usfm", "lora", in_paper=False),
    Row("UltraSam", "ultrasam", "lora", in_paper=False),
)
"""Classifiers; those that are not in the paper are of a newer benchmark, arXiv 2605.27796."""

STRATEGIES = (
    Row(*DENSENET121, "linear", paper={"f1": 0.3569}),
    Row(*EFFICIENTNET_B0, "linear"),
    Row(*VGG16, "linear"),
    Row(*SWIN_L, "linear"),
    Row(*DEIT3_L, "linear"),
    Row(*VIT_L_400M, "linear", paper={"f1": 0.5273}),
    Row(*VIT_L_2B, "linear"),
    Row(*VIT_S, "linear"),
    Row(*FETALCLIP, "linear"),
    Row(*DENSENET121, "full", paper={"f1": 0.7024}),
    Row(*EFFICIENTNET_B0, "full", paper={"f1": 0.7253}),
    Row(*VGG16, "full", paper={"f1": 0.7084}),
    Row(*SWIN_L, "full"),
    Row(*DEIT3_L, "full"),
    Row(*VIT_L_400M, "full"),
    Row(*VIT_L_2B, "full"),
    Row(*VIT_S, "full", paper={"f1": 0.5814}),
    Row(*FETALCLIP, "full"),
    Row(*SWIN_L, "lora", paper={"f1": 0.7429}),
    Row(*DEIT3_L, "lora", paper={"f1": 0.7466}),
    Row(*VIT_L_400M, "lora", paper={"f1": 0.7506}),
    Row(*VIT_L_2B, "lora", paper={"f1": 0.7429}),
    Row(*VIT_S, "lora"),
    Row(*FETALCLIP, "lora", paper=_CLS),
)
"""Every strategy of every encoder of the paper. Which ViT-L its linear probe of 0.5273 is of, the
facts at hand do not say: it stands beside the 400M one."""

SEGMENTERS = (
    Row(*SWIN_L, "lora", "seg"),
    Row(*DEIT3_L, "lora", "seg"),
    Row(*VIT_L_400M, "lora", "seg"),
    Row(*VIT_L_2B, "lora", "seg"),
    Row(*FETALCLIP, "lora", "seg", paper=_SEG),
    Row("DINOv3 ViT-S", "dinov3_vits", "lora", "seg", in_paper=False),
    Row("DINOv3 ViT-B", "dinov3_vitb", "lora", "seg", in_paper=False),
    Row("DINOv3 ViT-L", "dinov3_vitl", "lora", "seg", in_paper=False),
)

CLS = Row("FetalCLIP_CLS", "fetalclip", "lora", paper=_CLS)
SEG = Row("FetalCLIP_SEG", "fetalclip", "lora", "seg", paper=_SEG)
AS_CLASSIFIERS = (CLS, SEG, replace(CLS, recipe="published"), replace(SEG, recipe="published"))


def _ranked(task: Task, rank: int, qkv: bool) -> Row:
    if rank == PAPER_LORA.rank and not qkv:
        return CLS if task == "cls" else SEG
    targets = WITH_QKV if qkv else None
    lora = LoraSettings(rank=rank, alpha=2 * rank, targets=targets)
    title = CLS.title if task == "cls" else SEG.title
    return Row(title, CLS.encoder, "lora", task, lora=lora)


RANKED = tuple(
    _ranked(task, rank, qkv) for task in ("cls", "seg") for qkv in (False, True) for rank in RANKS
)
"""Alpha is twice the rank, as in the paper's rank 8."""

TABLES = {
    table.name: table
    for table in (
        Table("table1", "Classification, all systems", SYSTEMS, "f1", CLS.name),
        Table("table2", "Classification, strategies of training", STRATEGIES, "f1", CLS.name),
        Table("table3", "Segmentation, all transformers", SEGMENTERS, "dice", SEG.name),
        Table("table4", "FetalCLIP_CLS and _SEG as classifiers", AS_CLASSIFIERS, "f1", CLS.name),
        Table("rank", "Rank and targets of the LoRA", RANKED, "f1", CLS.name),
    )
}


def choose_rows(rows: Sequence[Row], wanted: Sequence[str]) -> tuple[Row, ...]:
    """Return the rows whose name, encoder or task is requested, in the order of the table.

    Parameters
    ----------
    rows : sequence of Row
    wanted : sequence of str
        Names of rows, encoders or tasks, patterns of names such as ``*-linear``, or ``paper`` for
        those that the paper has. None for all.

    Raises
    ------
    TrainingError
        Where one fits no row.
    """

    def fits(row: Row, request: str) -> bool:
        if request == "paper":
            return row.in_paper
        return request in (row.encoder, row.task) or fnmatchcase(row.name, request)

    for request in wanted:
        if not any(fits(row, request) for row in rows):
            names = ", ".join(row.name for row in rows)
            raise TrainingError(f"no row is called {request!r}; choose of: {names}")
    return tuple(r for r in rows if not wanted or any(fits(r, request) for request in wanted))
