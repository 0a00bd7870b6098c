"""A head with six outputs that learns the criteria of the abdominal plane from corrections.

The encoder is that of a CLS model. One that is small learns with the head: what tells quality alone
has let go of what the criteria ask for. A large one stays as it is, under one linear layer on its
standardised features. Each criterion learns from the frames of which somebody judged it, and from
no other; frames that meet it and frames that do not weigh the same.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fetal_iqa_models import FrameClassifier, choose_device, load_model, preprocess
from fetal_iqa_models.atomic_file import atomic_file, write_atomically
from fetal_iqa_training.data.judged_frames import JudgedFrames
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.version import TOOL_VERSION

CARD, HEAD, ENCODER = "criteria.json", "criteria.safetensors", "encoder.safetensors"
_LEARNS_WHOLE = 30_000_000
"""Parameters of the largest encoder that learns with the head: minutes on a CPU."""
_EPOCHS = 10
_RATE = 2e-3
_HELD_OUT = 0.2
_DECAY = 0.02
_STEPS = 200
_BATCH = 32


class CriteriaHead(nn.Module):
    """Six logits a frame from an encoder's features.

    Parameters
    ----------
    width : int
        Of the features.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))
        self.linear = nn.Linear(width, len(Criterion))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, (N, 6), of features, (N, width)."""
        logits: Tensor = self.linear((features - self.mean) / self.std)
        return logits


@dataclass(frozen=True)
class CriterionResult:
    """How well one criterion is told on held-out subjects.

    Parameters
    ----------
    criterion : Criterion
    taught, met : int
        Frames that taught it, and those of them that meet it.
    judged : int
        Held-out frames on which it was judged.
    accuracy, auc : float or None
        On these; None without any, the area under the ROC curve also where all are alike.
    """

    criterion: Criterion
    taught: int
    met: int
    judged: int
    accuracy: float | None
    auc: float | None


class CriteriaJudge:
    """An encoder and the head that judges the criteria by it.

    Parameters
    ----------
    model : FrameClassifier
        Whose encoder is used.
    head : CriteriaHead, optional
    device : {"auto", "cuda", "mps", "cpu"}
    """

    def __init__(
        self, model: FrameClassifier, head: CriteriaHead | None = None, device: str = "auto"
    ) -> None:
        self.model = model.eval()
        self.taught_on = model.hash
        self.head = head or CriteriaHead(model.encoder.embedding_dim)
        self._device = choose_device(device)

    @property
    def learns_whole(self) -> bool:
        """Whether the encoder is small enough to learn with the head."""
        return sum(one.numel() for one in self.model.encoder.parameters()) <= _LEARNS_WHOLE

    def images(self, frames: NDArray[np.uint8]) -> Tensor:
        """Make frames, (N, H, W) uint8, into the encoder's input, (N, 3, S, S), on the CPU."""
        spec = self.model.encoder.spec
        return preprocess(
            torch.tensor(frames), spec.image_size, spec.mean, spec.std, self.model.resize
        )

    def features(self, frames: NDArray[np.uint8]) -> Tensor:
        """Encode frames, (N, H, W) uint8, as (N, D) float32 on the CPU."""
        encoder = self.model.encoder.to(self._device).eval()
        found = []
        with torch.no_grad():
            for start in range(0, len(frames), _BATCH):
                images = self.images(frames[start : start + _BATCH])
                found.append(encoder(images.to(self._device)).float().cpu())
        return torch.cat(found)

    def teach(self, sweeps: Sequence[JudgedFrames], seed: int) -> None:
        """Learn what was judged on these frames; the encoder, too, where it is small."""
        met = torch.from_numpy(np.concatenate([one.met for one in sweeps]))
        if self.learns_whole:
            images = torch.cat([self.images(one.frames).half() for one in sweeps])
            self._teach_whole(images, met, seed)
        else:
            _fit(self.head, torch.cat([self.features(one.frames) for one in sweeps]), met)

    def _teach_whole(self, images: Tensor, met: Tensor, seed: int) -> None:
        encoder, head = self.model.encoder.to(self._device), self.head.to(self._device)
        weights, target = _balanced(met), met.nan_to_num()
        parameters = [*encoder.parameters(), *head.parameters()]
        for one in parameters:
            one.requires_grad_(True)
        random = torch.Generator().manual_seed(seed)
        # few frames are taught in small batches, for the encoder needs steps
        batches = max(1, len(images) // _BATCH, min(8, len(images) // 4))
        optimizer = torch.optim.AdamW(parameters, lr=_RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, _RATE, total_steps=_EPOCHS * batches
        )
        encoder.train()
        for _ in range(_EPOCHS):
            for places in torch.randperm(len(images), generator=random).tensor_split(batches):
                shown = images[places].float()
                for axis in (-1, -2):  # left or right, up or down, an abdomen is one
                    if torch.rand((), generator=random) < 0.5:
                        shown = shown.flip(axis)
                logits = head(encoder(shown.to(self._device)))
                each = nn.functional.binary_cross_entropy_with_logits(
                    logits, target[places].to(self._device), reduction="none"
                )
                optimizer.zero_grad()
                (each * weights[places].to(self._device)).mean().backward()
                optimizer.step()
                schedule.step()
        encoder.eval().requires_grad_(False)
        head.cpu().requires_grad_(False)

    def probabilities(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return how surely each criterion is met, (N, 6), of frames, (N, H, W) uint8."""
        with torch.no_grad():
            chances: NDArray[np.float32] = self.head(self.features(frames)).sigmoid().numpy()
        return chances


def learn_criteria(
    sweeps: Sequence[JudgedFrames], model: FrameClassifier, seed: int = 0, device: str = "auto"
) -> tuple[CriteriaJudge, tuple[CriterionResult, ...]]:
    """Teach a head the criteria, and judge it on subjects that did not teach it.

    Parameters
    ----------
    sweeps : sequence of JudgedFrames
    model : FrameClassifier
    seed : int
        Draws a fifth of the subjects, at least one, to judge by.
    device : {"auto", "cuda", "mps", "cpu"}

    Raises
    ------
    TrainingError
        Where all frames are of one subject.
    """
    subjects = sorted({one.subject for one in sweeps})
    if len(subjects) < 2:
        raise TrainingError(
            "the judged frames are all of one subject, so that none is left to judge by; judge "
            "sweeps of another"
        )
    count = max(1, round(_HELD_OUT * len(subjects)))
    drawn = np.random.default_rng(seed).permutation(subjects)[:count]
    held_out = set(drawn.tolist())
    judge = CriteriaJudge(model, device=device)
    teaching = [one for one in sweeps if one.subject not in held_out]
    judging = [one for one in sweeps if one.subject in held_out]
    judge.teach(teaching, seed)
    met, truth = (np.concatenate([one.met for one in part]) for part in (teaching, judging))
    chances = np.concatenate([judge.probabilities(one.frames) for one in judging])
    results = (
        _result(criterion, met[:, place], truth[:, place], chances[:, place])
        for place, criterion in enumerate(Criterion)
    )
    return judge, tuple(results)


def _balanced(met: Tensor) -> Tensor:
    """Weigh frames so that those that meet a criterion count as much as those that do not.

    0 where nobody judged it, and of a criterion of which all say the same.
    """
    known = ~met.isnan()
    yes, no = (met == 1).float(), (met == 0).float()
    counts = known.sum(0).clamp_min(1)
    weights = yes * counts / (2 * yes.sum(0).clamp_min(1)) + no * counts / (
        2 * no.sum(0).clamp_min(1)
    )
    both = (yes.sum(0) > 0) & (no.sum(0) > 0)
    return weights * both * len(met) / counts


def _fit(head: CriteriaHead, features: Tensor, met: Tensor) -> None:
    head.mean.copy_(features.mean(0))
    head.std.copy_(features.std(0, correction=0).clamp_min(1e-4))
    weights, target = _balanced(met), met.nan_to_num()
    nn.init.zeros_(head.linear.weight)
    nn.init.zeros_(head.linear.bias)
    optimizer = torch.optim.LBFGS(
        head.linear.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        each = nn.functional.binary_cross_entropy_with_logits(
            head(features), target, reduction="none"
        )
        total = (each * weights).mean(0).sum() + _DECAY * head.linear.weight.square().sum()
        total.backward()
        return total

    optimizer.step(loss)


def _result(
    criterion: Criterion,
    taught: NDArray[np.float32],
    truth: NDArray[np.float32],
    chances: NDArray[np.float32],
) -> CriterionResult:
    from sklearn.metrics import roc_auc_score  # here: it is slow to import

    taught = taught[~np.isnan(taught)]
    known = ~np.isnan(truth)
    meets, chances = truth[known] > 0.5, chances[known]
    both = len(set(meets.tolist())) == 2
    return CriterionResult(
        criterion,
        len(taught),
        int(taught.sum()),
        len(meets),
        float(((chances > 0.5) == meets).mean()) if len(meets) else None,
        float(roc_auc_score(meets, chances)) if both else None,
    )


def save_criteria(
    judge: CriteriaJudge, results: Sequence[CriterionResult], folder: Path, encoder: str
) -> None:
    """Write the head, and a card that says by which encoder it judges and how well.

    Raises
    ------
    TrainingError
        Where the folder holds such a head already, or cannot be written.
    """
    if (folder / CARD).exists():
        raise TrainingError(f"{folder}: holds criteria already; choose another folder")
    card = {
        "task": "criteria",
        "whole_encoder": judge.learns_whole,
        "version": TOOL_VERSION,
        "encoder_of": encoder,
        "encoder_hash": judge.taught_on,
        "criteria": [asdict(one) for one in results],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(folder / HEAD) as new:
            save_file(judge.head.state_dict(), new)
        if judge.learns_whole:
            weights = {
                name: value.cpu().contiguous()
                for name, value in judge.model.encoder.state_dict().items()
            }
            with atomic_file(folder / ENCODER) as new:
                save_file(weights, new)
        write_atomically(folder / CARD, json.dumps(card, indent=2) + "\n")
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be written ({error.strerror})") from error


def load_criteria(folder: Path, device: str = "auto") -> CriteriaJudge:
    """Read what :func:`save_criteria` wrote; the encoder is that of the model that it names.

    Raises
    ------
    TrainingError
        Where the model is another one by now, or a file is missing or damaged.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        head_weights = load_file(folder / HEAD)
        encoder_weights = load_file(folder / ENCODER) if card["whole_encoder"] else None
    except FileNotFoundError:
        missing = [name for name in (CARD, HEAD, ENCODER) if not (folder / name).exists()]
        raise TrainingError(f"{folder}: {', '.join(missing)} missing; copy it whole") from None
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise TrainingError(f"{folder}: holds no criteria, or damaged ones ({error})") from None
    model = load_model(card["encoder_of"], None, paths.weights())
    if not isinstance(model, FrameClassifier) or model.hash != card["encoder_hash"]:
        raise TrainingError(f"{folder}: was taught on another model than {card['encoder_of']} is")
    head = CriteriaHead(model.encoder.embedding_dim)
    try:
        if encoder_weights is not None:
            model.encoder.load_state_dict(encoder_weights)
        head.load_state_dict(head_weights)
    except RuntimeError:
        raise TrainingError(f"{folder}: its weights do not fit {card['encoder_of']}") from None
    return CriteriaJudge(model, head, device)
