"""Small networks that every test of the models may use."""

from collections.abc import Callable

import pytest
import torch

from fetal_iqa_models import FrameClassifier, FrameSegmenter, ModelCard, load_encoder

Network = FrameClassifier | FrameSegmenter


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=["cls", "seg"])
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_network() -> Callable[..., Network]:
    def make(task: str, encoder: str = "fetalclip-tiny") -> Network:
        kind = FrameClassifier if task == "cls" else FrameSegmenter
        return kind(load_encoder(encoder)).eval()

    return make


@pytest.fixture
def network(task: str, make_network: Callable[..., Network]) -> Network:
    """An untrained network with the smallest encoder, of either task."""
    return make_network(task)


@pytest.fixture
def make_card() -> Callable[..., ModelCard]:
    def make(network: Network, **fields: object) -> ModelCard:
        spec = network.encoder.spec
        given = {"encoder_weights": "own", **fields}
        return ModelCard(
            name="test", task=network.task, encoder=spec.name, image_size=spec.image_size, **given
        )

    return make


@pytest.fixture
def images() -> torch.Tensor:
    """Two normalised images of the smallest encoder's size."""
    return torch.randn(2, 3, 56, 56)


@pytest.fixture
def stir() -> Callable[[torch.nn.Module], None]:
    """Let an adapter that still is zero have some effect, as training would."""

    def stir(network: torch.nn.Module) -> None:
        for name, parameter in network.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)

    return stir
