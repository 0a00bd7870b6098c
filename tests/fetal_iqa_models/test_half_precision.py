"""Half the bytes, and no number lost."""

import pytest
import torch
from safetensors.torch import load_file

from fetal_iqa_models import FrameClassifier, ModelCard, load_encoder, load_model, save_model
from fetal_iqa_models.half_precision import halved, round_to_half


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1.0, -2.5], torch.float16),
        ([65504.0], torch.float16),
        ([65536.0, 1.0], torch.float32),
        ([-1e9], torch.float32),
        ([1e-9], torch.float16),
    ],
)
def test_what_is_too_large_stays_whole(values, dtype):
    stored = halved(torch.tensor(values))
    assert stored.dtype == dtype
    torch.testing.assert_close(stored.float(), torch.tensor(values), rtol=1e-3, atol=1e-7)


def test_whole_numbers_stay_as_they_are():
    assert halved(torch.tensor(70_000)).item() == 70_000


def test_a_network_of_large_variances_is_stored_as_it_predicts(tmp_path):
    """SonoNet's first layer sees pixels times 255."""
    torch.manual_seed(0)
    network = FrameClassifier(load_encoder("sononet16")).train()
    network.encoder.trunk.stages[0][0].conv.weight.data.mul_(4)  # as far as training takes them
    frames = torch.rand(4, 3, 64, 64) * 2 - 1
    for _ in range(30):  # its variances become those of what it sees
        network(frames)
    network.eval()
    assert network.encoder.trunk.stages[0][0].norm.running_var.max() > 65_504
    before = network(frames)
    round_to_half(network)
    torch.testing.assert_close(network(frames), before, rtol=0.05, atol=0.05)
    card = ModelCard(name="n", task="cls", encoder="sononet16", encoder_weights="own",
                     image_size=288)  # fmt: skip
    folder = save_model(network, tmp_path / "model", card, half_precision=True)
    torch.testing.assert_close(load_model(folder)(frames), network(frames))
    stored = load_file(folder / "encoder.safetensors")
    whole = [name for name, value in stored.items() if value.dtype == torch.float32]
    assert whole == ["stages.0.0.norm.running_var"]
