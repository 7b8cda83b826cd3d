"""Columns as one binary message: a browser reads them as typed arrays, without parsing a number.

The message: the four bytes "SSC1", the length of the header (uint32), the header as JSON in UTF-8 padded with spaces
to a multiple of 8, then the values of each column, each beginning at a multiple of 8. All little-endian. The header is
{"meta": {...}, "columns": [{"name", "type", "length", "offset"}]}: type one of i4, u4, u1, f4; length in values;
offset in bytes from the end of the header.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAGIC", "MEDIA_TYPE", "pack_columns", "text_columns"]

MAGIC = b"SSC1"
MEDIA_TYPE = "application/octet-stream"
_TYPES = {"i4": "<i4", "u4": "<u4", "u1": "u1", "f4": "<f4"}


def pack_columns(columns: Mapping[str, NDArray[Any]], meta: Mapping[str, Any] | None = None) -> bytes:
    """The message of these one-dimensional arrays: whole numbers as int32 (uint8 and uint32 as they are), others as
    float32. meta: anything that JSON can hold."""
    described, parts, offset = [], [], 0
    for name, values in columns.items():
        kind = _type_of(values)
        data = np.ascontiguousarray(values, dtype=_TYPES[kind]).tobytes()
        described.append({"name": name, "type": kind, "length": len(values), "offset": offset})
        parts.append(data + b"\0" * (-len(data) % 8))
        offset += len(parts[-1])
    header = json.dumps({"meta": dict(meta or {}), "columns": described}, allow_nan=False).encode()
    header += b" " * (-len(header) % 8)
    return b"".join([MAGIC, struct.pack("<I", len(header)), header, *parts])


def text_columns(name: str, texts: Sequence[str | None]) -> dict[str, NDArray[Any]]:
    """Strings as two columns: `name` their bytes in UTF-8 one after another, and `name`.ends where each ends (n,)."""
    encoded = [(text or "").encode("utf-8", "replace") for text in texts]
    ends = np.cumsum([len(part) for part in encoded], dtype=np.uint32)
    return {name: np.frombuffer(b"".join(encoded), np.uint8), f"{name}.ends": ends}


def _type_of(values: NDArray[Any]) -> str:
    if values.dtype == np.uint8:
        return "u1"
    if values.dtype == np.uint32:
        return "u4"
    return "i4" if values.dtype.kind in "iub" else "f4"
