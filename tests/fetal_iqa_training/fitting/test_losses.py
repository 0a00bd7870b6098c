import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fetal_iqa_training.fitting.losses import EpochLoss, label_loss, mask_loss

logits_arrays = arrays(np.float32, (3, 1, 4, 4), elements=st.floats(-20, 20, width=32))
mask_arrays = arrays(np.bool_, (3, 4, 4))


@given(logits=arrays(np.float32, (5, 1), elements=st.floats(-20, 20, width=32)))
def test_label_loss_is_the_mean_negative_log_likelihood(logits):
    labels = np.array([True, False, True, True, False])
    probabilities = 1 / (1 + np.exp(-logits[:, 0].astype(float)))
    likelihood = np.where(labels, probabilities, 1 - probabilities)
    expected = -np.log(likelihood).mean()
    found = label_loss(torch.from_numpy(logits), torch.from_numpy(labels))
    assert float(found) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@given(logits=logits_arrays, masks=mask_arrays)
def test_mask_loss_is_one_minus_the_soft_dice_of_the_batch(logits, masks):
    p = 1 / (1 + np.exp(-logits[:, 0].astype(float)))
    expected = 1 - (2 * np.sum(p[masks]) + 1) / (p.sum() + masks.sum() + 1)
    found = mask_loss(torch.from_numpy(logits), torch.from_numpy(masks))
    assert float(found) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_perfect_mask_costs_nothing_and_so_does_nothing_on_an_empty_frame():
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    assert float(mask_loss(torch.full((2, 1, 8, 8), -50.0), masks)) == pytest.approx(0, abs=1e-6)
    masks[0, 2:5, 2:5] = True
    perfect = torch.where(masks[:, None], 50.0, -50.0)
    assert float(mask_loss(perfect, masks)) == pytest.approx(0, abs=1e-6)


def test_paint_on_a_frame_without_an_abdomen_costs():
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[0, 2:5, 2:5] = True
    perfect = torch.where(masks[:, None], 50.0, -50.0)
    painted = perfect.clone()
    painted[1, 0, :3] = 50.0
    assert mask_loss(painted, masks) > mask_loss(perfect, masks) + 0.1


def test_losses_of_bfloat16_logits_are_computed_in_float32():
    logits = torch.randn(4, 1, 6, 6).bfloat16()
    assert mask_loss(logits, torch.ones(4, 6, 6, dtype=torch.bool)).dtype == torch.float32
    assert label_loss(logits[:, :, 0, 0], torch.ones(4, dtype=torch.bool)).dtype == torch.float32


def test_the_loss_of_each_frame_counts_a_small_abdomen_as_much_as_a_large_one():
    masks = torch.zeros(3, 20, 20, dtype=torch.bool)
    masks[0, :18] = True
    masks[1, :2] = True
    logits = torch.where(masks, 20.0, -20.0)[:, None]
    logits[1] = -20  # the small one is missed
    pooled, each = mask_loss(logits, masks), mask_loss(logits, masks, per_frame=True)
    assert pooled < 0.1
    assert each == pytest.approx((0 + 1 - 1 / 41) / 2, abs=1e-4)
    logits[2] = 20  # painted on an empty frame: left to the cross-entropy
    assert mask_loss(logits, masks, per_frame=True) == pytest.approx(float(each), abs=1e-6)
    assert mask_loss(logits, masks, 1.0, per_frame=True) > 5


def test_a_batch_without_an_abdomen_has_a_loss_of_each_frame_too():
    logits = torch.randn(2, 1, 8, 8, requires_grad=True)
    loss = mask_loss(logits, torch.zeros(2, 8, 8, dtype=torch.bool), per_frame=True)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def discs(radius, shift=0, n=40, with_abdomen=4, side=32):
    """Logits of discs around the middle, as the first frames show them, and paint on the others."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    inside = (rows - side / 2) ** 2 + (columns - side / 2 - shift) ** 2 < radius**2
    masks = torch.zeros(n, side, side, dtype=torch.bool)
    masks[:with_abdomen] = inside
    return masks


@pytest.mark.parametrize("wrong", [discs(6), discs(10, shift=8)], ids=["too small", "misplaced"])
def test_good_outlines_cost_less_over_an_epoch_than_bad_ones(wrong):
    """A mean over batches, most of them without an abdomen, calls the bad ones better."""
    truth = discs(10)
    good = torch.where(truth, 8.0, -8.0)
    good[4:, 0, :3] = 8.0  # a little paint on each of the empty frames
    bad = torch.where(wrong, 8.0, -8.0)
    of_batches, of_epoch = [], []
    for maps in (good, bad):
        metric = EpochLoss("seg", 0.0, False)
        losses = []
        for start in range(0, 40, 4):
            part = slice(start, start + 4)
            metric.update(maps[part, None], truth[part], truth[part].flatten(1).any(1))
            losses.append(float(mask_loss(maps[part, None], truth[part])))
        of_batches.append(np.mean(losses))
        of_epoch.append(float(metric.compute()))
    assert of_batches[0] > of_batches[1]
    assert of_epoch[0] < of_epoch[1]


@given(
    logits=arrays(np.float32, (7, 1, 4, 4), elements=st.floats(-20, 20, width=32)),
    masks=arrays(np.bool_, (7, 4, 4)),
    size=st.integers(1, 7),
    weight=st.sampled_from([0.0, 0.5]),
    per_frame=st.booleans(),
)
def test_the_loss_of_an_epoch_is_that_of_one_batch_of_all(logits, masks, size, weight, per_frame):
    """Oracle: numpy over all frames at once."""
    metric = EpochLoss("seg", weight, per_frame)
    for start in range(0, 7, size):
        part = (
            torch.from_numpy(logits[start : start + size]),
            torch.from_numpy(masks[start : start + size]),
        )
        metric.update(*part, part[1].flatten(1).any(1))
    maps = logits[:, 0].astype(float)
    p = 1 / (1 + np.exp(-maps))
    axes = (1, 2) if per_frame else None
    dice = (2 * (p * masks).sum(axes) + 1) / (p.sum(axes) + masks.sum(axes) + 1)
    if per_frame:
        shown = masks.any((1, 2))
        expected = (1 - dice)[shown].mean() if shown.any() else 0.0
    else:
        expected = 1 - dice
    pixels = np.maximum(maps, 0) - maps * masks + np.log1p(np.exp(-np.abs(maps)))
    expected += weight * pixels.mean()
    assert float(metric.compute()) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_loss_of_an_epoch_of_labels_is_the_mean_over_frames():
    logits, labels = torch.randn(7, 1), torch.arange(7) % 2 == 0
    metric = EpochLoss("cls", 0.0, False)
    for part in (slice(0, 5), slice(5, 7)):
        metric.update(logits[part], torch.zeros(0), labels[part])
    assert float(metric.compute()) == pytest.approx(float(label_loss(logits, labels)), rel=1e-6)


def part_of_a_step(process, processes, address, whole, found):
    """One process's gradient of a Dice loss, as DDP averages it over the processes."""
    torch.distributed.init_process_group(
        "gloo", init_method=address, rank=process, world_size=processes
    )
    warnings.simplefilter("error")  # a reduction that torch deprecates, too
    features, masks, start = whole
    weight = start.clone().requires_grad_()
    logits = features[process::processes] * weight
    mask_loss(logits[:, None], masks[process::processes]).backward()
    torch.distributed.all_reduce(weight.grad)
    if process == 0:
        found.put((weight.grad / processes).numpy())
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_processes_take_the_dice_of_the_whole_batch(tmp_path):
    """Oracle: the gradient of one process. A Dice of each half has another one."""
    random = torch.Generator().manual_seed(0)
    features, weight = torch.randn(4, 6, 6, generator=random), torch.tensor([0.7])
    masks = torch.zeros(4, 6, 6, dtype=torch.bool)
    masks[::2] = features[::2] > 0  # one process has every abdomen
    alone = weight.clone().requires_grad_()
    mask_loss((features * alone)[:, None], masks).backward()
    halves = weight.clone().requires_grad_()
    for part in (slice(0, None, 2), slice(1, None, 2)):
        (mask_loss((features[part] * halves)[:, None], masks[part]) / 2).backward()
    context = torch.multiprocessing.get_context("spawn")
    found = context.Queue()
    address = f"file://{tmp_path / 'meet'}"
    arguments = (2, address, (features, masks, weight), found)
    torch.multiprocessing.spawn(part_of_a_step, arguments, nprocs=2, join=True)
    assert found.get() == pytest.approx(alone.grad.numpy(), rel=1e-5)
    assert halves.grad.numpy() != pytest.approx(alone.grad.numpy(), rel=0.05)


@given(logits=logits_arrays, masks=mask_arrays)
def test_the_published_loss_is_one_minus_dice_and_nothing_over_a_batch_without_an_abdomen(
    logits, masks
):
    # segmentation_models_pytorch, DiceLoss("multilabel", from_logits=True), of one class
    p = 1 / (1 + np.exp(-logits[:, 0].astype(float)))
    expected = (1 - 2 * p[masks].sum() / max(p.sum() + masks.sum(), 1e-7)) * bool(masks.any())
    found = mask_loss(torch.from_numpy(logits), torch.from_numpy(masks), published=True)
    assert float(found) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    epoch = EpochLoss("seg", 0.0, False, published=True)
    for frame in range(len(masks)):  # one Dice over all frames of the epoch
        part = slice(frame, frame + 1)
        given = torch.from_numpy(logits[part]), torch.from_numpy(masks[part])
        epoch.update(*given, given[1].flatten(1).any(1))
    assert float(epoch.compute()) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_paint_on_a_batch_without_an_abdomen_teaches_nothing_as_published():
    logits = torch.ones(2, 1, 4, 4, requires_grad=True)
    loss = mask_loss(logits, torch.zeros(2, 4, 4, dtype=torch.bool), published=True)
    loss.backward()
    assert float(loss.detach()) == 0
    assert not logits.grad.any()
