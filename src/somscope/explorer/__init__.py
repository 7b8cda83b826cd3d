"""The explorer: a run in a browser, served to this machine alone (`somscope look RUN`)."""

from __future__ import annotations

__all__: list[str] = []
