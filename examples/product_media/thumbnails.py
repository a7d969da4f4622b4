"""Thumbnails: an image that is dropped as ``images/<sku>/<name>`` becomes a JPEG of at most 160 x 160 pixels,
``media/<sha256>.jpg`` in the archive bucket. What is no image is noted as refused: trying again cannot help."""

from __future__ import annotations

import io
from typing import ClassVar, Literal

from orderflow.events import Event, FileArrived, Id
from orderflow.keys import safe_key
from orderflow.service import (
    Applied,
    Commit,
    Context,
    Decision,
    Fail,
    Fetch,
    Fetched,
    Intend,
    Keep,
    Limits,
    Outcome,
    Service,
)
from orderflow.state import State

LARGEST = 160
MOST_PIXELS = 40_000_000
"""A small file can hold an image that takes gigabytes of memory: such a one is refused."""


class ImageUploaded(FileArrived):
    """An image of an article was dropped."""

    category: ClassVar[str] = "media"
    folder: ClassVar[str] = "images"


class ThumbnailMade(Event):
    """An image has a thumbnail, the object ``thumbnail`` of the archive bucket. Sizes are the image's, in pixels."""

    category: ClassVar[str] = "media"
    subject_field: ClassVar[str] = "file"
    file: Id
    thumbnail: Id
    width: int
    height: int
    format: Id


class Image(State):
    """What became of one image."""

    status: Literal["new", "drawn", "done", "refused"] = "new"
    file: str
    width: int = 0
    height: int = 0
    format: str = ""
    reason: str = ""


def key(event: ImageUploaded, _time: str) -> str:
    """Images are kept by content and name."""
    return safe_key(f"{event.sha256}.{event.file}")


def decide(image: Image | None, event: ImageUploaded, _context: Context) -> Decision[Image]:
    """Read the file, unless all is done."""
    image = image or Image(file=event.file)
    return Commit(image) if image.status in ("done", "refused") else Intend(image, Fetch(event.file))


def resume(image: Image, event: ImageUploaded, outcome: Outcome, _context: Context) -> Decision[Image]:
    """Draw the thumbnail and keep it; then say so."""
    match outcome:
        case Fetched(data=None):
            return _refused(image, "the file is gone")
        case Fetched(data=bytes() as data):
            try:
                drawn, thumbnail = _draw(image, data)
            except ValueError as error:
                return _refused(image, str(error))
            return Intend(drawn, Keep(_name(event), thumbnail))
        case Applied():
            made = ThumbnailMade(
                file=image.file, thumbnail=_name(event), width=image.width, height=image.height, format=image.format
            )
            return Commit(image.model_copy(update={"status": "done"}), (made,))
    return Fail(f"{image.status} cannot go on after {type(outcome).__name__}")


def _name(event: ImageUploaded) -> str:
    return f"media/{event.sha256}.jpg"


def _refused(image: Image, reason: str) -> Commit[Image]:
    return Commit(image.model_copy(update={"status": "refused", "reason": reason}))


def _draw(image: Image, data: bytes) -> tuple[Image, bytes]:
    """The image with what is known of it now, and its thumbnail. Raises `ValueError` for what is no image."""
    from PIL import Image as Picture  # Only this function has Pillow, and only for this.

    try:
        with Picture.open(io.BytesIO(data)) as picture:
            width, height, form = picture.width, picture.height, str(picture.format)
            if width * height > MOST_PIXELS:
                raise ValueError(f"{width} x {height} pixels; at most {MOST_PIXELS}")
            picture.thumbnail((LARGEST, LARGEST))
            buffer = io.BytesIO()
            picture.convert("RGB").save(buffer, "JPEG")
    except (OSError, SyntaxError, Picture.DecompressionBombError) as error:
        raise ValueError(f"no image: {type(error).__name__}") from None
    known = {"status": "drawn", "width": width, "height": height, "format": form}
    return image.model_copy(update=known), buffer.getvalue()


SERVICE = Service(
    name="thumbnails",
    hears=(ImageUploaded,),
    emits=(ThumbnailMade,),
    collection="images",
    state=Image,
    key=key,
    decide=decide,
    resume=resume,
    keeps=("media/",),
    limits=Limits(memory_mb=512, batch_size=1),
)
