"""What a person does to a window by its frame, said to the window manager in X11's own words."""

import ctypes
import ctypes.util

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


def ask_window_manager(window: int, what: str, *data: int) -> None:
    """Send the window manager a request for a window: ``_NET_CLOSE_WINDOW`` is a click on its X."""
    x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XDefaultRootWindow.restype = x11.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
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
