"""somscope.explore: a notebook shows the page in a frame, and the kernel answers what it asks for."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import somscope
from explorer.in_browser import QUIET, keep
from somscope.errors import RunError

pytestmark = QUIET
# What a notebook does for a widget: it hands over the traits, and passes messages on to the kernel and back.
NOTEBOOK = """
async ([esm, traits]) => {
    const { default: widget } = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
    const heard = { "msg:custom": [] };
    const model = {
        get: (name) => traits[name],
        on: (name, listen) => (heard[name] ??= []).push(listen),
        off: (name, listen) => (heard[name] = heard[name].filter((one) => one !== listen)),
        send: async (content, callbacks, buffers) => {
            const sent = await new Promise((done) => {
                const reader = new FileReader();
                reader.onload = () => done(reader.result.split(",")[1] ?? "");
                reader.readAsDataURL(new Blob(buffers));
            });
            const [answer, body] = await window.kernel(content, sent);
            const bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
            for (const listen of heard["msg:custom"]) listen(answer, [new DataView(bytes.buffer)]);
        },
    };
    for (const el of document.querySelectorAll("div")) await widget.render({ model, el });
}
"""


def test_a_notebook_shows_the_page_and_the_kernel_answers(
    make_run: Callable[..., Path], browser: Any
) -> None:
    run = somscope.Run.open(make_run())
    shown = somscope.explore(run, make_run(grid=(3, 3), random_state=1), height=700)
    answers: list[tuple[dict[str, Any], list[bytes]]] = []
    shown.send = lambda content, buffers: answers.append((content, buffers))  # type: ignore[method-assign]

    def kernel(content: dict[str, Any], body: str) -> list[Any]:
        shown._handle_custom_msg(content, [memoryview(base64.b64decode(body))])
        answer, (found,) = answers.pop()
        return [answer, base64.b64encode(found).decode()]

    context = browser.new_context(viewport={"width": 1280, "height": 760}, offline=True)
    page, seen = context.new_page(), []
    page.on("console", lambda m: seen.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(("blob:", "data:")) else seen.append(r.url))
    page.expose_function("kernel", kernel)
    page.set_content("<div></div>")
    page.evaluate(NOTEBOOK, [shown._esm, {"page": shown.page, "height": shown.height}])
    assert page.locator("iframe").bounding_box()["height"] == pytest.approx(700, abs=2)
    (frame,) = page.frames[1:]
    frame.wait_for_selector("#canvas[data-sheets='3']")
    frame.wait_for_selector("#other-canvas[data-sheets='3']")
    frame.locator("#map").click()
    assert int(frame.inner_text("#chosen").split(" of ")[0]) > 0
    frame.locator("#members li button").first.click()
    frame.locator("#item .large").evaluate("(image) => image.decode()")
    at = run.items()["id"].to_pylist().index(frame.inner_text("#item h2").removeprefix("Item "))
    with Image.open(io.BytesIO(run.items()["thumbnail"][at].as_py())) as stored:
        wanted = np.asarray(stored.convert("L").resize((28, 28)), float)
    with Image.open(io.BytesIO(frame.locator("#item .large").screenshot())) as drawn:
        picture = np.asarray(drawn.convert("L").resize((28, 28)), float)
    assert np.corrcoef(picture.ravel(), wanted.ravel())[0, 1] > 0.95
    frame.click("text=Find what is like it")
    frame.wait_for_selector("#alike li")
    keep(page, "notebook")
    context.close()
    assert seen == []


def test_the_kernel_answers_as_the_server_does(make_run: Callable[..., Path]) -> None:
    shown = somscope.explore(make_run())
    sent: list[Any] = []
    shown.send = lambda content, buffers: sent.append((content, buffers[0]))  # type: ignore[method-assign]
    questions = [
        ("GET", "api/run", "", b""),
        ("POST", "api/decode", "application/json", json.dumps({"weights": {"3": 1}}).encode()),
        ("POST", "api/place", "application/octet-stream", b"<svg/>"),
        ("GET", "nothing/here", "", b""),
    ]
    for number, (method, path, kind, body) in enumerate(questions):
        question = {"asked": f"x-{number}", "method": method, "path": path, "type": kind}
        shown._handle_custom_msg(question, [body])
    assert [(content["asked"], content["status"]) for content, _ in sent] == [
        ("x-0", 200), ("x-1", 200), ("x-2", 400), ("x-3", 404),
    ]  # fmt: skip
    assert json.loads(sent[0][1])["n_items"] == 300
    assert sent[1][0]["type"] == "image/webp"
    assert "not an image" in json.loads(sent[2][1])["detail"]


def test_what_is_missing_is_named(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError, match=tmp_path.name):
        somscope.explore(tmp_path)
    monkeypatch.delitem(sys.modules, "somscope.explorer.widget", raising=False)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(RunError, match="needs anywidget"):
        somscope.explore(make_run())
