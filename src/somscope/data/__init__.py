"""Collections: items with ids, features, perhaps labels, and something to show; read from almost anything."""

from __future__ import annotations

from somscope.data.collection import Collection, Skipped
from somscope.data.named import get_named, list_named
from somscope.data.open import open_collection, reopen
from somscope.data.pack import pack
from somscope.data.pairs import Pairs

__all__ = ["Collection", "Pairs", "Skipped", "get_named", "list_named", "open_collection", "pack", "reopen"]
