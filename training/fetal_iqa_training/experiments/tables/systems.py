"""One row of a table, a table, and how rows are chosen of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from fetal_iqa_models.cards import LoraSettings
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.tables.paper import PaperFigure
from fetal_iqa_training.settings import Recipe, Strategy, Task

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
    paper : mapping of str to PaperFigure
        The paper's results, by the name of the same quantity here; empty where it has none.
    paper_trainable : float, optional
        Parameters that the paper trains, as it rounds them.
    lora : LoraSettings
    recipe : {"ours", "published"}
        Published does as the paper's published code does where we do otherwise.
    starts_from : str, optional
        Name of the row whose adapter of the same seed this one starts from; else at random.
    """

    title: str
    encoder: str
    strategy: Strategy
    task: Task = "cls"
    paper: Mapping[str, PaperFigure] = field(default_factory=dict)
    paper_trainable: float | None = None
    lora: LoraSettings = PAPER_LORA
    recipe: Recipe = "ours"
    starts_from: str | None = None

    @property
    def in_paper(self) -> bool:
        """Whether the paper has this system."""
        return bool(self.paper)

    @property
    def name(self) -> str:
        """What distinguishes a system from all others; its models' folder is called so."""
        name = f"{self.encoder}-{self.task}-{self.strategy}"
        if self.lora != PAPER_LORA:
            name += f"-r{self.lora.rank}" + ("-qkv" if self.with_qkv else "")
        name += "-published" if self.recipe == "published" else ""
        return name + (f"-from-{self.starts_from}" if self.starts_from else "")

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


def choose_rows(rows: Sequence[Row], wanted: Sequence[str]) -> tuple[Row, ...]:
    """Return the rows whose name, encoder or task is requested, in the order of the table.

    Parameters
    ----------
    rows : sequence of Row
    wanted : sequence of str
        Names of rows, encoders or tasks, patterns of names such as ``*-linear``, or ``paper`` for
        those that the paper has. None for all. A row that starts from another's adapter brings
        that one along.

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
    chosen = {r.name for r in rows if not wanted or any(fits(r, request) for request in wanted)}
    chosen |= {r.starts_from for r in rows if r.name in chosen and r.starts_from}
    return tuple(r for r in rows if r.name in chosen)
