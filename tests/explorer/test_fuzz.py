"""Requests that schemathesis draws from the server's own description: none brings it down or gets an unnamed answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explorer.conftest import Client
from somscope.explorer.app import explorer_api, explorer_app
from somscope.explorer.maps import open_maps
from somscope.explorer.serve import Server

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
OPERATIONS = {
    found.ok().label: found.ok()
    for found in schemathesis.openapi.from_dict(explorer_api([]).openapi()).get_all_operations()
}
# As the description says, and against it.
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.specs.openapi.checks.status_code_conformance,
    schemathesis.specs.openapi.checks.content_type_conformance,
    schemathesis.specs.openapi.checks.response_schema_conformance,
]


@pytest.fixture(scope="module")
def client(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One server for all requests, of a copy: they write notes."""
    maps = open_maps(shutil.copytree(make_run(), tmp_path_factory.mktemp("fuzzed") / "run"))
    server = Server(lambda token, hosts: explorer_app(maps, token, hosts), port=0)
    server.start()
    yield Client(server, maps[0])
    server.stop()


def test_every_operation_is_drawn() -> None:
    assert len(OPERATIONS) >= 14
    assert {"POST /api/place", "PUT /api/notes/{unit}", "GET /api/tile/{unit}/{size}/{row}/{column}"} <= {
        *OPERATIONS
    }


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_brings_it_down(client: Client, label: str) -> None:
    """And no answer has a status, a type or a content that the description does not name."""
    seen: set[int] = set()

    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        mode = data.draw(
            st.sampled_from([POSITIVE, NEGATIVE] if "{" in label or "P" in label[:2] else [POSITIVE])
        )
        case = data.draw(OPERATIONS[label].as_strategy(generation_mode=mode))
        answer = case.call_and_validate(base_url=client.server.url.rstrip("/"), checks=CHECKS)
        seen.add(answer.status_code)

    ask()
    assert seen <= {200, 400, 404, 409, 422}
    assert client.ask("api/run").status == 200
