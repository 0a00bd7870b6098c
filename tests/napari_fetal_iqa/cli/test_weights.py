"""The weights commands as a person types them."""

import hashlib
import json
import os
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from fetal_iqa_models import (
    FrameClassifier,
    FrameSegmenter,
    LoraSettings,
    ModelCard,
    add_lora,
    encoder_spec,
    load_encoder,
    registry,
    save_model,
    weights_record,
)
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

ENCODER = "fetalclip-tiny"


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "hub" / "someone" / "encoder" / "resolve" / "main" / "weights.pt"
    path.parent.mkdir(parents=True)
    torch.save(load_encoder(ENCODER).trunk.state_dict(), path)
    return path


@pytest.fixture
def published(checkpoint, monkeypatch):
    """The checkpoint is the published one, under a licence that restricts its use."""
    source = registry.WeightsSource(
        "someone/encoder",
        "weights.pt",
        checkpoint.stat().st_size,
        weights_record(checkpoint).sha256,
    )
    row = replace(encoder_spec(ENCODER), source=source, licence="CC-BY-NC-4.0")
    monkeypatch.setitem(registry._TABLE, ENCODER, row)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub on loopback that serves the checkpoint."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = partial(Quiet, directory=str(tmp_path / "hub"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for switch in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(switch, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_list_names_source_licence_and_state(run):
    code, out, err = run("weights", "list")
    assert (code, err) == (0, "")
    fetalclip = out.split("fetalclip ")[1]
    for fact in (
        "CC-BY-NC-4.0",
        "1711 MB",
        "numansaeed/fetalclip-model",
        "90916caa408b",
        "not here",
    ):
        assert fact in fetalclip.split("mobilefetalclip")[0]
    assert "DINOv3 License" in out
    assert "size unknown" in out
    assert ENCODER not in out


def test_fetched_weights_are_listed_and_verified(run, hub, checkpoint, published):
    code, out, err = run("weights", "fetch", ENCODER)
    assert code == 1
    assert err.count("\n") == 1
    assert "non-commercial use only" in err
    assert "--accept-licence" in err

    code, out, err = run("weights", "fetch", ENCODER, "--accept-licence")
    assert code == 0, err
    assert weights_record(checkpoint).sha256 in out
    assert "the published file" in out
    assert "non-commercial use only" in out

    checkpoint.unlink()
    assert run("weights", "fetch", ENCODER)[0] == 0  # here already
    assert "the published file (weights.pt" in run("weights", "list")[1]
    code, out, _ = run("weights", "verify")
    assert code == 0
    assert f"{ENCODER}: intact, the published file" in out


@pytest.mark.parametrize("switch", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_without_a_network_one_line_says_the_manual_way(run, published, monkeypatch, switch):
    for other in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(switch, "1")
    code, out, err = run("weights", "fetch", ENCODER, "--accept-licence")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert f"no download: {switch} is set" in err
    assert f"weights import {ENCODER} weights.pt" in err


def test_an_import_says_the_hash_and_whether_it_is_the_published_file(
    run, checkpoint, published, tmp_path
):
    code, out, _ = run("weights", "import", ENCODER, checkpoint)
    assert code == 0
    assert f"{ENCODER}: the published file" in out
    other = tmp_path / "my_own.pt"
    torch.save(load_encoder(ENCODER).trunk.state_dict(), other)
    code, out, _ = run("weights", "import", ENCODER, other)
    assert code == 0
    assert f"{ENCODER}: not the published file (my_own.pt" in out
    assert weights_record(other).sha256 in out
    code, out, _ = run("weights", "verify", ENCODER)
    assert code == 0
    assert out.count("intact") == 2


def test_damaged_weights_are_found_among_sound_ones(run, checkpoint, tmp_path):
    other = tmp_path / "other.pt"
    torch.save(load_encoder(ENCODER).trunk.state_dict(), other)
    kept = [
        Path(run("weights", "import", ENCODER, path)[1].split("kept as ")[1].strip())
        for path in (checkpoint, other)
    ]
    content = bytearray(kept[0].read_bytes())
    content[-5] ^= 1
    kept[0].write_bytes(content)
    code, out, err = run("weights", "verify")
    assert code == 1
    assert out.count("intact") == 1
    assert f"{kept[0]}: damaged" in err
    assert "1 of 2 weights files are damaged" in err


def test_nothing_to_verify_is_an_error(run):
    assert "no weights of any encoder are here" in run("weights", "verify")[2]
    assert "no weights of fetalclip are here" in run("weights", "verify", "fetalclip")[2]
    assert "no encoder is called 'x'" in run("weights", "verify", "x")[2]


def test_a_wrong_file_is_one_line(run, tmp_path):
    path = tmp_path / "notes.pt"
    path.write_text("not weights")
    code, out, err = run("weights", "import", ENCODER, path)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "notes.pt: not a readable weights file" in err


def test_a_malicious_checkpoint_does_not_run(run, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    path = tmp_path / "weights.pt"
    torch.save({"head.weight": Bomb()}, path)
    assert run("weights", "import", ENCODER, path)[0] == 1
    assert not (tmp_path / "exploded").exists()


def test_analyse_finds_imported_weights_by_itself(run, checkpoint, tmp_path):
    model = FrameClassifier(load_encoder(ENCODER, checkpoint))
    card = ModelCard(
        name="untrained",
        task="cls",
        encoder=ENCODER,
        encoder_weights=weights_record(checkpoint),
        image_size=56,
    )
    folder = save_model(model, tmp_path / "model", card)
    sweep = make_phantom(PhantomSettings.small(), seed=3).sweep
    write_volume(tmp_path / "case.mha", sweep.frames[:3], sweep.spacing_mm)
    analyse = ("analyse", tmp_path / "case.mha", "--out", tmp_path / "out", "--cls", folder)
    code, _, err = run(*analyse, "--seg", "", "--device", "cpu")
    assert code == 1
    assert "fetch or import them first" in err
    assert run("weights", "import", ENCODER, checkpoint)[0] == 0
    checkpoint.unlink()
    code, _, err = run(*analyse, "--seg", "", "--device", "cpu")
    assert code == 0, err
    assert (tmp_path / "out" / "case" / "frames.csv").exists()


def test_other_weights_under_the_same_model_are_another_analysis(run, checkpoint, tmp_path):
    """A card may leave open which weights its encoder has; then --weights says."""
    model = FrameClassifier(load_encoder(ENCODER, checkpoint))
    card = ModelCard(
        name="untrained", task="cls", encoder=ENCODER, encoder_weights=None, image_size=56
    )
    folder = save_model(model, tmp_path / "model", card)
    others = tmp_path / "others.pt"
    torch.save(load_encoder(ENCODER).trunk.state_dict(), others)
    sweep = make_phantom(PhantomSettings.small(), seed=3).sweep
    write_volume(tmp_path / "case.mha", sweep.frames[:3], sweep.spacing_mm)
    analyse = ("analyse", tmp_path / "case.mha", "--out", tmp_path, "--cls", folder, "--seg", "")
    found = []
    for weights in (checkpoint, others):
        code, out, err = run(*analyse, "--device", "cpu", "--weights", weights)
        assert code == 0, err
        assert "on cpu" in out  # neither done already nor from the cache
        summary = json.loads((tmp_path / "case" / "summary.json").read_text())
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        assert summary["models"]["cls"]["encoder_weights"] == sha256
        found.append((tmp_path / "case" / "frames.csv").read_text())
    assert found[0] != found[1]
    assert "done already" in run(*analyse, "--device", "cpu", "--weights", others)[1]


def test_a_malicious_weights_file_does_not_run_through_analyse(run, checkpoint, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    model = FrameClassifier(load_encoder(ENCODER, checkpoint))
    card = ModelCard(
        name="untrained", task="cls", encoder=ENCODER, encoder_weights=None, image_size=56
    )
    folder = save_model(model, tmp_path / "model", card)
    torch.save({"head.weight": Bomb()}, tmp_path / "weights.pt")
    write_volume(tmp_path / "case.mha", np.full((2, 50, 60), 9, np.uint8), (0.5, 0.5))
    code, _, err = run(
        *("analyse", tmp_path / "case.mha", "--out", tmp_path, "--cls", folder, "--seg", ""),
        *("--weights", tmp_path / "weights.pt", "--device", "cpu"),
    )
    assert code == 1
    assert "weights.pt: holds more than tensors; save its state_dict alone" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "exploded").exists()


def test_help_teaches(run):
    assert "Example: napari-fetal-iqa weights import" in run("weights", "import", "--help")[1]
    assert run("weights", "import", ENCODER)[0] == 2


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_phantom_is_analysed_at_full_size_from_a_genuine_checkpoint(run, tmp_path):
    """Random weights in the layout of FetalCLIP's file: imported, then CLS and SEG of its size."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    torch.manual_seed(0)
    clip = CLIP(
        embed_dim=768,
        vision_cfg=CLIPVisionCfg(layers=24, width=1024, patch_size=14, image_size=224),
        text_cfg=CLIPTextCfg(context_length=117, width=768, heads=12, layers=12),
    )
    checkpoint = tmp_path / "FetalCLIP_weights.pt"
    torch.save(clip.state_dict(), checkpoint)
    del clip
    assert run("weights", "import", "fetalclip", checkpoint)[0] == 0
    models = {}
    for task, kind in (("cls", FrameClassifier), ("seg", FrameSegmenter)):
        network = kind(load_encoder("fetalclip", checkpoint))
        lora = add_lora(network, LoraSettings())
        card = ModelCard(
            name="random weights",
            task=task,
            encoder="fetalclip",
            encoder_weights=weights_record(checkpoint),
            image_size=224,
            lora=lora,
        )
        models[task] = save_model(network, tmp_path / task, card)
        del network
    checkpoint.unlink()
    sweep = make_phantom(PhantomSettings.demo(), seed=3).sweep
    write_volume(tmp_path / "case.mha", sweep.frames, sweep.spacing_mm)
    code, _, err = run(
        "analyse", tmp_path / "case.mha", "--out", tmp_path / "out", "--frames", "0,12,100-101",
        "--cls", models["cls"], "--seg", models["seg"], "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    rows = (tmp_path / "out" / "case" / "frames.csv").read_text().splitlines()[1:]
    scored = [int(row.split(",")[0]) for row in rows if row.split(",")[3]]
    assert scored == [0, 12, 100, 101]
    summary = json.loads((tmp_path / "out" / "case" / "summary.json").read_text())
    assert summary["seconds"]["cls"] > 0
