"""A model travels as one file: alike byte for byte, and whatever else comes is refused."""

import json
import os
import stat
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from fetal_iqa_models import ModelError, model_hash
from fetal_iqa_models.cards import MODEL_FILES, load_card
from fetal_iqa_models.compiled.graph_folder import CARD_FILE, GRAPH_FILE, WEIGHTS_FILE
from fetal_iqa_models.licences import LICENCE_FILE
from fetal_iqa_models.taught import Taught
from napari_fetal_iqa.model_library.adding import add_model
from napari_fetal_iqa.model_library.library import ModelLibrary
from napari_fetal_iqa.model_library.packing import MANIFEST, pack_model, unpack_model
from napari_fetal_iqa.storage import paths

from ..made_models import make_model, tensors

GRAPH = (CARD_FILE, GRAPH_FILE, WEIGHTS_FILE)


@pytest.fixture
def library():
    return ModelLibrary()


@pytest.fixture
def folder(tmp_path):
    return make_model(tmp_path / "Doe, Jane", title="mine", licence="CC-BY-NC-4.0")


@pytest.fixture
def packed(folder, tmp_path):
    return pack_model(folder, tmp_path / "model.zip")


def kept():
    """What lies in the folder of models, hidden or not."""
    return sorted(os.listdir(paths.models())) if paths.models().exists() else []


def test_what_is_packed_arrives_with_lineage_and_licence(folder, library, tmp_path):
    parent = make_model(tmp_path / "parent", content="older")
    child = make_model(tmp_path / "child", parent=parent, licence="CC-BY-NC-4.0")
    added = add_model(library, pack_model(child, tmp_path / "child.zip"))
    assert not added.was_here
    assert added.lacking is None
    assert added.entry.hash == model_hash(child)
    assert added.entry.card.parent == model_hash(parent)
    assert added.entry.card.licence == "CC-BY-NC-4.0"
    assert not added.entry.in_use
    assert library.find(added.entry.id).reference == added.entry.reference
    again = add_model(library, tmp_path / "child.zip")
    assert again.was_here
    assert kept() == [f"cls-{model_hash(child)[:12]}"]


def test_a_model_that_learnt_from_every_image_of_a_large_data_set_travels_too(
    folder, library, tmp_path
):
    """FETAL_PLANES_DB has 12,400 images, and each is a case and a sweep of its own."""
    things = [(kind, str(n)) for n in range(12_400) for kind in ("case", "frames")]
    child = Taught.salted("x").having(learnt=[*things, *(("sweep", str(n)) for n in range(8000))])
    card = load_card(folder).model_copy(update={"taught": child})
    (folder / "model.json").write_text(card.model_dump_json(indent=2))
    assert add_model(library, pack_model(folder, tmp_path / "m.zip")).entry.card.taught == child


def test_the_same_model_gives_the_same_bytes_wherever_and_whenever(folder, tmp_path):
    other = folder.with_name("elsewhere")
    folder.rename(other)
    first = pack_model(other, tmp_path / "a.zip").read_bytes()
    for path in other.iterdir():
        os.utime(path, (1e9, 1e9))
        path.chmod(0o600)
    (other / "patients.txt").write_text("Doe, Jane")
    assert pack_model(other, tmp_path / "b.zip").read_bytes() == first


def test_nothing_but_the_model_is_in_the_file(folder, packed):
    (folder / "patients.txt").write_text("Doe, Jane")
    content = packed.read_bytes()
    assert b"Doe" not in content
    assert b"elsewhere" not in content
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
        times = {record.date_time for record in archive.infolist()}
        assert archive.comment == b""
    there = [name for name in MODEL_FILES if (folder / name).exists()]
    assert names == [MANIFEST, LICENCE_FILE, *there]
    assert times == {(1980, 1, 1, 0, 0, 0)}


SAID = {
    "starter-seg": (
        "Apache-2.0",
        "SonoNet16",
        "TERMS AND CONDITIONS FOR USE",
        "changed by training",
    ),
    "sononet-cls": ("Apache-2.0", "SonoNet16", "TERMS AND CONDITIONS"),
    "demo-cls": ("BSD-3-Clause", "Redistribution and use in source and binary forms"),
    None: ("CC-BY-NC-4.0", "creativecommons.org/licenses/by-nc/4.0/legalcode"),
}
"""By model; None is a folder of somebody else's."""


@pytest.mark.parametrize("name", SAID)
def test_a_packed_model_carries_the_text_of_its_licence_and_keeps_it(
    name, folder, library, tmp_path
):
    reference = name or folder
    sent = pack_model(reference, tmp_path / "sent.zip")
    with zipfile.ZipFile(sent) as archive:
        text = archive.read(LICENCE_FILE)
    assert all(words in text.decode() for words in SAID[name])
    assert load_card(reference).licence in text.decode().splitlines()[0]
    other = tmp_path / "there"
    other.mkdir()
    unpack_model(sent, other)
    assert (other / LICENCE_FILE).read_bytes() == text
    assert pack_model(other, tmp_path / "on.zip").read_bytes() == sent.read_bytes()


def test_a_model_is_known_by_its_files_not_by_its_licence(folder, library):
    (folder / LICENCE_FILE).write_text("as received")
    added = add_model(library, folder)
    assert added.entry.hash == model_hash(folder)
    assert (paths.models() / added.entry.reference / LICENCE_FILE).read_text() == "as received"


@pytest.fixture
def graph(tmp_path):
    """A folder that holds a graph, as far as packing looks."""
    folder = tmp_path / "graph"
    folder.mkdir()
    for name in GRAPH:
        (folder / name).write_text(f"{{}} of {name}")
    return folder


def test_a_graph_travels_along_and_is_left_out_where_nobody_wants_it(folder, graph, tmp_path):
    packed = pack_model(folder, tmp_path / "with.zip", graph)
    unpacked = tmp_path / "unpacked graph"
    unpacked.mkdir()
    for name, place in (("without", None), ("with", unpacked)):
        model = tmp_path / name
        model.mkdir()
        unpack_model(packed, model, place)
        assert model_hash(model) == model_hash(folder)
        assert not set(GRAPH) & set(os.listdir(model))
    assert {file.name: file.read_bytes() for file in unpacked.iterdir()} == {
        file.name: file.read_bytes() for file in graph.iterdir()
    }


def test_a_graph_that_was_changed_on_its_way_is_refused_also_where_nobody_wants_it(
    folder, graph, tmp_path
):
    packed = pack_model(folder, tmp_path / "with.zip", graph)
    content = packed.read_bytes()
    packed.write_bytes(content.replace(b"{} of graph.bin", b"{} of graph.BIN"))
    (tmp_path / "new").mkdir()
    with pytest.raises(ModelError, match="damaged on its way"):
        unpack_model(packed, tmp_path / "new")


def test_no_file_is_overwritten(folder, packed):
    before = packed.read_bytes()
    with pytest.raises(ModelError, match="exists already"):
        pack_model(folder, packed)
    assert packed.read_bytes() == before


def test_a_damaged_model_is_not_packed(folder, tmp_path):
    (folder / "head.safetensors").write_bytes(b"short")
    with pytest.raises(ModelError, match="damaged"):
        pack_model(folder, tmp_path / "model.zip")
    assert not (tmp_path / "model.zip").exists()


# What others send -------------------------------------------------------------------------------


def put(path, entries, compression=zipfile.ZIP_STORED):
    """An archive of names, or records, with contents."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def files(folder, under=""):
    return [(f"{under}{path.name}", path.read_bytes()) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("under", ["", "my model/"])
def test_a_zip_of_a_folder_made_by_hand_is_taken(folder, library, tmp_path, under, compression):
    extra = [(under, b"")] if under else []
    mac = [(f"__MACOSX/{under}._model.json", b"x"), (f"{under}.DS_Store", b"x")]
    path = put(tmp_path / "hand.zip", [*extra, *files(folder, under), *mac], compression)
    assert add_model(library, path).entry.hash == model_hash(folder)


def test_a_folder_is_taken_and_only_its_model(folder, library):
    (folder / "notes.txt").write_text("Doe, Jane")
    added = add_model(library, folder)
    assert added.entry.hash == model_hash(folder)
    assert "notes.txt" not in os.listdir(added.entry.reference)


def linked(name):
    record = zipfile.ZipInfo(name)
    record.create_system = 3
    record.external_attr = (stat.S_IFLNK | 0o777) << 16
    return record


def many(folder):
    return [*files(folder), *((f"d{number}/", b"") for number in range(100))]


def manifest_of(folder, **changed):
    sound = {
        "format": "napari-fetal-iqa model",
        "version": 1,
        "model": model_hash(folder),
        "files": {
            path.name: {"bytes": path.stat().st_size, "sha256": "0" * 64}
            for path in folder.iterdir()
        },
    }
    return json.dumps({**sound, **changed})


HOSTILE = {
    "empty": lambda folder: [],
    "nothing of a model": lambda folder: [("readme.txt", b"hello")],
    "another file beside": lambda folder: [*files(folder), ("patients.csv", b"Doe")],
    "a program beside": lambda folder: [*files(folder), ("setup.py", b"1/0")],
    "out of the folder": lambda folder: [*files(folder, "../")],
    "out of the folder, twice": lambda folder: [*files(folder, "../../")],
    "from the root": lambda folder: [*files(folder, "/")],
    "to a drive": lambda folder: [*files(folder, "C:/")],
    "by backslash": lambda folder: [*files(folder, "..\\")],
    "in several folders": lambda folder: [*files(folder, "a/"), ("b/model.json", b"{}")],
    "deep": lambda folder: [*files(folder, "a/b/")],
    "a link": lambda folder: [(linked("head.safetensors"), b"/etc/passwd"), *files(folder)[2:]],
    "many folders": many,
    "huge card": lambda folder: [("model.json", b" " * 2_000_000), *files(folder)[:2]],
    "huge licence": lambda folder: [(LICENCE_FILE, b" " * 2_000_000), *files(folder)],
    "a licence alone": lambda folder: [(LICENCE_FILE, b"free")],
    "no card": lambda folder: [entry for entry in files(folder) if entry[0] != "model.json"],
    "no head": lambda folder: [entry for entry in files(folder) if "head" not in entry[0]],
    "a card that is none": lambda folder: [*files(folder)[:2], ("model.json", b'{"a": 1}')],
    "weights that are none": lambda folder: [("head.safetensors", b"x"), *files(folder)[2:]],
    "a manifest that is none": lambda folder: [(MANIFEST, b"[]"), *files(folder)],
    "a manifest of other hashes": lambda folder: [(MANIFEST, manifest_of(folder)), *files(folder)],
    "a manifest of other files": lambda folder: [
        (MANIFEST, manifest_of(folder, files={})),
        *files(folder),
    ],
    "a later manifest": lambda folder: [(MANIFEST, manifest_of(folder, version=2)), *files(folder)],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_model_is_refused_in_one_line_and_leaves_nothing(
    folder, library, tmp_path, what
):
    path = put(tmp_path / "sent.zip", HOSTILE[what](folder))
    outside = sorted(os.listdir(tmp_path)), kept()
    with pytest.raises(ModelError) as refused:
        add_model(library, path)
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)
    assert ".added-" not in str(refused.value)
    assert (sorted(os.listdir(tmp_path)), kept()) == outside


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_there_twice_is_refused(folder, library, tmp_path):
    twice = [*files(folder), ("head.safetensors", tensors("other"))]
    with pytest.raises(ModelError, match=r"holds head.safetensors twice$"):
        add_model(library, put(tmp_path / "sent.zip", twice))


def replaced(old, new):
    return lambda content: content.replace(old, new)


SPOILT = {
    "cut": lambda content: content[:-40],
    "cut to nothing": lambda content: b"",
    "something before it": lambda content: b"MZ" * 40 + content,
    "something behind it": lambda content: content + b"x",
    "one byte of the weights": replaced(b"weights", b"weigths"),
    "one byte of the card": replaced(b'"mine"', b'"mime"'),
    "one byte of the licence": replaced(b"Licence of this", b"Licence of that"),
    "a name that differs in the file itself": lambda content: content.replace(
        b"head.safetensors", b"tail.safetensors", 1
    ),
    "a count of files beyond all": lambda content: (
        content[:-14] + struct.pack("<2H", 0xFFFE, 0xFFFE) + content[-10:]
    ),
    "a size that is announced larger": replaced(
        struct.pack("<2L", len(tensors("weights")), len(tensors("weights"))),
        struct.pack("<2L", len(tensors("weights")), 1 << 20),
    ),
    "encrypted": replaced(
        b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"
    ),
    "packed in another way": replaced(
        b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x0e\x00"
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_was_damaged_or_forged_on_its_way_is_refused(packed, library, how):
    content = packed.read_bytes()
    spoilt = SPOILT[how](content)
    assert spoilt != content
    packed.write_bytes(spoilt)
    with pytest.raises(ModelError, match=r"^[^\n]*model\.zip: [^\n]*$"):
        add_model(library, packed)
    assert kept() == []


def test_a_bomb_is_refused_before_it_is_unpacked(folder, library, tmp_path):
    zeros = tensors("\0" * (200 << 20))
    entries = [("head.safetensors", zeros), *files(folder)[::2]]
    path = put(tmp_path / "sent.zip", entries, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    del zeros, entries
    with pytest.raises(ModelError, match="unpack to far more"):
        add_model(library, path)
    assert kept() == []


def test_memory_stays_small_whatever_the_archive_holds(folder, library, tmp_path):
    (folder / "head.safetensors").write_bytes(tensors("x" * (30 << 20)))
    path = pack_model(folder, tmp_path / "large.zip")
    tracemalloc.start()
    try:
        add_model(library, path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 << 20


def test_a_stream_that_unpacks_to_more_than_it_announces_is_refused(folder, library, tmp_path):
    head = tensors("x" * 4000)
    path = put(tmp_path / "sent.zip", [("head.safetensors", head), *files(folder)[::2]], 8)
    content = path.read_bytes()
    lie = struct.pack("<L", len(head) - 100)  # where the directory and the file say its size
    path.write_bytes(content.replace(struct.pack("<L", len(head)), lie))
    assert path.read_bytes() != content
    with pytest.raises(ModelError, match="damaged on its way"):
        add_model(library, path)
    assert kept() == []
    assert zlib.crc32(head)  # the content itself was sound


def test_a_model_that_does_not_load_is_not_added(packed, library):
    def load(folder):
        raise ModelError(f"{folder}/head.safetensors: 2 tensors are missing or foreign")

    with pytest.raises(ModelError, match=r"^[^\n]*model.zip/head.safetensors: 2 tensors"):
        add_model(library, packed, load)
    assert kept() == []


def test_what_it_lacks_is_said_and_it_is_not_loaded(tmp_path, library):
    wanted = {"name": "FetalCLIP_weights.pt", "sha256": "1" * 64}
    folder = make_model(tmp_path / "large", encoder_weights=wanted)
    added = add_model(library, pack_model(folder, tmp_path / "large.zip"), load=pytest.fail)
    assert "needs the pretrained weights of fetalclip-tiny (FetalCLIP_weights.pt)" in added.lacking
    with pytest.raises(ModelError, match="needs the pretrained weights"):
        library.use(added.entry)


def test_what_a_killed_program_left_goes_with_the_next(packed, library):
    left = paths.models() / ".added-12345678"
    left.mkdir(parents=True)
    (left / "head.safetensors").write_bytes(b"half")
    young = paths.models() / ".added-87654321"
    young.mkdir()
    os.utime(left, (1e9, 1e9))
    add_model(library, packed)
    assert not left.exists()
    assert young.exists()
