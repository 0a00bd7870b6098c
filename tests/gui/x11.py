"""What a person does to a window by its frame, said to the window manager in X11's own words."""

import ctypes
import ctypes.util
from itertools import count

_KEY_PRESS, _KEY_RELEASE, _CONTROL = 2, 3, 1 << 2
_times = count(1000, 1000)
_CLIENT_MESSAGE, _SUBSTRUCTURE = 33, (1 << 19) | (1 << 20)


class _ClientMessage(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 12),  # as large as any event
    )


class _Key(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        *((name, ctypes.c_ulong) for name in ("window", "root", "subwindow", "time")),
        *((name, ctypes.c_int) for name in ("x", "y", "x_root", "y_root")),
        ("state", ctypes.c_uint),
        ("keycode", ctypes.c_uint),
        ("same_screen", ctypes.c_int),
        ("padding", ctypes.c_long * 12),
    )


def _open_display():
    x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XDefaultRootWindow.restype = x11.XInternAtom.restype = ctypes.c_ulong
    x11.XStringToKeysym.restype = ctypes.c_ulong
    x11.XKeysymToKeycode.restype = ctypes.c_ubyte
    x11.XKeysymToKeycode.argtypes = (ctypes.c_void_p, ctypes.c_ulong)
    return x11, ctypes.c_void_p(x11.XOpenDisplay(None))


def type_key(window: int, name: str, control: bool = False) -> None:
    """Let the X server queue a key for a window, pressed and released; returns at once.

    Parameters
    ----------
    window : int
    name : str
        As X calls the key, such as ``Page_Down``.
    control : bool
        Whether Control is held.
    """
    x11, display = _open_display()
    root = x11.XDefaultRootWindow(display)
    code = x11.XKeysymToKeycode(display, x11.XStringToKeysym(name.encode()))
    for kind in (_KEY_PRESS, _KEY_RELEASE):
        event = _Key(
            type=kind,
            display=display,
            window=window,
            root=root,
            time=next(_times),  # of one and the same time Qt takes the second for a repeat
            state=_CONTROL if control else 0,
            keycode=code,
            same_screen=1,
        )
        x11.XSendEvent(
            display, ctypes.c_ulong(window), False, ctypes.c_long(0), ctypes.byref(event)
        )
    x11.XSync(display, False)
    x11.XCloseDisplay(display)


def ask_window_manager(window: int, what: str, *data: int) -> None:
    """Send the window manager a request for a window: ``_NET_CLOSE_WINDOW`` is a click on its X."""
    x11, display = _open_display()
    root = ctypes.c_ulong(x11.XDefaultRootWindow(display))
    message = _ClientMessage(
        type=_CLIENT_MESSAGE,
        window=window,
        message_type=x11.XInternAtom(display, what.encode(), False),
        format=32,
        data=(ctypes.c_long * 5)(*data),
    )
    x11.XSendEvent(display, root, False, ctypes.c_long(_SUBSTRUCTURE), ctypes.byref(message))
    x11.XCloseDisplay(display)
