"""Broken copies of a file's content: bits, lengths and pieces of bytes; numbers and structure of JSON."""

from __future__ import annotations

import json
from random import Random
from typing import Any

__all__ = ["broken"]

_NUMBERS = (0, 1, 2, 127, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**40, 2**63, 10**30, 1e308, -0.5, "", "x", "\x00", "../../x", [], [[]], {}, [0] * 9,
    {"a": None}, "9" * 400,
)  # fmt: skip
_DEEP = 100_000


def broken(content: bytes, random: Random) -> bytes:
    """The content with one to three things changed."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        changed = _as_json(content, random) if random.random() < 0.5 else None
        content = _as_bytes(content, random) if changed is None else changed
    return content


def _as_bytes(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    kind = random.choice(
        ("flip", "flip", "byte", "number", "number", "cut", "drop", "repeat", "insert", "swell")
    )
    if kind == "cut":
        return content[:at]
    if kind == "drop":
        return content[:at] + content[at + random.choice((1, 4, 64)) :]
    if kind == "repeat":
        return content[:at] + content[max(0, at - random.choice((1, 8, 512))) : at] + content[at:]
    if kind == "insert":
        return content[:at] + random.randbytes(random.choice((1, 4, 16))) + content[at:]
    if kind == "swell":
        return content + bytes(random.choice((1, 100, 100_000)))
    if at == len(content):
        return content
    if kind == "number":
        width, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
        number = random.choice(_NUMBERS) % 2 ** (8 * width)
        return content[:at] + number.to_bytes(width, order) + content[at + width :]
    value = content[at] ^ 1 << random.randrange(8) if kind == "flip" else random.randrange(256)
    return content[:at] + bytes([value]) + content[at + 1 :]


def _as_json(content: bytes, random: Random) -> bytes | None:
    """JSON, or safetensors with JSON at its head, with one value replaced, dropped or nested; None for others."""
    head, rest = content, b""
    length = int.from_bytes(content[:8], "little")
    framed = 8 < 8 + length <= len(content)
    if framed:
        head, rest = content[8 : 8 + length], content[8 + length :]
    try:
        value = json.loads(head)
    except (ValueError, RecursionError):
        return None
    text = b"[" * _DEEP if random.random() < 0.05 else json.dumps(_changed(value, random)).encode()
    return len(text).to_bytes(8, "little") + text + rest if framed else text


def _changed(value: Any, random: Random) -> Any:
    """`value` with something in it replaced, or left out."""
    if isinstance(value, str) and value[:1] in ("{", "[") and random.random() < 0.8:  # JSON within JSON
        try:
            return json.dumps(_changed(json.loads(value), random))
        except ValueError:
            pass
    if isinstance(value, dict | list) and value and random.random() < 0.85:
        places: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        place = random.choice(places)
        copy: Any = value.copy()
        if random.random() < 0.1:
            del copy[place]
        else:
            copy[place] = _changed(copy[place], random)
        return copy
    return random.choice(_VALUES)
