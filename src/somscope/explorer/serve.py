"""Serving the explorer to this machine: a free port, an address with a token, and a browser that opens it."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from somscope.errors import InputError

__all__ = ["FIRST_PORT", "Server", "bind"]

FIRST_PORT = 8765
_TRIED = 50
_HOST = "127.0.0.1"


def bind(port: int | None = None) -> socket.socket:
    """A listening socket of this machine alone, on `port` or the first free one after it.

    port: None begins at FIRST_PORT; 0 lets the system choose. Raises InputError where none of 50 is free.
    """
    first = FIRST_PORT if port is None else port
    for number in [0] if first == 0 else range(first, min(first + _TRIED, 65536)):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_HOST, number))
            listening.listen(128)
        except OSError:
            listening.close()
            continue
        return listening
    raise InputError(f"port {first} and the {_TRIED - 1} after it are in use: choose another with --port")


class Server:
    """The explorer of one run on one socket, until `stop`."""

    def __init__(self, build: Callable[[str, frozenset[str]], Any], port: int | None = None) -> None:
        """build: makes the application of a token and the allowed hosts."""
        import uvicorn

        from somscope.explorer.guard import new_token

        self._socket = bind(port)
        self.port = int(self._socket.getsockname()[1])
        token = new_token()
        self.url = f"http://{_HOST}:{self.port}/{token}/"
        hosts = frozenset(f"{name}:{self.port}" for name in (_HOST, "localhost"))
        config = uvicorn.Config(
            build(token, hosts),
            log_level="error",
            access_log=False,  # addresses hold the token
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def run(self, browse: bool = True) -> None:
        """Serve until Ctrl-C; the browser is opened first, as requests wait in the socket."""
        if browse:
            threading.Thread(target=webbrowser.open, args=(self.url,), daemon=True).start()
        with closing(self._socket), suppress(KeyboardInterrupt):  # which is how it ends
            self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Serve in another thread."""
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End what `start` began."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        self._socket.close()
