"""What the explorer answers over HTTP: the page, columns, pictures, and questions about the run."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

import somscope
from somscope.errors import InputError, RunError
from somscope.explorer.columns import MEDIA_TYPE
from somscope.explorer.export import KINDS, export_rows
from somscope.explorer.guard import Guard
from somscope.explorer.live import Live
from somscope.explorer.notes import LONGEST_NAME, LONGEST_NOTE
from somscope.explorer.search import Search
from somscope.explorer.shown import Shown, open_shown

__all__ = ["explorer_api", "explorer_app"]

_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css"}
_BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
}
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}}},
    404: {"description": "There is no such picture."},
}
_BINARY_BODY = {
    "requestBody": {
        "required": True,
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ROWS: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in KINDS.values()}},
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"description": "What was asked for or sent cannot be used."}
}
_INDEX = Path(ge=0, le=2**31 - 1)


class LatticeRecord(BaseModel):
    """Where the units lie."""

    rows: int
    columns: int
    shape: str
    toroidal: bool
    graph: bool
    period: list[float]
    words: str


class Sheets(BaseModel):
    """Pictures with one cell for each unit, in rows of `columns`."""

    names: list[str]
    side: int
    columns: int


class NoteRecord(BaseModel):
    """What a person called a unit and wrote about it."""

    name: str = Field("", max_length=LONGEST_NAME)
    note: str = Field("", max_length=LONGEST_NOTE)


class RunRecord(BaseModel):
    """What the page must know first."""

    version: str
    name: str
    title: str
    maps: list[str]
    folder: str
    kind: str
    model: str
    n_items: int
    clusters: bool
    lattice: LatticeRecord
    distance_unit: str
    label_names: list[str]
    label_colours: list[str]
    ramp: list[str]
    diverging: list[str]
    sheets: Sheets
    tile_sizes: list[int]
    thumbnails: bool
    measured: bool
    bits: int
    search_image: bool
    decode: bool
    code_dimensions: int
    measures: dict[str, float]
    problems: list[str]
    notes: dict[str, NoteRecord]


class Reasons(BaseModel):
    """Dimensions in which two items agree and differ most."""

    agree: list[str]
    differ: list[str]


class Alike(BaseModel):
    """The items most like one, the nearest first."""

    items: list[int]
    distances: list[float]
    reasons: list[Reasons]


class Mixture(BaseModel):
    """A point between units: unit -> weight, and how far it is moved along dimensions of the code."""

    weights: dict[int, float] = Field(max_length=64)
    offsets: dict[int, float] = Field(default_factory=dict, max_length=4096)


class Forming(BaseModel):
    """The map in the newest checkpoint of a training: places of the units, and their U-matrix."""

    step: int
    hexagonal: bool
    x: list[float]
    y: list[float]
    u_matrix: list[float | None]


class Progress(BaseModel):
    """How a training goes on: its last rows, each name -> number, and its map as far as it has formed."""

    running: bool
    finished: bool
    rows: list[dict[str, float | str | None]]
    forming: Forming | None = None


class Opened:
    """The run that is shown: one that is there, or one that is opened when its training has written it."""

    def __init__(self, shown: Shown | None, live: Live | None) -> None:
        self._lock, self._live = threading.Lock(), live
        self._search = None if shown is None else Search(shown)

    @property
    def search(self) -> Search:
        """Questions to the run. Raises InputError while there is none."""
        with self._lock:
            if self._search is None:
                if self._live is None or not self._live.finished:
                    raise InputError("the training has not finished: there is no map yet")
                self._search = Search(open_shown(self._live.run))
            return self._search

    @property
    def shown(self) -> Shown:
        """The run. Raises InputError while there is none."""
        return self.search.shown


def explorer_api(
    maps: Sequence[Shown], live: Live | None = None, names: Sequence[str] | None = None
) -> FastAPI:
    """The application, without the guard before it, of the first map; the others answer below /with/1/, /with/2/, ...

    maps: none while the run is still being trained (`live`). names: of all maps, where these are some of them.
    """
    titles = list(names) if names is not None else [one.title for one in maps] if len(maps) > 1 else []
    app = FastAPI(title="somscope explorer", version=somscope.__version__, docs_url=None, redoc_url=None)
    opened = Opened(maps[0] if maps else None, live)

    @app.exception_handler(InputError)
    def refused(request: Request, error: InputError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 400)

    @app.exception_handler(RunError)
    def failed(request: Request, error: RunError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 409)

    @app.get("/api/run", responses=_REFUSED)
    def run() -> RunRecord:
        return RunRecord.model_validate(opened.shown.record() | {"maps": titles})

    @app.get("/api/items", responses=_BINARY | _REFUSED, response_class=Response)
    def items() -> Response:
        return Response(opened.shown.items(), media_type=MEDIA_TYPE)

    @app.get("/api/units", responses=_BINARY | _REFUSED, response_class=Response)
    def units() -> Response:
        return Response(opened.shown.units(), media_type=MEDIA_TYPE)

    @app.get("/api/layers", responses=_BINARY | _REFUSED, response_class=Response)
    def layers() -> Response:
        return Response(opened.shown.layers(), media_type=MEDIA_TYPE)

    @app.get("/api/sheet/{name}", responses=_PICTURE | _REFUSED, response_class=Response)
    def sheet(name: str) -> Response:
        return _picture(opened.shown.sheet(name))

    @app.get("/api/item/{item}/picture", responses=_PICTURE | _REFUSED, response_class=Response)
    def item_picture(item: Annotated[int, _INDEX]) -> Response:
        return _picture(opened.shown.item_picture(item))

    @app.get("/api/item/{item}/whole", responses=_PICTURE | _REFUSED, response_class=Response)
    def whole(item: Annotated[int, _INDEX]) -> Response:
        return _picture(opened.shown.whole_picture(item))

    @app.get("/api/tile/{unit}/{size}/{row}/{column}", responses=_PICTURE | _REFUSED, response_class=Response)
    def tile(
        unit: Annotated[int, _INDEX],
        size: Annotated[int, _INDEX],
        row: Annotated[int, _INDEX],
        column: Annotated[int, _INDEX],
    ) -> Response:
        thumbnails = opened.shown.thumbnails
        return _picture(None if thumbnails is None else thumbnails.tile(unit, size, row, column))

    @app.get("/api/item/{item}/like", responses=_REFUSED)
    def like(item: Annotated[int, _INDEX]) -> Alike:
        return Alike.model_validate(opened.search.like(item))

    @app.get("/api/item/{item}/bits", responses=_BINARY | _REFUSED, response_class=Response)
    def bits(item: Annotated[int, _INDEX]) -> Response:
        return Response(opened.search.away(item), media_type=MEDIA_TYPE)

    @app.post(
        "/api/place",
        responses=_BINARY | _REFUSED,
        response_class=Response,
        openapi_extra=_BINARY_BODY,
    )
    async def place(request: Request) -> Response:
        found = await run_in_threadpool(opened.search.place, await request.body())
        return Response(found, media_type=MEDIA_TYPE)

    @app.post(
        "/api/export/{kind}", responses=_ROWS | _REFUSED, response_class=Response, openapi_extra=_BINARY_BODY
    )
    async def export(kind: str, request: Request) -> Response:
        rows = await run_in_threadpool(export_rows, opened.shown, kind, await request.body())
        return Response(rows, media_type=KINDS[kind])

    @app.post("/api/decode", responses=_PICTURE | _REFUSED, response_class=Response)
    def decode(mixture: Mixture) -> Response:
        if not all(map(math.isfinite, [*mixture.weights.values(), *mixture.offsets.values()])):
            raise InputError("weights and offsets are finite numbers")
        return _picture(opened.search.decode(mixture.weights, mixture.offsets))

    @app.put("/api/notes/{unit}", responses=_REFUSED | {409: {"description": "The file cannot be written."}})
    def note(unit: Annotated[int, _INDEX], entry: NoteRecord) -> dict[str, NoteRecord]:
        notes = opened.shown.notes
        notes.set(unit, entry.name, entry.note)
        return {key: NoteRecord.model_validate(value) for key, value in notes.all().items()}

    @app.get("/api/progress")
    def progress(since: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0) -> Progress:
        if live is None:
            return Progress(running=False, finished=True, rows=[])
        return Progress.model_validate(live.rows(since))

    for at, other in enumerate(maps[1:], 1):
        app.mount(f"/with/{at}", explorer_api([other], names=titles))

    if names is not None:  # the page is the same for all maps
        return app

    @app.get("/{name}", include_in_schema=False)
    def page(name: str) -> Response:
        return _file(name)

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        return _file("index.html")

    return app


def explorer_app(
    maps: Sequence[Shown],
    token: str,
    hosts: frozenset[str],
    live: Live | None = None,
) -> Guard:
    """The whole ASGI application. token: the first part of every address. hosts: see `Guard`."""
    return Guard(explorer_api(maps, live), token, hosts)


def _picture(data: bytes | None) -> Response:
    if data is None:
        return JSONResponse({"detail": "there is no such picture"}, 404)
    kind = "image/webp" if data[8:12] == b"WEBP" else "image/png"
    return Response(data, media_type=kind)


def _file(name: str) -> Response:
    """A file of the built page: one of those that lie there, by its name alone."""
    folder = files("somscope.explorer").joinpath("static")
    there = {entry.name for entry in folder.iterdir() if entry.is_file()} if folder.is_dir() else set()
    suffix = "." + name.rpartition(".")[2]
    if name not in there or suffix not in _TYPES:
        return JSONResponse({"detail": "there is no such file"}, 404)
    return Response(folder.joinpath(name).read_bytes(), media_type=_TYPES[suffix])
