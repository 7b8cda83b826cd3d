"""Who may ask, and what may be sent: everything else is refused with a 4xx, and the server goes on."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from explorer.conftest import Client
from somscope.errors import InputError
from somscope.explorer.guard import MOST_BYTES
from somscope.explorer.serve import bind


def alive(client: Client) -> bool:
    return client.ask("api/run").status == 200


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def png_that_declares(width: int, height: int) -> bytes:
    """A whole PNG of a few bytes whose header declares any size: a bomb where it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * min(width * height, 10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.fixture
def client(serve: Callable[[Path], Client], make_run: Callable[..., Path]) -> Client:
    return serve(make_run())


def test_nothing_is_answered_without_the_token(client: Client) -> None:
    for token in ("", "x", client.token[:-1], client.token + "x", client.token.swapcase(), "%00", ".."):
        for path in ("", "api/run", "api/items", "index.html"):
            answer = client.ask(path, token=token)
            assert answer.status in (403, 404), (token, path)
            assert client.shown is not None
            assert client.shown.run.path.name.encode() not in answer.body
    assert b" 403 " in client.raw(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % client.server.port)[:20]
    assert alive(client)


def test_only_the_own_name_is_answered(client: Client) -> None:
    port = client.server.port
    for host in (
        f"evil.example:{port}",
        "127.0.0.1",
        f"127.0.0.1:{port + 1}",
        f"[::1]:{port}",
        "",
        "localhost",
    ):
        assert client.ask("api/run", headers={"Host": host}).status in (400, 421), host
    path = f"/{client.token}/api/run"
    for lines in (b"", b"Host: 127.0.0.1:%d\r\nHost: evil.example\r\n" % port):
        answer = client.raw(b"GET " + path.encode() + b" HTTP/1.1\r\n" + lines + b"\r\n")
        assert answer[9:10] == b"4", answer[:60]
    assert client.ask("api/run", headers={"Host": f"localhost:{port}"}).status == 200


def test_pages_from_elsewhere_change_nothing(client: Client) -> None:
    body = b'{"name": "mine"}'
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{client.server.port + 1}"):
        headers = {"Origin": origin, "Content-Type": "application/json"}
        assert client.ask("api/notes/1", "PUT", body, headers).status == 403
    assert client.ask("api/run").json["notes"] == {}


def test_every_answer_forbids_what_is_from_elsewhere(client: Client) -> None:
    for answer in (client.ask("api/run"), client.ask("nothing"), client.ask("api/run", token="wrong")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "../config.json", "..%2f..%2fconfig.json", "%2e%2e/config.json", "....//config.json", "/etc/passwd",
        "%2fetc%2fpasswd", "..\\config.json", "api/../../config.json", "static/index.html", "__init__.py",
        "app.py", "api/sheet/..%2f..%2fconfig.json", "api/sheet/nothing", "api/item/-1/picture",
        "api/item/99999/picture", "api/item/1e3/picture", "api/tile/0/8/99/0", "api/tile/0/7/0/0", "docs",
        "api/tile/999/8/0/0", "api/tile/0/8/-1/0", "api/item/99999999999999999999/like", "index.html%00.js",
        "with/1/api/run", "with/0/api/run", "with/..%2fapi/run", "api/item/99999/whole", "api/item/0/bits",
    ],
)  # fmt: skip
def test_paths_lead_nowhere_else(client: Client, path: str) -> None:
    answer = client.ask(path)
    assert 400 <= answer.status < 500
    assert b"somscope" not in answer.body.replace(b"address that somscope printed", b"")
    assert alive(client)


HOSTILE = {
    "nothing": b"",
    "text": b"hello",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "svg with a declaration": b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>',
    "html": b"<html><script>alert(1)</script>",
    "pdf": b"%PDF-1.7\n" + b"0" * 100,
    "zip": b"PK\x03\x04" + b"0" * 100,
    "gif head and script": b"GIF89a=1;alert(1)//",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run",
    "bomb": png_that_declares(30_000, 30_000),
    "large": png_that_declares(9_000, 9_000),
    "no pixels": png_that_declares(0, 5),
    "truncated": png(np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))[:2000],
    "truncated jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\0" * 30,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_images_are_refused(client: Client, name: str) -> None:
    answer = client.ask("api/place", "POST", HOSTILE[name])
    assert answer.status == 400, answer.body[:200]
    assert len(answer.json["detail"]) > 10
    assert alive(client)


def test_a_polyglot_is_an_image_and_nothing_else(client: Client) -> None:
    """A picture with a script behind it is placed by its pixels; what is behind it never comes back."""
    picture = png(np.full((28, 28), 90, np.uint8))
    plain = client.ask("api/place", "POST", picture)
    both = client.ask("api/place", "POST", picture + b"<script>alert(1)</script>")
    assert plain.status == both.status == 200
    assert plain.body == both.body


def test_too_much_is_refused(client: Client) -> None:
    answer = client.raw(
        f"POST /{client.token}/api/place HTTP/1.1\r\nHost: 127.0.0.1:{client.server.port}\r\n"
        f"Content-Length: {MOST_BYTES + 1}\r\n\r\n".encode()
    )
    assert answer[9:12] == b"413"
    head = f"POST /{client.token}/api/place HTTP/1.1\r\nHost: 127.0.0.1:{client.server.port}\r\n".encode()
    chunk = b"100000\r\n" + b"\0" * 2**20 + b"\r\n"
    try:
        answer = client.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 21 + b"0\r\n\r\n")
        assert answer[9:12] == b"413"
    except ConnectionError:  # it may hang up before everything was sent
        pass
    assert alive(client)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    data=st.binary(max_size=300),
    head=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"GIF89a"]),
)
def test_no_bytes_bring_it_down(client: Client, data: bytes, head: bytes) -> None:
    assert client.ask("api/place", "POST", head + data).status in (200, 400)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    ),
    place=st.sampled_from(["api/decode", "api/notes/1"]),
    part=st.sampled_from([None, "weights", "offsets", "name", "note"]),
)
def test_no_json_brings_it_down(client: Client, value: object, place: str, part: str | None) -> None:
    sent = value if part is None else {"weights": {"0": 1}, part: value}
    method = "PUT" if "notes" in place else "POST"
    assert client.send(place, sent, method).status in (200, 400, 422)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(mask=st.binary(max_size=60), kind=st.sampled_from(["parquet", "paths", "csv", "..", "paths%00"]))
def test_no_choice_brings_it_down(client: Client, mask: bytes, kind: str) -> None:
    status = client.ask(f"api/export/{kind}", "POST", mask).status
    if kind in ("parquet", "paths"):
        assert status == (200 if len(mask) == 38 else 400)  # 300 items
    else:
        assert 400 <= status < 500


def test_the_next_port_is_taken_and_only_this_machine_is_served() -> None:
    first = bind(0)
    port = first.getsockname()[1]
    try:
        second = bind(port)
        assert second.getsockname() != first.getsockname()
        assert second.getsockname()[0] == "127.0.0.1"
        second.close()
    finally:
        first.close()
    with pytest.raises(InputError, match="in use"):
        bind(70_000)
