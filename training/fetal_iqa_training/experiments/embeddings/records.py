"""What was found of each row, kept beside its picture: rows are added to the table one by one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models import model_hash
from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.embeddings.project import Separation
from fetal_iqa_training.experiments.embeddings.run import EmbeddedRow
from fetal_iqa_training.experiments.tables.plan import Plan
from fetal_iqa_training.experiments.tables.results import RowResult


class EmbeddingRecord(BaseModel):
    """The separation of one row, and what it is of.

    Parameters
    ----------
    frames : int
        At most, drawn by ``seed``.
    seed : int
    test_data : str
        Hash of what the runs were judged on.
    models : dict of str to str
        Hash of each run's model, by its folder's name.
    before : Separation or None
    after : tuple of Separation
        Of each run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int
    seed: int
    test_data: str
    models: dict[str, str]
    before: Separation | None
    after: tuple[Separation, ...]


def keep(plan: Plan, row: EmbeddedRow, limit: int) -> None:
    """Write what was found of a row."""
    record = EmbeddingRecord(
        frames=limit,
        seed=plan.common.seed,
        test_data=row.result.runs[0].test_data,
        models=_models(row.result),
        before=row.before,
        after=row.after,
    )
    write_atomically(_file_of(plan, row.result), record.model_dump_json(indent=2) + "\n")


def kept(plan: Plan, results: Sequence[RowResult]) -> Iterator[EmbeddedRow]:
    """Read what is there of rows, of any job; of models that are there no more nothing is."""
    for result in results:
        record = _read(plan, result)
        if record is None or not result.runs or record.test_data != result.runs[0].test_data:
            continue
        if record.models.items() <= _models(result).items():
            yield EmbeddedRow(result, record.before, record.after)


def check_same_frames(plan: Plan, others: Sequence[RowResult], limit: int) -> None:
    """Refuse to set rows beside others that other frames were drawn for.

    Raises
    ------
    TrainingError
    """
    for result in others:
        record = _read(plan, result)
        if record is not None and (record.frames, record.seed) != (limit, plan.common.seed):
            raise TrainingError(
                f"{plan.out}: holds the embeddings of {result.row.name} on {record.frames} frames "
                f"at most, drawn by seed {record.seed}, and these would be of {limit}, by seed "
                f"{plan.common.seed}: all rows of a table see the same; give the same --frames "
                "and --seed, all --rows anew, or another --out"
            )


def _file_of(plan: Plan, result: RowResult) -> Path:
    return plan.out / "embeddings" / f"{plan.folder_of(result.row, 0).parent.name}.json"


def _models(result: RowResult) -> dict[str, str]:
    return {run.folder.name: model_hash(run.folder) for run in result.runs}


def _read(plan: Plan, result: RowResult) -> EmbeddingRecord | None:
    path = _file_of(plan, result)
    if not path.is_file():
        return None
    try:
        return EmbeddingRecord.model_validate_json(path.read_bytes())
    except ValidationError:
        raise TrainingError(f"{path}: damaged; delete it, and embed its row again") from None
