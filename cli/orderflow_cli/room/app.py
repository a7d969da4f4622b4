"""The room's routes: pages, the stream, and what the pages ask for and do. Answers are JSON; a refusal is
``{"error": text, "hint": text}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal, TypeVar

import httpx
from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from orderflow.envelope import first_error
from orderflow.ports import Unavailable
from orderflow_cli.invariants import NAMES, check
from orderflow_cli.ops import letters, orders
from orderflow_cli.ops.doors import CannotDo
from orderflow_cli.ops.timeline import timeline
from orderflow_cli.ops.traces import trace_of
from orderflow_cli.room import trouble
from orderflow_cli.room.guard import Guard
from orderflow_cli.room.load import MOST_PER_SECOND
from orderflow_cli.room.site import Site
from orderflow_cli.room.watch import Watch
from orderflow_cli.workload import CATALOGUE, HERMIT, PEOPLE

STATIC = Path(__file__).parent / "static"
FRAMED = Path(__file__).parent / "pages"
PAGES = {
    "/": ("overview", "Control room"),
    "/order": ("order", "Order"),
    "/letters": ("letters", "Dead letters"),
    "/figures": ("figures", "Figures"),
}
"""By path the name of the page's two files, ``pages/NAME.html`` (what is in the frame) and ``static/NAME.js``, and its
title."""
MOST_LETTERS = 200
"""So many letters of a cloud are listed, the newest."""

Body = TypeVar("Body", bound=BaseModel)


class PlaceOrder(BaseModel):
    """An order to place as a customer."""

    customer: str
    lines: dict[str, int]
    payment_token: str


class Rate(BaseModel):
    """Orders a second."""

    per_second: Annotated[float, Field(ge=0, le=MOST_PER_SECOND)]


class Repeat(BaseModel):
    """Whether every event is to come twice."""

    on: bool


class Mode(BaseModel):
    """How a provider is to behave."""

    provider: str
    mode: str


class Poison(BaseModel):
    """Whose queue gets the message."""

    service: str


class Kill(BaseModel):
    """Which host; without a name any."""

    host: str | None = None


class Handle(BaseModel):
    """What is to become of which letters of a service, by their whole ids."""

    verb: Literal["redrive", "discard"]
    service: str
    ids: Annotated[list[str], Field(min_length=1, max_length=MOST_LETTERS)]


def application(sites: Mapping[str, Site], token: str, hosts: frozenset[str]) -> Starlette:
    """The control room over some sites. ``token`` lets change things; ``hosts`` are the room's own addresses."""
    room = _Room(sites)
    return Starlette(
        routes=[
            *(Route(path, _page(name, title)) for path, (name, title) in PAGES.items()),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/events", room.events),
            Route("/api/room", room.describe),
            Route("/api/{cloud}/orders/{order_id}", room.asked(_order)),
            Route("/api/{cloud}/orders/{order_id}/trace", room.asked(_trace)),
            Route("/api/{cloud}/check", room.check),
            Route("/api/{cloud}/letters", room.asked(_letters)),
            Route("/api/{cloud}/letters/{service}/{letter_id}", room.asked(_letter)),
            Route("/api/{cloud}/orders", room.place, methods=["POST"]),
            Route("/api/{cloud}/letters", room.told(Handle, _handle), methods=["POST"]),
            Route("/api/{cloud}/provider", room.told(Mode, _set_mode), methods=["POST"]),
            Route("/api/{cloud}/poison", room.told(Poison, _poison), methods=["POST"]),
            Route("/api/{cloud}/kill", room.told(Kill, _kill), methods=["POST"]),
            Route("/api/{cloud}/load", room.set_load, methods=["POST"]),
            Route("/api/{cloud}/twice", room.set_twice, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, token=token, hosts=hosts)],
        exception_handlers={
            CannotDo: _cannot,
            Unavailable: _unavailable,
            httpx.HTTPError: _unavailable,
            ValidationError: _invalid,
            HTTPException: _http,
        },
    )


class _Room:
    def __init__(self, sites: Mapping[str, Site]) -> None:
        self._sites = sites
        self._watch = Watch(sites)

    def site(self, request: Request) -> Site:
        try:
            return self._sites[request.path_params["cloud"]]
        except KeyError:
            raise HTTPException(404, "this cloud does not run here") from None

    async def events(self, _: Request) -> Response:
        return StreamingResponse(self._watch.stream(), media_type="text/event-stream")

    async def describe(self, _: Request) -> Response:
        """What the pages offer to choose from."""
        return JSONResponse(
            {
                "clouds": [{"name": name, "title": site.title} for name, site in self._sites.items()],
                "customers": [person.id for person in (*PEOPLE, HERMIT)],
                "goods": [{"sku": sku, "name": name, "price": price} for sku, (name, price) in CATALOGUE.items()],
                "providers": trouble.MODES,
                "services": trouble.hearing_services(),
                "most_per_second": MOST_PER_SECOND,
            }
        )

    def asked(self, answer: Callable[[Site, Mapping[str, str]], Any]) -> Callable[[Request], Any]:
        """A page that looks something up."""

        async def endpoint(request: Request) -> Response:
            return JSONResponse(await run_in_threadpool(answer, self.site(request), request.path_params))

        return endpoint

    def told(self, model: type[Body], do: Callable[[Site, Body], Any]) -> Callable[[Request], Any]:
        """A page that changes something, as the body says."""

        async def endpoint(request: Request) -> Response:
            body = model.model_validate_json(await request.body())
            return JSONResponse(await run_in_threadpool(do, self.site(request), body))

        return endpoint

    async def place(self, request: Request) -> Response:
        """Place an order, and show it at once."""
        body, doors = PlaceOrder.model_validate_json(await request.body()), self.site(request).doors
        order = await run_in_threadpool(orders.place, doors, body.customer, body.lines, body.payment_token)
        self._watch.latest[doors.cloud].add(order["order_id"])
        return JSONResponse(order)

    async def check(self, request: Request) -> Response:
        """The invariants of the orders that are shown; of the stock only what these orders hold. Each with what it
        says and what breaks it, which is nothing where it holds."""
        site = self.site(request)
        ids = self._watch.latest[site.doors.cloud].ids()
        # Hosts may have been killed here: a message that was sent in that instant may be sent again.
        verdict = await run_in_threadpool(check, site.doors.ports, ids, {}, crashes=True, settings=site.doors.settings)
        found = [{"name": name, "says": says, "broken": verdict.broken[name]} for name, says in NAMES.items()]
        return JSONResponse({"orders": len(ids), "invariants": found})

    async def set_load(self, request: Request) -> Response:
        """Set the rate; it holds while a page is open."""
        rate = Rate.model_validate_json(await request.body())
        load = self._watch.loads[self.site(request).doors.cloud]
        load.set(rate.per_second)
        return JSONResponse(load.shown())

    async def set_twice(self, request: Request) -> Response:
        """Let every event come twice; it holds while a page is open."""
        wanted = Repeat.model_validate_json(await request.body())
        twice = self._watch.twice[self.site(request).doors.cloud]
        twice.set(wanted.on)
        return JSONResponse(twice.shown())


def _page(name: str, title: str) -> Callable[[Request], Any]:
    frame, main = ((FRAMED / f"{file}.html").read_text(encoding="utf-8") for file in ("frame", name))
    text = Template(frame).substitute(title=title, script=f"{name}.js", main=main)

    async def endpoint(_: Request) -> Response:
        return HTMLResponse(text)

    return endpoint


def _order(site: Site, path: Mapping[str, str]) -> dict[str, Any]:
    view, story = orders.show(site.doors, path["order_id"]), timeline(site.doors, path["order_id"])
    return {**asdict(view), "timeline": {**asdict(story), "waits_for": story.waits_for}}


def _trace(site: Site, path: Mapping[str, str]) -> dict[str, Any]:
    """The spans of `orderflow_cli.ops.traces.trace_of`, parents first, each with how deep it stands."""
    found = trace_of(site.doors, path["order_id"])
    shown = ("span_id", "service", "name", "kind", "began_ms", "took_ms", "error", "message", "missing")
    spans = [
        {"depth": depth, "outcome": node.outcome, **{name: getattr(node, name) for name in shown}}
        for depth, node in found.walk()
    ]
    return {"trace_id": found.trace_id, "took_ms": found.took_ms, "spans": spans}


def _letters(site: Site, _: Mapping[str, str]) -> dict[str, Any]:
    with site.looking:
        found = letters.look(site.doors, letters.Choice())
    newest = found[: -MOST_LETTERS - 1 : -1]
    return {"count": len(found), "letters": [_shown(letter) for letter in newest]}


def _letter(site: Site, path: Mapping[str, str]) -> dict[str, Any]:
    with site.looking:
        found = _chosen(site, path["service"], [path["letter_id"]])
    if not found:
        raise HTTPException(404, "the letter is not there any more")
    return {**_shown(found[0]), "payload": found[0].payload()}


def _handle(site: Site, body: Handle) -> dict[str, Any]:
    """Redrive or discard; a letter that is gone by now is named in ``gone``."""
    with site.looking:
        found = _chosen(site, body.service, body.ids)
        handled = list(letters.handle(site.doors, body.verb, found))
    return {
        "done": [each.letter.letter_id for each in handled if each.left is None],
        "left": {each.letter.letter_id: each.left for each in handled if each.left is not None},
        "gone": sorted(set(body.ids) - {letter.letter_id for letter in found}),
    }


def _chosen(site: Site, service: str, ids: list[str]) -> list[letters.Letter]:
    found = letters.look(site.doors, letters.Choice(service=service, ids=tuple(ids)))
    return [letter for letter in found if letter.letter_id in ids]


def _shown(letter: letters.Letter) -> dict[str, Any]:
    return {name: value for name in letters.Letter.__slots__ if name != "raw" for value in [getattr(letter, name)]}


def _set_mode(site: Site, body: Mode) -> dict[str, Any]:
    trouble.set_mode(site.doors, body.provider, body.mode)
    return {}


def _poison(site: Site, body: Poison) -> dict[str, Any]:
    trouble.poison(site.doors, body.service)
    return {}


def _kill(site: Site, body: Kill) -> dict[str, Any]:
    return {"killed": trouble.kill(site, body.host)}


async def _cannot(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error), "hint": getattr(error, "hint", "")}, 409)


async def _unavailable(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"not reached: {error}", "hint": "try again in a moment"}, 503)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    return JSONResponse({"error": first_error(error), "hint": ""}, 400)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail, "hint": ""}, error.status_code)
