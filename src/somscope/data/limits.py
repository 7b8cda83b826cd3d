"""What is refused as too large, so that one hostile or broken file cannot exhaust the memory."""

from __future__ import annotations

__all__ = ["MAX_ARRAY_BYTES", "MAX_IMAGE_BYTES", "MAX_IMAGE_PIXELS", "MAX_TEXT_BYTES"]

MAX_ARRAY_BYTES = 16 * 1024**3
"""Bytes that one IDX file, npz member, table or stack of images may declare (16 GiB)."""

MAX_IMAGE_PIXELS = 100_000_000
"""Pixels that one image may declare (100 megapixels); a larger one is skipped and named, not decoded."""

MAX_IMAGE_BYTES = 512 * 1024**2
"""Bytes that one image in a tar may have (512 MiB); a larger one is skipped and named, not read."""

MAX_TEXT_BYTES = 1024**3
"""Bytes that one text file may have (1 GiB)."""
