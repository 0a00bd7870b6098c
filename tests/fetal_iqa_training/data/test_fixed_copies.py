"""Copies that are made once, before resizing: the same for every epoch, run and strategy."""

import numpy as np
import pytest
import torch

from fetal_iqa_models import preprocess
from fetal_iqa_training.data.fixed_copies import (
    CopiesDataset,
    CopyRecipe,
    build_with_copies,
)
from fetal_iqa_training.data.frame_set import build_frame_set
from fetal_iqa_training.data.labelled_frames import acouslic_cases, frames_of
from fetal_iqa_training.fitting import fitted_model, network
from fetal_iqa_training.fitting.fit import fit
from fetal_iqa_training.transforms.augmentation import PAPER, Augmentation

from ..conftest import tiny_settings

SIZE = 28


@pytest.fixture(scope="module")
def sources(data):
    return list(frames_of(acouslic_cases(data)[:2]))


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory):
    return build_with_copies(
        sources, SIZE, tmp_path_factory.mktemp("set") / "copied", CopyRecipe(2, seed=5)
    )


def test_the_originals_are_as_without_copies(sources, built, tmp_path):
    plain = build_frame_set(sources, SIZE, tmp_path)
    assert plain.data_hash == built.data_hash
    assert np.array_equal(plain.frames, built.frames)
    assert [len(copy) for copy in built.copies] == [len(plain)] * 2
    assert not np.array_equal(built.copies[0].frames, built.copies[1].frames)


def test_a_copy_is_augmented_at_full_size_and_then_resized(sources, built):
    """Oracle: the steps by hand, for one frame."""
    number = next(n for n, shows in enumerate(sources[0].positive) if shows)
    frame, mask = sources[0].frames[number], sources[0].masks[number]
    seed = int(np.random.SeedSequence([5, 2, number]).generate_state(1, np.uint64)[0])
    padded = [np.zeros((56, 56), image.dtype) for image in (frame, mask)]
    for square, image in zip(padded, (frame, mask), strict=True):
        square[7:49] = image
    image, outline = PAPER(*padded, seed)
    small = preprocess(image.numpy()[None], SIZE, (0.0,) * 3, (1.0,) * 3)[0, 0]
    assert np.array_equal(built.copies[1].frames[number], (small * 255).round().numpy())
    assert built.copies[1].positive[number] == bool(outline.any())


def test_the_same_seed_makes_the_same_copies_with_any_number_of_processes(sources, built, tmp_path):
    again = build_with_copies(sources, SIZE, tmp_path / "a", CopyRecipe(2, seed=5, workers=1))
    other = build_with_copies(sources, SIZE, tmp_path / "b", CopyRecipe(2, seed=6))
    for one, same, another in zip(built.copies, again.copies, other.copies, strict=True):
        assert np.array_equal(one.frames, same.frames)
        assert np.array_equal(one.masks, same.masks)
        assert not np.array_equal(one.frames, another.frames)


def test_a_copy_from_which_the_abdomen_moved_away_shows_none(sources, built):
    positive = np.concatenate([source.positive for source in sources])
    for copy in built.copies:
        assert not (copy.positive & ~positive).any()
        seen = copy.masks.any(axis=(1, 2))
        assert not (seen & ~copy.positive).any()


def test_half_of_the_copies_keep_their_light():
    frame = np.full((8, 8), 100, np.uint8)
    still = {"clahe_probability": 0, "shift": 0, "rotation_deg": 0}
    half = Augmentation(**still, jitter_probability=PAPER.jitter_probability)
    kept = [bool((half(frame, frame > 0, seed)[0] == 100).all()) for seed in range(400)]
    assert 0.4 < np.mean(kept) < 0.6
    always = Augmentation(**still)
    for seed in np.flatnonzero(~np.array(kept))[:20]:
        assert torch.equal(half(frame, frame > 0, seed)[0], always(frame, frame > 0, seed)[0])


def test_rows_are_the_frames_then_each_copy(built):
    dataset = CopiesDataset(built)
    n = len(built)
    assert len(dataset) == 3 * n == len(dataset.positive)
    for row, part in ((3, built), (n + 3, built.copies[0]), (2 * n + 3, built.copies[1])):
        frame, mask, positive = dataset[row]
        assert np.array_equal(frame, part.frames[3])
        assert np.array_equal(mask, part.masks[3])
        assert positive == part.positive[3] == dataset.positive[row]


@pytest.mark.parametrize("fresh", [False, True])
def test_all_strategies_of_a_table_learn_from_the_same_frames(data, tmp_path, monkeypatch, fresh):
    """What comes to the encoder in a run, whether it is trained or frozen."""
    seen: dict[str, list[bytes]] = {}
    load = network.load_encoder

    def watched(name, *arguments):
        encoder = load(name, *arguments)

        def note(module, given):
            # in training, and where a frozen encoder sees each frame once
            if module.training or not any(p.requires_grad for p in module.parameters()):
                seen.setdefault(strategy, []).extend(
                    frame.numpy().tobytes() for frame in given[0].detach()
                )

        encoder.register_forward_pre_hook(note)
        return encoder

    monkeypatch.setattr(network, "load_encoder", watched)
    monkeypatch.setattr(
        fitted_model, "judge", lambda *_, **__: pytest.fail("nothing is set aside to test")
    )
    few = {"epochs": 1, "copies": 1, "validation_share": 0.6, "test_share": 0}
    for strategy in ("full", "linear"):
        settings = tiny_settings("cls", strategy=strategy, fresh_copies=fresh, **few)
        fit(data, tmp_path / strategy, settings)
    assert seen["full"]
    assert set(seen["full"]) <= set(seen["linear"])
