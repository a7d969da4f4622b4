"""The search index: one document an image, found by article."""

from __future__ import annotations

from orderflow.keys import safe_key
from orderflow.service import Commit, Context, Decision, Service
from orderflow.state import State
from product_media.thumbnails import ThumbnailMade


class Entry(State):
    """An image in the index. ``article`` is the second part of its name: ``images/<article>/<name>``."""

    file: str
    article: str
    thumbnail: str
    width: int
    height: int


def key(event: ThumbnailMade, _time: str) -> str:
    """Entries are kept by file."""
    return safe_key(event.file)


def index(entry: Entry) -> dict[str, list[str]]:
    """By article, in the order of their names."""
    return {"article": [safe_key(entry.article), safe_key(entry.file)]}


def decide(_entry: Entry | None, event: ThumbnailMade, _context: Context) -> Decision[Entry]:
    """Write the entry, over that of an earlier file of the same name."""
    parts = event.file.split("/")
    article = parts[1] if len(parts) > 2 else "unsorted"
    return Commit(
        Entry(file=event.file, article=article, thumbnail=event.thumbnail, width=event.width, height=event.height)
    )


SERVICE = Service(
    name="search",
    hears=(ThumbnailMade,),
    emits=(),
    collection="search",
    state=Entry,
    key=key,
    index=index,
    indexes=("article",),
    unread=(ThumbnailMade,),
    decide=decide,
)
