"""What stands in for the objects of a checkpoint's pickle while it is followed."""

from dataclasses import dataclass
from math import prod
from typing import Any

from fetal_iqa_models.untrusted.bounds import MOST_AXES, MOST_TENSORS
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError

_MORE = "holds more than tensors{}; save its state_dict alone"

_STORAGES = {
    **dict.fromkeys(("Byte", "Char", "Bool", "QInt8", "QUInt8", "QUInt4x2", "QUInt2x4"), 1),
    **dict.fromkeys(("Short", "Half", "BFloat16"), 2),
    **dict.fromkeys(("Int", "Float", "QInt32"), 4),
    **dict.fromkeys(("Long", "Double", "ComplexFloat"), 8),
    **dict.fromkeys(("ComplexDouble",), 16),
}
_DTYPES = {
    **dict.fromkeys(("uint8", "int8", "bool", "float8_e4m3fn", "float8_e5m2"), 1),
    **dict.fromkeys(("float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"), 1),
    **dict.fromkeys(("int16", "uint16", "float16", "bfloat16"), 2),
    **dict.fromkeys(("int32", "uint32", "float32", "complex32"), 4),
    **dict.fromkeys(("int64", "uint64", "float64", "complex64"), 8),
    **dict.fromkeys(("complex128",), 16),
}
ITEM_BYTES = {
    "torch.storage.UntypedStorage": 1,
    **{f"torch.{name}Storage": size for name, size in _STORAGES.items()},
    **{f"torch.{name}": size for name, size in _DTYPES.items()},
}
"""Bytes of one value, by the types of storages and tensors."""

_OTHER_TENSORS = {
    "torch._utils._rebuild_sparse_tensor": "a sparse one",
    "torch._utils._rebuild_qtensor": "a quantised one",
    "torch._utils._rebuild_meta_tensor_no_storage": "one without values (of the device meta)",
    "torch._utils._rebuild_device_tensor_from_numpy": "one of a device that is not known",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": "one of a device that is not known",
    "torch._utils._rebuild_wrapper_subclass": "one of a class of its own",
}

_MADE = {
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2",
    "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout",
    "torch.Tensor",
    "torch.Size",
    "torch.device",
    "collections.OrderedDict",
    "collections.Counter",
    "_codecs.encode",
    "builtins.set",
    "builtins.bytearray",
    "builtins.complex",
}

_PROGRAMS = {
    *("argparse", "datetime", "lightning", "mmengine", "numpy", "omegaconf", "pandas"),
    *("pathlib", "pytorch_lightning", "timm", "transformers", "yacs"),
}
"""Whose objects checkpoints of training hold; other names are the file's own words."""

# Old pickles name the modules of Python 2.
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}


@dataclass(frozen=True)
class Named:
    """A function or class that a pickle refers to; one that is known, by its name."""

    name: str


@dataclass(frozen=True)
class Storage:
    """The values that tensors look at: how many, of how many bytes each."""

    count: int
    item_bytes: int


class Made:
    """A tensor, or something else that nothing can be asked of."""


def plain_key(key: Any) -> Any:
    """Return a key of a dict; refuse one whose hash may take long, or be that of many others."""
    if type(key) in (str, bytes, bool, type(None)):
        return key  # hashed once, with the process's own salt
    if type(key) is int and abs(key) < 2**31:
        return key
    raise RefusedError("is no checkpoint: it holds tables by other things than names")


class StandIns:
    """Makes stand-ins and counts what the real things would take.

    Parameters
    ----------
    work : int
        Values that may be copied from one thing into another: never more than there are bytes in
        a genuine pickle, as nothing is copied twice.

    Attributes
    ----------
    tensor_bytes : int
        Of all tensors so far, each written out.
    """

    def __init__(self, work: int) -> None:
        self.tensor_bytes = 0
        self._tensors = 0
        self._work = work

    def spend(self, values: int) -> None:
        """Count values that are copied."""
        self._work -= values
        if self._work < 0:
            raise RefusedError("is no checkpoint: it copies the same things over and over")

    def find(self, module: str, name: str) -> Named:
        """Return what a pickle refers to, if it is of a kind that tensors need."""
        full = f"{_RENAMED.get(module, module)}.{name}"
        if full in _MADE or full in ITEM_BYTES:
            return Named(full)
        if full in _OTHER_TENSORS:
            raise RefusedError(f"must hold plain tensors by name, and holds {_OTHER_TENSORS[full]}")
        program = module.split(".")[0]
        raise RefusedError(_MORE.format(f" (objects of {program})" if program in _PROGRAMS else ""))

    def make(self, made: Named, arguments: tuple[Any, ...]) -> Any:
        """Return the stand-in for what a call makes."""
        match made.name.rsplit(".", 1)[-1], arguments:
            case "OrderedDict", ():
                return {}
            case "OrderedDict", (list() as pairs,):
                self.spend(len(pairs))
                return {plain_key(key): value for key, value in pairs}
            case "Counter", (dict() as counted,):
                self.spend(len(counted))
                return dict(counted)
            case "set", (list() as members,):
                self.spend(len(members))
                return {plain_key(member) for member in members}
            case "encode" | "bytearray", (str() as text, str() as encoding) if encoding == "latin1":
                self.spend(len(text))
                return text.encode("latin1")
            case "bytearray", ():
                return b""
            case "bytearray", (bytes() as raw,):
                self.spend(len(raw))
                return raw
            case "complex", (float(), float()):
                return Made()
            case "device", (str() as kind, *rest) if kind in ("cpu", "cuda", "mps") and all(
                type(number) is int for number in rest[:1]
            ):
                return Made()
            case "Size", (tuple() | list() as shape,):
                return _shape(shape)
            case "_get_layout", ("torch.strided",):
                return Made()
            case "_get_layout", _:
                raise RefusedError("must hold plain tensors by name, and holds a sparse one")
            case "_rebuild_tensor" | "_rebuild_tensor_v2", (Storage() as storage, *view):
                return self._view(storage, storage.item_bytes, *view[:3])
            case "_rebuild_tensor_v3", (Storage() as storage, *view) if type(view[5]) is Named:
                return self._view(storage, ITEM_BYTES[view[5].name], *view[:3])
            case "_rebuild_parameter" | "_rebuild_parameter_with_state", (Made() as data, *_):
                return data
            case "_rebuild_from_type_v2", (Named() as inner, Named(), tuple() as given, _):
                if not inner.name.startswith("torch._utils._rebuild_"):
                    raise DamagedError
                return self.make(inner, given)
        if made.name.startswith("builtins."):
            raise RefusedError(_MORE.format(""))
        raise DamagedError

    def _view(
        self, storage: Storage, item_bytes: int, offset: Any, shape: Any, strides: Any
    ) -> Made:
        shape, strides = _shape(shape), _shape(strides)
        if type(offset) is not int or offset < 0 or len(shape) != len(strides):
            raise DamagedError
        values = prod(shape)
        steps = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        # torch would enlarge a storage that is too small for its view, up to terabytes
        if values and (offset + steps + 1) * item_bytes > storage.count * storage.item_bytes:
            raise DamagedError
        self._tensors += 1
        if self._tensors > MOST_TENSORS:
            raise RefusedError("lists more than any genuine checkpoint holds")
        self.tensor_bytes += values * item_bytes
        return Made()


def _shape(numbers: Any) -> tuple[int, ...]:
    if type(numbers) not in (tuple, list) or len(numbers) > MOST_AXES:
        raise DamagedError
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        raise DamagedError
    return tuple(numbers)
