"""Makes model folders that are whole as far as anyone can tell without torch."""

import json

from fetal_iqa_models import ModelCard, model_hash


def tensors(content: str) -> bytes:
    """A safetensors file of one tensor whose bytes are some text."""
    data = content.encode()
    entry = {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}
    header = json.dumps({"t": entry}).encode()
    return len(header).to_bytes(8, "little") + header + data


def make_model(
    folder, task="cls", parent=None, metrics=None, content="weights", title=None, **card
):
    folder.mkdir(parents=True)
    facts = {"encoder": "fetalclip-tiny", "image_size": 56, "encoder_weights": "own", **card}
    made = ModelCard(
        name=title or folder.name,
        task=task,
        parent=None if parent is None else model_hash(parent),
        metrics=metrics or {},
        **facts,
    )
    (folder / "model.json").write_text(made.model_dump_json())
    (folder / "head.safetensors").write_bytes(tensors(content))
    (folder / "encoder.safetensors").write_bytes(tensors("encoder"))
    return folder
