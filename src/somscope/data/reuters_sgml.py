"""Reuters-21578 as D. Lewis distributes it: 22 SGML files (reut2-000.sgm ...), or reuters21578.tar.gz of them."""

from __future__ import annotations

import html
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from somscope.errors import DataError

__all__ = ["SGML_FILES", "SGML_TAR", "parse_stories", "read_sgml"]

SGML_FILES = tuple(f"reut2-{number:03d}.sgm" for number in range(22))
SGML_TAR = "reuters21578.tar.gz"
_N_STORIES = 21_578
_MAX_FILE_BYTES = 16 * 1024**2  # the largest of the 22 files has 1.6 MB
_STORY = re.compile(r"<REUTERS\b([^>]*)>(.*?)</REUTERS>", re.DOTALL)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_NUMBER = re.compile(r"[0-9]{1,9}")
_TOPIC = re.compile(r"<D>(.*?)</D>", re.DOTALL)


def read_sgml(folder: Path) -> pa.Table:
    """All stories: id, lewis_split (train, test, not_used), has_topics, title, body, topics (list).

    Raises DataError when a file is missing or broken, or there are not 21,578 stories.
    """
    stories = [story for text in _texts(folder) for story in parse_stories(text)]
    if len(stories) != _N_STORIES:
        raise DataError(f"{folder} holds {len(stories):,} Reuters stories, expected {_N_STORIES:,}")
    return pa.Table.from_pylist(sorted(stories, key=lambda story: story["id"]))


def parse_stories(text: str) -> Iterator[dict[str, Any]]:
    """The stories in one SGML file. Raises DataError for one without a number, its part, or whether it has topics."""
    for match in _STORY.finditer(text):
        attributes = dict(_ATTRIBUTE.findall(match[1]))
        numbered = _NUMBER.fullmatch(attributes.get("NEWID", ""))
        if not numbered or not {"LEWISSPLIT", "TOPICS"} <= attributes.keys():
            raise DataError(
                f"a Reuters story begins with <REUTERS{match[1][:200]}>; needed: LEWISSPLIT, TOPICS, a number NEWID"
            )
        inside = match[2]
        body = _element(inside, "BODY")
        yield {
            "id": int(attributes["NEWID"]),
            "lewis_split": attributes["LEWISSPLIT"].lower().replace("-", "_"),
            "has_topics": attributes["TOPICS"] == "YES",
            "title": _element(inside, "TITLE"),
            "body": body or re.sub(r"<[^>]*>", " ", _element(inside, "TEXT", unescape=False)).strip(),
            "topics": _TOPIC.findall(_element(inside, "TOPICS", unescape=False)),
        }


def _element(text: str, name: str, unescape: bool = True) -> str:
    match = re.search(rf"<{name}\b[^>]*>(.*?)</{name}>", text, re.DOTALL)
    content = match[1] if match else ""
    return (
        html.unescape(re.sub(r"&#\d+;", " ", content)).strip() if unescape else content
    )  # &#3; ends each body


def _texts(folder: Path) -> Iterator[str]:
    archive = folder / SGML_TAR
    try:
        if not archive.is_file():
            for name in SGML_FILES:
                if (folder / name).stat().st_size > _MAX_FILE_BYTES:
                    raise DataError(f"{folder / name} is larger than {_MAX_FILE_BYTES:,} bytes")
                yield (folder / name).read_text(encoding="latin-1")
            return
        with tarfile.open(archive) as tar:
            members = {Path(member.name).name: member for member in tar.getmembers() if member.isfile()}
            for name in SGML_FILES:
                file = tar.extractfile(members[name]) if name in members else None
                if file is None or members[name].size > _MAX_FILE_BYTES:
                    raise DataError(f"{archive} has no usable {name}")
                yield file.read().decode("latin-1")
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"Reuters-21578 in {folder} cannot be read: {error}") from error
