"""Two images of an article are dropped, one of them twice, and a text that calls itself an image."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from orderflow.keys import safe_key
from orderflow_cli.examples import Stage


def tell(stage: Stage) -> Iterator[str]:
    """Play it. Raises `orderflow_cli.examples.Broken`."""
    article = stage.fresh("CUP")
    front, back, text = (f"images/{article}/{name}" for name in ("front.png", "back.png", "text.png"))
    stage.drop(front, _png(640, 480))
    stage.drop(back, _png(300, 900))
    stage.drop(text, b"no image")
    stage.drop(front, _png(640, 480))
    yield f"dropped {front} twice, {back}, and {text}, which is no image"

    def found() -> dict[str, str]:
        page = stage.ports.store.query("search", "article", safe_key(article))
        states = [stored.document["state"] for _, stored in page.items]
        return {state["file"]: state["thumbnail"] for state in states}

    stage.wait(lambda: found().keys() == {front, back}, "both images in the search index")
    for file, thumbnail in sorted(found().items()):
        with Image.open(io.BytesIO(stage.ports.archive.get(thumbnail))) as picture:
            stage.expect(max(picture.size) == 160, f"the thumbnail of {file} is {picture.size}")
            yield f"{file} is found under {article}; its thumbnail is {picture.width} x {picture.height} pixels"

    def refused() -> bool:
        states = [document.document["state"] for _, document in stage.ports.store.scan("images")]
        return any(state["file"] == text and state["status"] == "refused" for state in states)

    stage.wait(refused, "the text to be refused")
    yield f"{text} is refused, and is no dead letter"


def _png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return buffer.getvalue()
