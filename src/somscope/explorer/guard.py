"""What stands before every request: who may ask, how much may be sent, and what a page may load.

A page on the web can make a browser ask this machine. So each address begins with a token that such a page cannot
know; the name that the browser asked for must be this machine's own (otherwise another name could be pointed at it:
DNS rebinding); and a request that changes something must not come from another page.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

__all__ = ["MOST_BYTES", "Guard", "new_token"]

MOST_BYTES = 20 * 2**20  # of what may be sent
_TOO_MUCH = f"more than {MOST_BYTES // 2**20} MB were sent"
# Nothing from elsewhere, no code that is not a file of ours; pictures are also made in the page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),  # the address holds the token
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def new_token() -> str:
    """A random word of 192 bits that can stand in an address."""
    return secrets.token_urlsafe(24)


class Guard:
    """An ASGI application before another: it answers 4xx itself, or hands on what comes after the token.

    token: the first part of every path. hosts: the values of Host that are allowed, such as "127.0.0.1:8000".
    """

    def __init__(self, app: Any, token: str, hosts: frozenset[str]) -> None:
        self.app, self.token, self.hosts = app, token, hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets
            return
        problem = self._problem(scope)
        if problem is not None:
            await _refuse(send, *problem)
            return
        inner = dict(scope)
        inner["path"] = "/" + scope["path"][len(self.token) + 2 :]
        inner["raw_path"] = inner["path"].encode("utf-8", "surrogateescape")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        await self.app(inner, _limited(receive), guarded)

    def _problem(self, scope: Message) -> tuple[int, str] | None:
        """Status and reason for which a request is refused; None where it is not."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        host = [value.decode("latin-1").lower() for value in headers.get(b"host", [])]
        if len(host) != 1 or host[0] not in self.hosts:
            return 421, "this server answers only to the address that somscope printed"
        first = scope["path"].split("/")[1:2]
        if not hmac.compare_digest("".join(first).encode("utf-8", "replace"), self.token.encode()):
            return 403, "the token of the address is missing or wrong: use the address that somscope printed"
        if scope["path"] == f"/{self.token}":
            return 404, "the address ends with /"
        if scope["method"] not in ("GET", "HEAD"):
            origin = [value.decode("latin-1").lower() for value in headers.get(b"origin", [])]
            if any(value.removeprefix("http://") not in self.hosts for value in origin):
                return 403, "a page from elsewhere may not change anything here"
        length = headers.get(b"content-length", [b"0"])[0]
        if not length.isdigit():
            return 400, "content-length is not a number"
        if int(length) > MOST_BYTES:
            return 413, _TOO_MUCH
        return None


def _limited(receive: Receive) -> Receive:
    """`receive` that raises once more than MOST_BYTES came, whatever content-length said."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise HTTPException(413, _TOO_MUCH)
        return message

    return limited


async def _refuse(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"detail": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})
