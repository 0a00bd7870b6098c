"""Follow a checkpoint's pickle without making anything: only sizes, shapes and names come of it.

torch's own reader (``weights_only=True``) runs no foreign code, but it makes what it is told to
make: a byte array of terabytes, a view larger than its storage, a key whose hash takes for ever.
So every step is first done here with stand-ins, in time and memory that the length of the pickle
bounds. The instructions are those that torch 2.6 to 2.15 takes; the meaning of each is in
``pickletools`` of the standard library.
"""

import pickle
import struct
from collections.abc import Callable
from typing import Any

from fetal_iqa_models.untrusted.bounds import MOST_STEPS
from fetal_iqa_models.untrusted.stand_ins import Named, StandIns, Storage, plain_key
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError

_WRONG = (IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError, struct.error)
"""What following a damaged pickle raises; a UnicodeDecodeError is a ValueError."""


class PickleReader:
    """Follows the pickles of one checkpoint, one behind the other.

    Parameters
    ----------
    content : bytes
        Begins with a pickle.
    make_storage : callable
        Takes a persistent id, which is a tuple, and returns the storage that it means.

    Attributes
    ----------
    position : int
        Behind what was read.
    """

    def __init__(self, content: bytes, make_storage: Callable[[tuple[Any, ...]], Storage]) -> None:
        self.position = 0
        self._content = content
        self._make_storage = make_storage
        self._stand_ins = StandIns(work=len(content))
        self._steps = 0

    @property
    def tensor_bytes(self) -> int:
        """Bytes of all tensors that the pickles list, each written out."""
        return self._stand_ins.tensor_bytes

    def read(self) -> Any:
        """Follow one pickle to its end.

        Raises
        ------
        DamagedError
        RefusedError
            Where it holds more than tensors, names, numbers and texts, or too many.
        """
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        try:
            while (step := self._take(1)[0]) != pickle.STOP[0]:
                self._steps += 1
                if self._steps > MOST_STEPS:
                    raise RefusedError("lists more than any genuine checkpoint holds")
                _STEPS[step](self)
            return self._stack.pop()
        except _WRONG as error:
            raise DamagedError from error

    def _take(self, length: int) -> bytes:
        found = self._content[self.position : self.position + length]
        if len(found) < length:
            raise DamagedError
        self.position += length
        return found

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        # of a name; longer than any, and no search through megabytes at every step
        end = self._content.index(b"\n", self.position, self.position + 1000)
        return self._take(end + 1 - self.position)[:-1].decode()

    def _pop_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._below.pop()
        return items

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _protocol(self) -> None:
        if self._take(1) != b"\x02":
            raise RefusedError(
                "is written with another pickle protocol than 2; save it again with torch's own"
            )

    def _mark(self) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _tuple(self, length: int) -> None:
        items = tuple(self._stack[-length:])
        if len(items) < length:
            raise DamagedError
        self._stack[-length:] = [items]

    def _append(self) -> None:
        item = self._stack.pop()
        self._list().append(item)

    def _appends(self) -> None:
        items = self._pop_mark()
        self._list().extend(items)

    def _list(self) -> list[Any]:
        if type(self._stack[-1]) is not list:
            raise DamagedError
        return self._stack[-1]

    def _set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def _set(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not dict:
            raise DamagedError
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._stack[-1][plain_key(key)] = value

    def _build(self) -> None:
        state = self._stack.pop()
        # the state of an ordered dict, which is one of attributes: none counts here
        if type(self._stack[-1]) is not dict or type(state) is not dict:
            raise DamagedError
        self._stand_ins.spend(len(state))

    def _reduce(self) -> None:
        arguments, made = self._stack.pop(), self._stack.pop()
        if type(made) is not Named or type(arguments) is not tuple:
            raise DamagedError
        self._push(self._stand_ins.make(made, arguments))

    def _new_object(self) -> None:
        raise RefusedError("holds objects of programs; save its state_dict alone")

    def _global(self) -> None:
        self._push(self._stand_ins.find(self._line(), self._line()))

    def _persistent(self) -> None:
        identity = self._stack.pop()
        if type(identity) is not tuple:
            raise DamagedError
        self._push(self._make_storage(identity))

    def _remember(self, place: int) -> None:
        self._memo[place] = self._stack[-1]


_Step = Callable[[PickleReader], None]


def _constant(value: Any) -> _Step:
    return lambda reader: reader._push(value)


def _number(form: str) -> _Step:
    return lambda reader: reader._push(reader._number(form))


def _counted(form: str, convert: Callable[[bytes], Any]) -> _Step:
    return lambda reader: reader._push(convert(reader._take(reader._number(form))))


_STEPS: dict[int, _Step] = {
    code[0]: step
    for code, step in {
        pickle.PROTO: PickleReader._protocol,
        pickle.MARK: PickleReader._mark,
        pickle.GLOBAL: PickleReader._global,
        pickle.BINPERSID: PickleReader._persistent,
        pickle.REDUCE: PickleReader._reduce,
        pickle.BUILD: PickleReader._build,
        pickle.NEWOBJ: PickleReader._new_object,
        pickle.APPEND: PickleReader._append,
        pickle.APPENDS: PickleReader._appends,
        pickle.SETITEM: PickleReader._set_item,
        pickle.SETITEMS: lambda reader: reader._set(reader._pop_mark()),
        pickle.EMPTY_TUPLE: _constant(()),
        pickle.TUPLE: lambda reader: reader._push(tuple(reader._pop_mark())),
        pickle.TUPLE1: lambda reader: reader._tuple(1),
        pickle.TUPLE2: lambda reader: reader._tuple(2),
        pickle.TUPLE3: lambda reader: reader._tuple(3),
        pickle.EMPTY_LIST: lambda reader: reader._push([]),
        pickle.EMPTY_DICT: lambda reader: reader._push({}),
        pickle.EMPTY_SET: lambda reader: reader._push(set()),
        pickle.NONE: _constant(None),
        pickle.NEWTRUE: _constant(True),
        pickle.NEWFALSE: _constant(False),
        pickle.BININT: _number("<i"),
        pickle.BININT1: _number("<B"),
        pickle.BININT2: _number("<H"),
        pickle.BINFLOAT: _number(">d"),
        pickle.LONG1: _counted("<B", pickle.decode_long),
        pickle.SHORT_BINSTRING: _counted("<B", lambda raw: raw.decode("utf-8")),
        pickle.BINUNICODE: _counted("<I", lambda raw: raw.decode("utf-8", "surrogatepass")),
        pickle.BINPUT: lambda reader: reader._remember(reader._number("<B")),
        pickle.LONG_BINPUT: lambda reader: reader._remember(reader._number("<I")),
        pickle.BINGET: lambda reader: reader._push(reader._memo[reader._number("<B")]),
        pickle.LONG_BINGET: lambda reader: reader._push(reader._memo[reader._number("<I")]),
    }.items()
}
