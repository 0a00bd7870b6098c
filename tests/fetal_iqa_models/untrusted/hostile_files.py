"""Small files that claim much: each writes one to a path."""

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SECRET = "Jane Doe 1970"
"""What a file says, and no message may."""

TB = 2**40


# Pickles, written by hand: pickletools.py of the standard library has each instruction.


def number(value: int) -> bytes:
    raw = value.to_bytes(12, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def many(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def call(module: str, name: str, *arguments: bytes) -> bytes:
    return named(module, name) + many(*arguments) + b"R"


def storage(count: int = 4, key: str = "0", old: bool = False) -> bytes:
    more = [b"N"] if old else []
    kind = named("torch", "FloatStorage")
    return many(text("storage"), kind, text(key), text("cpu"), number(count), *more) + b"Q"


def tensor(shape: list[int], strides: list[int], offset: int = 0, stored: bytes = b"") -> bytes:
    view = [number(offset), many(*map(number, shape)), many(*map(number, strides))]
    hooks = call("collections", "OrderedDict")
    return call("torch._utils", "_rebuild_tensor_v2", stored or storage(), *view, b"\x89", hooks)


def table(*items: tuple[bytes, bytes]) -> bytes:
    return b"}(" + b"".join(key + value for key, value in items) + b"u"


def weights(value: bytes) -> bytes:
    return b"\x80\x02" + table((text("weight"), value)) + b"."


NOTHING = weights(b"N")


def archive(
    pickle: bytes | Callable[[], bytes] = NOTHING,
    files: dict[str, bytes] | None = None,
    method: int = zipfile.ZIP_STORED,
) -> Callable[[Path], None]:
    """Return what writes an archive as torch does, of a pickle, four floats and other files.

    What is long is made only when it is written: tests are collected often.
    """

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", method) as zipped:
            zipped.writestr("a/data.pkl", pickle if isinstance(pickle, bytes) else pickle())
            zipped.writestr("a/data/0", bytes(16))
            zipped.writestr("a/version", b"3\n")
            for name, content in (files or {}).items():
                zipped.writestr(name, content)

    return write


def old_layout(value: bytes, storages: bytes = b"") -> Callable[[Path], None]:
    def write(path: Path) -> None:
        found = io.BytesIO()
        torch.save({}, found, _use_new_zipfile_serialization=False)
        head = found.getvalue()[: -len(b"\x80\x02}q\x00.\x80\x02]q\x00.")]
        path.write_bytes(head + weights(value) + b"\x80\x02](X\x01\x00\x00\x000e." + storages)

    return write


def edited(write: Callable[[Path], None], change: Callable[[bytearray], object]) -> Any:
    def write_edited(path: Path) -> None:
        write(path)
        content = bytearray(path.read_bytes())
        change(content)
        path.write_bytes(content)

    return write_edited


def two_names(first: str, second: str) -> Callable[[Path], None]:
    """Return what writes an archive with names of one length each that zipfile would not write."""
    return edited(
        archive(files={f"a/{'z' * len(first)}": b"", f"a/{'y' * len(second)}": b""}),
        lambda content: content.__setitem__(
            slice(None),
            content.replace(b"z" * len(first), first.encode()).replace(
                b"y" * len(second), second.encode()
            ),
        ),
    )


def nested_key() -> bytes:
    """Return a tuple of tuples, 2**60 in all but written once a level: to hash it takes years."""
    levels = b"".join(b"q\x01h\x01\x86" for _ in range(60))
    return b")" + levels


def colliding_keys(count: int = 60_000) -> bytes:
    """Return a table whose numbers all have the same hash in CPython."""
    return table(*((number(turn * (2**61 - 1)), b"N") for turn in range(1, count)))


def again_and_again() -> bytes:
    """Return lists that are copied as often as they are long."""
    pairs = b"](" + b"K\x00K\x01\x86" * 50_000 + b"e"
    copy = named("collections", "OrderedDict") + b"h\x05\x85R"
    return pairs + b"q\x05" + copy * 50_000


CHECKPOINTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "zip bomb": (archive(lambda: bytes(200 << 20), method=zipfile.ZIP_DEFLATED), "is compressed"),
    "huge pickle": (archive(lambda: b"\x80\x02" + b"0" * (64 << 20)), "more than any genuine"),
    "many steps": (archive(lambda: b"\x80\x02" + b"N" * (3 << 20) + b"."), "more than any genuine"),
    "many marks": (archive(lambda: b"\x80\x02" + b"(" * (3 << 20) + b"."), "more than any genuine"),
    "huge storage": (archive(weights(tensor([4], [1], stored=storage(TB)))), "not a readable"),
    "huge view": (archive(weights(tensor([TB], [1]))), "not a readable"),
    "wide strides": (archive(weights(tensor([2, 2], [TB, 1]))), "not a readable"),
    "far offset": (archive(weights(tensor([1], [1], TB))), "not a readable"),
    "negative shape": (archive(weights(tensor([-1], [1]))), "not a readable"),
    "many axes": (archive(weights(tensor([1] * 4000, [1] * 4000))), "not a readable"),
    "expanded": (archive(weights(tensor([TB, 3], [0, 1]))), "far larger than the file"),
    "expanded often": (
        archive(
            lambda: (
                b"\x80\x02"
                + table(*((text(str(i)), tensor([1 << 20], [0])) for i in range(5000)))
                + b"."
            )
        ),
        "far larger than the file",
    ),
    "many tensors": (
        archive(
            lambda: (
                b"\x80\x02"
                + table((text("a"), storage() + b"q\x07"))
                + table(*((text(str(i)), tensor([], [], 0, b"h\x07")) for i in range(20_500)))
                + b"."
            )
        ),
        "more than any genuine",
    ),
    "many names": (
        archive(files={f"a/data/{i}": b"" for i in range(1, 100_000)}),
        "more files than any genuine",
    ),
    "a name above": (archive(files={f"../{SECRET}": b""}), "names that torch.save never"),
    "a name twice": (two_names("data.pkl", "b"), "names that torch.save never"),
    "a name in capitals": (two_names("DATA.pkl", "b"), "names that torch.save never"),
    "a name with NUL": (two_names("data.pkl\0x", "b"), "names that torch.save never"),
    "a name that moves the cursor": (two_names("\x1b[2J", "b"), "expected tensors by name"),
    "a document": (archive(files={f"a/{SECRET}": bytes(1 << 20)}), "archive of other files"),
    "a comment behind": (
        edited(archive(), lambda content: content.extend(archive_bytes())),
        "not a readable",
    ),
    "a lying directory": (
        edited(
            archive(),
            lambda content: content.__setitem__(slice(-12, -4), b"\xff\xff\xff\x7f" * 2),
        ),
        "more files than any genuine",
    ),
    "TorchScript": (archive(files={"a/constants.pkl": b"."}), "holds a program"),
    "huge byte array": (
        archive(weights(call("builtins", "bytearray", number(TB)))),
        "more than tensors; save its state_dict alone",
    ),
    "huge old tensor": (archive(weights(call("torch", "FloatStorage", number(TB)))), "not a read"),
    "meta": (
        archive(weights(named("torch._utils", "_rebuild_meta_tensor_no_storage"))),
        "one without values",
    ),
    "sparse": (
        archive(weights(named("torch._utils", "_rebuild_sparse_tensor"))),
        "a sparse one",
    ),
    "numpy": (
        archive(weights(named("numpy._core.multiarray", "scalar"))),
        r"more than tensors \(objects of numpy\); save its state_dict alone$",
    ),
    "other programs": (
        archive(weights(named(SECRET, SECRET))),
        "more than tensors; save its state_dict alone$",
    ),
    "protocol 4": (archive(b"\x80\x04N."), "another pickle protocol"),
    "nested key": (archive(b"\x80\x02}" + nested_key() + b"Ns."), "by other things than names"),
    "colliding keys": (
        archive(lambda: b"\x80\x02" + colliding_keys() + b"."),
        "other things than names",
    ),
    "copies": (archive(lambda: b"\x80\x02" + again_and_again() + b"N."), "over and over"),
    "deep": (archive(lambda: b"\x80\x02N" + b"\x85" * 400_000 + b"."), "expected tensors by name"),
    "bare pickle": (
        lambda path: path.write_bytes(weights(text(SECRET))),
        "a pickle of another program",
    ),
    "not a pickle": (lambda path: path.write_bytes(SECRET.encode() * 9), "not a readable"),
    "old huge storage": (
        old_layout(tensor([4], [1], stored=storage(TB, old=True)), struct.pack("<Q", TB)),
        "not a readable",
    ),
    "old huge view": (
        old_layout(
            tensor([TB], [1], stored=storage(4, old=True)), struct.pack("<Q", 4) + bytes(16)
        ),
        "not a readable",
    ),
    "old, cut": (
        old_layout(tensor([4], [1], stored=storage(4, old=True)), struct.pack("<Q", 4)),
        "not a readable",
    ),
    "FIFO": (os.mkfifo, "not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "sparse on disk": (lambda path: (path.touch(), os.truncate(path, 9 * TB)), "8 GiB"),
}


def archive_bytes() -> bytes:
    """Return a whole archive, to be put behind another."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as zipped:
        zipped.writestr("a/data.pkl", NOTHING)
    return found.getvalue()[:-1]


# safetensors


def safetensors(header: object, content: bytes = bytes(8)) -> Callable[[Path], None]:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return lambda path: path.write_bytes(struct.pack("<Q", len(raw)) + raw + content)


def entry(start: int, stop: int, shape: list[Any] | None = None, dtype: str = "F32") -> Any:
    shape = [(stop - start) // 4] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def raw(shape: str = "[2]", offsets: str = "[0, 8]", more: str = "") -> bytes:
    return (
        f'{{"a": {{"dtype": "F32", "shape": {shape}, "data_offsets": {offsets}}}{more}}}'.encode()
    )


HEADERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a length of exabytes": (
        lambda path: path.write_bytes(struct.pack("<Q", 2**62) + b"{}"),
        "not a readable",
    ),
    "a header of 90 MB": (
        lambda path: safetensors(b" " * (90 << 20))(path),
        "more than any genuine",
    ),
    "nested": (safetensors(b"[" * 100_000), "not a readable"),
    "nested in a field": (safetensors(raw("[" * 100_000)), "not a readable"),
    "many names": (
        safetensors({str(i): entry(0, 0) for i in range(50_000)}, b""),
        "more than any genuine",
    ),
    "a name twice": (
        safetensors(raw(more=', "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}')),
        "not a readable",
    ),
    "a field twice": (safetensors(raw('[2], "shape": [2]')), "not a readable"),
    "offsets outside": (safetensors({"a": entry(0, 80)}), "not a readable"),
    "offsets of terabytes": (safetensors({"a": entry(0, 4 * TB)}), "not a readable"),
    "overlapping": (safetensors({"a": entry(0, 8), "b": entry(4, 8)}), "not a readable"),
    "a gap": (safetensors({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12)), "not a readable"),
    "more behind": (safetensors({"a": entry(0, 8)}, bytes(80)), "not a readable"),
    "negative": (safetensors({"a": entry(0, 8, [-1, -2])}), "not a readable"),
    "a shape that wraps": (safetensors({"a": entry(0, 8, [2**62, 2**62, 8])}), "not a readable"),
    "halves": (safetensors(raw("[2.0]")), "not a readable"),
    "truths": (safetensors(raw("[true, 2]")), "not a readable"),
    "6,000 digits": (safetensors(raw(f"[{'9' * 6000}]")), "not a readable"),
    "many axes": (safetensors({"a": entry(0, 8, [1] * 5000 + [2])}), "not a readable"),
    "another type": (safetensors({"a": entry(0, 8, dtype=SECRET)}), "not a readable"),
    "other fields": (safetensors({"a": {SECRET: 1}}), "not a readable"),
    "no fields": (safetensors({"a": SECRET}), "not a readable"),
    "metadata of numbers": (safetensors({"__metadata__": {"a": 1}}, b""), "not a readable"),
    "FIFO": (os.mkfifo, "not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
}
