"""Pictures as SVG, laid out here: they need no browser, no network and no script, and read the same on a dark page."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape
from typing import Any

from orderflow import topology
from orderflow.services import catalogue

INK, PAPER, QUIET, LINE = "#1b2733", "#fbfcfd", "#5b6b7b", "#8a99a8"
FILLS = {
    "service": ("#e3edf9", "#3f6fb0"),
    "order": ("#fdeed3", "#c07f16"),
    "answer": ("#e4f4e8", "#3d8a54"),
    "stock": ("#eee9f8", "#7a5bb5"),
    "message": ("#fbe6ea", "#b54860"),
    "plain": ("#ffffff", "#8a99a8"),
    "bad": ("#fbe6ea", "#b54860"),
    "good": ("#e4f4e8", "#3d8a54"),
}
"""Fill and stroke by what a box is."""

TITLES = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}
PARTS = {
    "aws": ("API Gateway", "Lambda", "SNS topic", "SQS queue", "Lambda", "DynamoDB", "SQS queue", "S3"),
    "azure": (
        "Functions",
        "Functions",
        "Event Grid topic",
        "Service Bus queue",
        "Functions",
        "Tables",
        "Service Bus queue",
        "Blob Storage",
    ),
    "gcp": (
        "Cloud Functions",
        "Cloud Functions",
        "Pub/Sub topic",
        "subscription",
        "Cloud Functions",
        "Firestore",
        "Pub/Sub topic",
        "Cloud Storage",
    ),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A box by the place of its middle and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float
    text: str
    kind: str = "plain"
    note: str = ""

    def svg(self) -> str:
        """The box with its text, and its note in small letters below."""
        fill, stroke = _fill(self.kind)
        lines = textwrap.wrap(self.text, max(8, int(self.width / 7.6))) or [""]
        rect = (
            f'<rect x="{self.x - self.width / 2:g}" y="{self.y - self.height / 2:g}" width="{self.width:g}" '
            f'height="{self.height:g}" rx="6" fill="{fill}" stroke="{stroke}"/>'
        )
        all_lines = [*((line, 13, INK) for line in lines), *([(self.note, 10.5, QUIET)] if self.note else [])]
        first = self.y - 8 * (len(all_lines) - 1) + 4.5
        words = "".join(
            f'<text x="{self.x:g}" y="{first + 16 * number:g}" font-size="{size}" fill="{colour}" '
            f'text-anchor="middle">{escape(line)}</text>'
            for number, (line, size, colour) in enumerate(all_lines)
        )
        return rect + words


def _fill(kind: str) -> tuple[str, str]:
    return FILLS.get(kind, FILLS["plain"])


def services() -> str:
    """Who emits and who hears which event, from the topology."""
    declared = topology.build()["services"]
    kinds = {event.kind(): event.category for event in catalogue()}
    emitting = {name: each["emits"] for name, each in declared.items() if each.get("emits")}
    hearing = {name: each for name, each in declared.items() if each.get("hears")}
    events = sorted(kinds, key=lambda kind: (list(dict.fromkeys(kinds.values())).index(kinds[kind]), kind))
    step, top = 40, 78
    height = top + step * len(events) + 6
    left = _column(list(emitting), 90, height, top)
    middle = {kind: top + step * (number + 0.5) for number, kind in enumerate(events)}
    right = _column(list(hearing), 790, height, top)
    lines = [
        _curve(left[name].x + 65, left[name].y, 345, middle[kind], _fill(kinds[kind])[1], 1.3)
        for name, emits in emitting.items()
        for kind in emits
    ]
    lines += [
        _curve(535, middle[kind], right[name].x - 75, right[name].y, _fill(kinds[kind])[1], 0.9)
        for name, each in hearing.items()
        for kind in each["hears"]
    ]
    boxes = [box.svg() for box in left.values()]
    boxes += [Box(440, y, 190, 30, kind, kinds[kind]).svg() for kind, y in middle.items()]
    boxes += [
        Box(box.x, box.y, 150, 40 if (note := _filter(hearing[name])) else 30, name, "service", note).svg()
        for name, box in right.items()
    ]
    heads = [_words(90, 36, "emitted by"), _words(440, 36, "event"), _words(790, 36, "heard by")]
    return _svg(880, height, "Which service emits and which hears each event", [*heads, *lines, *boxes])


def delivery() -> str:
    """What the shell makes of one delivery."""
    boxes = {
        "delivery": Box(120, 50, 150, 34, "delivery", "service"),
        "ours": Box(120, 125, 170, 40, "a CloudEvent of ours?"),
        "read": Box(120, 205, 170, 40, "read the document"),
        "known": Box(120, 285, 170, 40, "event id absorbed?"),
        "decide": Box(120, 375, 170, 60, "decide", "order"),
        "commit": Box(120, 485, 190, 66, "compare-and-set: state, absorbed id, emitted events", "order"),
        "publish": Box(120, 570, 170, 40, "publish what it emitted"),
        "ack": Box(120, 650, 150, 34, "acknowledge", "good"),
        "intent": Box(400, 285, 150, 40, "commit the intent"),
        "effect": Box(400, 350, 210, 34, "effect: call, look, change"),
        "left": Box(640, 392, 150, 40, "attempts left?"),
        "back": Box(640, 485, 160, 52, "give it back, with full-jitter backoff", "good"),
        "letter": Box(640, 205, 170, 52, "own dead-letter queue, with the reason", "bad"),
    }
    arrows = [
        _arrow((120, 67), (120, 105)),
        _arrow((120, 145), (120, 185), "yes"),
        _arrow((120, 225), (120, 265)),
        _arrow((120, 305), (120, 345), "no"),
        _arrow((120, 405), (120, 452), "commit"),
        _arrow((120, 518), (120, 550)),
        _arrow((120, 590), (120, 633)),
        _arrow((205, 125), (640, 125), "no", end=(640, 179)),
        _arrow((205, 352), (238, 352), "", end=(238, 285), last=(325, 285)),
        _label(300, 279, "intent"),
        _arrow((400, 305), (400, 333)),
        _arrow((295, 362), (205, 362)),
        _arrow((205, 392), (565, 392), "fail"),
        _arrow((640, 372), (640, 231), "no"),
        _arrow((640, 412), (640, 459), "yes"),
        _arrow((35, 285), (14, 285), "yes", end=(14, 570), last=(35, 570)),
        _arrow((215, 485), (270, 485), "lost", end=(270, 205), last=(205, 205)),
        _arrow((725, 205), (765, 205), "", end=(765, 650), last=(195, 650)),
    ]
    return _svg(790, 690, "From a delivery to an outcome", [*arrows, *(box.svg() for box in boxes.values())])


def clouds() -> str:
    """The parts that an event passes, by their names on each cloud."""
    places = (
        (150, 0, "HTTP"),
        (290, 0, "API function"),
        (430, 0, "topic"),
        (570, 0, "queue of a service"),
        (710, 0, "its function"),
        (860, -28, "documents"),
        (860, 28, "dead letters"),
        (430, 64, "archive"),
    )
    parts: list[str] = [_words(x, 24, head) for x, dy, head in places if dy == 0]
    parts.append(_words(868, 24, "documents, dead letters"))
    for row, (cloud, names) in enumerate(PARTS.items()):
        y = 90 + row * 150
        parts.append(_words(46, y + 4, TITLES[cloud], INK))
        parts += [_arrow((x + 62, y), (x + 78, y)) for x in (150, 290, 430, 570)]
        parts += [
            _arrow((772, y), (798, y - 24)),
            _arrow((772, y), (798, y + 24)),
            _arrow((430, y + 22), (430, y + 42)),
        ]
        for (x, dy, head), name in zip(places, names, strict=True):
            kind = {"topic": "order", "dead letters": "bad", "documents": "stock"}.get(head, "service")
            parts.append(Box(x, y + dy, 124, 44, name, kind).svg())
            if head == "archive":
                parts.append(_label(x - 66, y + dy + 4, "archive", "end"))
    return _svg(950, 490, "The same order on three clouds", parts)


def _column(names: list[str], x: float, height: float, top: float) -> dict[str, Box]:
    room = (height - top) / len(names)
    return {name: Box(x, top + room * (number + 0.5), 130, 30, name, "service") for number, name in enumerate(names)}


def _filter(declared: dict[str, Any]) -> str:
    """A subscription's filter by what is more than the names of events."""
    said = declared.get("filter", {})
    return ", ".join(f"{name}: {' or '.join(said[name])}" for name in ("tier", "channel") if name in said)


def _curve(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    bend = (x1 + x2) / 2
    return (
        f'<path d="M{x1:g},{y1:g} C{bend:g},{y1:g} {bend:g},{y2:g} {x2:g},{y2:g}" fill="none" stroke="{colour}" '
        f'stroke-width="{width}" stroke-opacity="0.55"/>'
    )


def _arrow(
    start: tuple[float, float],
    to: tuple[float, float],
    label: str = "",
    end: tuple[float, float] | None = None,
    last: tuple[float, float] | None = None,
) -> str:
    points = [start, to, *(point for point in (end, last) if point is not None)]
    path = " ".join(f"{'L' if number else 'M'}{x:g},{y:g}" for number, (x, y) in enumerate(points))
    text = f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.4" marker-end="url(#tip)"/>'
    if label:
        flat = start[1] == to[1]
        x, y = (start[0] + to[0]) / 2, (start[1] + to[1]) / 2
        x, y, anchor = (x, y - 6, "middle") if flat else (x + 8, y + 4, "start")
        text += _label(x, y, label, anchor)
    return text


def _label(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="11.5" fill="{QUIET}" text-anchor="{anchor}">{escape(text)}</text>'


def _words(x: float, y: float, text: str, colour: str = QUIET) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="12.5" fill="{colour}" text-anchor="middle">{escape(text)}</text>'


def _svg(width: float, height: float, title: str, parts: list[str]) -> str:
    tip = (
        f'<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{LINE}"/></marker></defs>'
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" font-family="system-ui, -apple-system, \'Segoe UI\', sans-serif">'
        f"<title>{escape(title)}</title>"
    )
    paper = f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{PAPER}"/>'
    return "\n".join([head, tip, paper, *parts, "</svg>"]) + "\n"
