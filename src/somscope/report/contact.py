"""Contact sheets: rows of pictures with a line below each, in one HTML file that opens offline."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from somscope import __version__
from somscope.atomic import whole_file

__all__ = ["Card", "Group", "write_contact_sheet"]

_KINDS = {b"\x89PNG": "png", b"RIFF": "webp"}


@dataclass(frozen=True)
class Card:
    """A picture (PNG or WebP bytes; None where there is none), a line, and a fainter second one."""

    picture: bytes | None
    title: str
    note: str = ""

    @property
    def uri(self) -> str:
        """The picture as the page holds it."""
        if self.picture is None:
            return ""
        kind = _KINDS.get(self.picture[:4], "png")
        return f"data:image/{kind};base64,{base64.b64encode(self.picture).decode('ascii')}"


@dataclass(frozen=True)
class Group:
    """Cards that belong together. wide: large pictures, such as figures."""

    title: str
    cards: Sequence[Card]
    wide: bool = False


def write_contact_sheet(
    path: Path, title: str, facts: Sequence[tuple[str, str]], groups: Sequence[Group]
) -> Path:
    """Write the sheet, whole or not at all. facts: what stands at its head, name by name."""
    environment = Environment(
        loader=PackageLoader("somscope.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("contact.html.j2").render(
        title=title, facts=facts, groups=groups, version=__version__
    )
    with whole_file(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    return path
