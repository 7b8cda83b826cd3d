"""The members of every unit as the gallery lists them: which ones, in what words, and as what pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from somscope.report.safe_json import safe_json, short
from somscope.report.sheets import Pictures, Sheet, encode_sheets
from somscope.report.summary import MapSummary

__all__ = ["MOST_LISTED", "Members", "list_members", "most_listed", "most_per_unit"]

MOST_LISTED = 20_000  # items in one report; beyond it each unit lists its nearest and its farthest members
_LONGEST_ID = 160  # characters
_TEXT_LENGTHS = (300, 160, 80)


@dataclass(frozen=True)
class Members:
    """One JSON text per unit for the page, and the notes that say what was left out or made smaller."""

    units: list[Markup]
    notes: list[str]


def most_per_unit(hits: NDArray[np.integer], most: int = MOST_LISTED) -> int:
    """The largest number per unit such that at most `most` items are listed in all; at least 1."""
    low, high = 1, max(1, int(hits.max(initial=0)))
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(hits, middle).sum() <= most:
            low = middle
        else:
            high = middle - 1
    return low


def most_listed(summary: MapSummary) -> NDArray[np.int64]:
    """The items that a report lists at most, by unit; the nearest of each unit is among them."""
    cap = most_per_unit(summary.hits)
    return np.concatenate([_choose(summary.members(unit), cap) for unit in range(len(summary.hits))])


def list_members(
    summary: MapSummary,
    budget: int,
    pictures: Pictures | None = None,
    texts: list[str | None] | None = None,
) -> Members:
    """The members of each unit within `budget` bytes.

    pictures: for images, of at least the items that `most_listed` gives; texts: (n,) for text. First all members (up
    to MOST_LISTED items) with pictures in the best encoding that fits, or texts in full; then less and less of each;
    then fewer members.
    """
    cap = most_per_unit(summary.hits)
    while True:
        chosen = [_choose(summary.members(unit), cap) for unit in range(len(summary.hits))]
        for length in _TEXT_LENGTHS if texts is not None else (0,):
            records = [_record(summary, items, texts, length) for items in chosen]
            plain = [safe_json(record) for record in records]
            left = budget - sum(len(text.encode()) for text in plain)
            note = _left_out(summary, cap)
            if texts is not None and length < _TEXT_LENGTHS[0]:
                note += [f"Texts are cut after {length} characters, so that this file stays small."]
            if left >= 0 and pictures is None:
                return Members(plain, note)
            if left >= 0 and pictures is not None:
                encoded = encode_sheets([pictures.of(items) for items in chosen], left - 120 * len(chosen))
                if encoded is not None:
                    sheets, encoding = encoded
                    if encoding.quality is not None:
                        note += [f"Pictures are stored with {encoding}, so that this file stays small."]
                    return Members(_with_sheets(records, sheets), note)
        if cap == 1:
            return Members(
                [safe_json({"n": 0})] * len(chosen), ["Members are not listed: they would not fit."]
            )
        cap = max(1, cap // 2)


def _choose(items: NDArray[np.int64], cap: int) -> NDArray[np.int64]:
    """All items, or three quarters of `cap` from the near end and one from the far end."""
    if len(items) <= cap:
        return items
    far = cap // 4
    return np.concatenate([items[: cap - far], items[len(items) - far :]])


def _left_out(summary: MapSummary, cap: int) -> list[str]:
    shown = int(np.minimum(summary.hits, cap).sum())
    if shown == len(summary.ids):
        return []
    return [
        f"{shown:,} of {len(summary.ids):,} items are listed, so that this file stays small: at most {cap} per unit, "
        f"the {cap - cap // 4} nearest to the prototype and the {cap // 4} farthest."
    ]


def _record(
    summary: MapSummary, items: NDArray[np.int64], texts: list[str | None] | None, length: int
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "n": len(items),
        "ids": [_cut(summary.ids[i], _LONGEST_ID) for i in items.tolist()],
        "distances": short(summary.distances[items]),
        "percentiles": short(np.round(summary.percentiles[items], 1)),
        "seconds": summary.second_units[items].tolist(),
    }
    if summary.class_names:
        record["labels"] = summary.labels[items].tolist()
    if texts is not None:
        record["texts"] = [_cut(texts[i] or "", length) for i in items.tolist()]
    return record


def _with_sheets(records: list[dict[str, Any]], sheets: list[Sheet | None]) -> list[Markup]:
    return [
        safe_json(record | ({"sheet": sheet.record()} if sheet else {}))
        for record, sheet in zip(records, sheets, strict=True)
    ]


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
