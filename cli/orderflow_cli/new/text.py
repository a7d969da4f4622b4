"""The text of a new service and of its test."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from textwrap import fill

from orderflow.events import Event
from orderflow_cli.contracts import samples
from orderflow_cli.new.draft import Draft

_EVENTS = "orderflow.events"
_COMPENSATION = """\
            # The place of a compensation, where this event ends what others began: undo what `before` says was done,
            # and keep in the state that it is undone. Right must come out whether it is heard first, last or twice.
            # An event that says so has `undoes: ClassVar[bool] = True`: timelines mark it.
"""
_DESCRIBED = {"order_id": "OrderId", "customer_id": "CustomerId"}
"""Fields that `orderflow.events` has a type with a description for."""

_STATE = '''def state(lab: Lab, event: Event) -> Any:
    """What it has stored about what an event is about."""
    return lab.state(NAME, find(NAME).key(event, ""))
'''
_EACH = """
@pytest.mark.parametrize("event", HEARD, ids=lambda event: event.kind())
def test_what_is_heard_is_noted_and_said(event: Event) -> None:
    lab = Lab.make()
    lab.deliver(NAME, enveloped(event))
    assert state(lab, event).heard == (event.kind(),)
    assert [each.kind for each in lab.published()] == SAYS[event.kind()]


@pytest.mark.parametrize("event", HEARD, ids=lambda event: event.kind())
def test_the_same_event_again_changes_nothing(event: Event) -> None:
    lab = Lab.make()
    lab.deliver(NAME, enveloped(event))
    before, said = state(lab, event), {each.id for each in lab.published()}
    lab.deliver(NAME, enveloped(event))
    assert (state(lab, event), {each.id for each in lab.published()}) == (before, said)
"""
_ORDERS = """
def test_any_order_comes_to_the_same_end() -> None:
    ends = []
    for events in (HEARD, HEARD[::-1]):
        lab = Lab.make()
        for event in events:
            lab.deliver(NAME, enveloped(event, event.kind()))
        ends.append([state(lab, event) for event in HEARD])
    assert ends[0] == ends[1]
"""
_FILTER = """
@pytest.mark.parametrize("event", HEARD, ids=lambda event: event.kind())
def test_its_subscription_lets_through_what_it_hears(event: Event) -> None:
    assert find(NAME).lets_through(enveloped(event).attributes())
"""


def files(draft: Draft, root: Path) -> dict[Path, str]:
    """What is to be written, by path from the root. Raises `orderflow_cli.contracts.samples.NoSample`."""
    made = {draft.folder / f"{draft.name}.py": _formatted(_service(draft))}
    if not draft.in_core and not (root / draft.folder / "__init__.py").exists():
        made[draft.folder / "__init__.py"] = '"""Services beside the core\'s."""\n'
    return {**made, draft.test: _formatted(_test(draft, root))}


def _service(draft: Draft) -> str:
    heard = " | ".join(event.__name__ for event in draft.hears)
    about, value = draft.subject or "about", f"event.{draft.subject or 'subject'}"
    fields = _fields(draft)
    imports: defaultdict[str, set[str]] = defaultdict(set)
    for event in draft.hears:
        imports[event.__module__].add(event.__name__)
    imports[_EVENTS].add("Id")
    imports["orderflow.keys"].add("safe_key")
    imports["orderflow.service"] |= {"Commit", "Context", "Decision", "Service"}
    imports["orderflow.state"].add("State")
    if draft.emits:
        imports["typing"].add("ClassVar")
        described = set(_DESCRIBED.values())
        imports[_EVENTS] |= {"Event", *(described & {*fields.values()})}
        if {*fields.values()} - described:
            imports["typing"].add("Annotated")
            imports["pydantic"].add("Field")
    story = f"It hears {_listed(event.__name__ for event in draft.hears)}"
    story = fill(f"{story}, and says {_listed(draft.emits)}." if draft.emits else f"{story}.", 110)
    what = "Note what was heard, and say what follows." if draft.emits else "Note what was heard."
    return f'''"""{draft.name.capitalize()}. Write here what it is for.

{story}"""

from __future__ import annotations

{_imported(imports)}

{"".join(_event(draft, name, fields) for name in draft.emits)}
class {draft.state}(State):
    """What {draft.name} knows of one {_thing(draft)}."""

    {about}: Id
    heard: tuple[str, ...] = ()


def key(event: {heard}, _time: str) -> str:
    """States are kept by {_thing(draft)}."""
    return safe_key({value})


def decide(
    state: {draft.state} | None, event: {heard}, _context: Context
) -> Decision[{draft.state}]:
    """{what} Any order is right; what comes twice is decided once."""
    before = state or {draft.state}({about}={value})
    after = before.model_copy(update={{"heard": tuple(sorted({{*before.heard, event.kind()}}))}})
    match event:
{"".join(_case(draft, event, fields) for event in draft.hears)}

SERVICE = Service(
    name="{draft.name}",
    hears={_tuple(event.__name__ for event in draft.hears)},
    emits={_tuple(draft.emits)},
    {f"filter={draft.filter!r}," if draft.filter else ""}
    collection="{draft.name}",
    state={draft.state},
    key=key,
    decide=decide,
)
'''


def _event(draft: Draft, name: str, fields: dict[str, str]) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).capitalize()
    about = next(iter(fields))
    subject = "" if about == "order_id" else f'    subject_field: ClassVar[str] = "{about}"\n'
    return f'''
class {name}(Event):
    """{words}. Write here what is true once it is published."""

    category: ClassVar[str] = "{draft.name}"
{subject}{"".join(f"    {field}: {kind}{chr(10)}" for field, kind in fields.items())}
'''


def _fields(draft: Draft) -> dict[str, str]:
    """The fields of the events that it emits, with their types; first the one that they are about."""
    names = dict.fromkeys([draft.subject or "about", *(["customer_id"] if draft.customer else [])])
    described = f'Annotated[Id, Field(description="The {_thing(draft)}.")]'
    return {name: _DESCRIBED.get(name, described) for name in names}


def _case(draft: Draft, event: type[Event], fields: dict[str, str]) -> str:
    given = ", ".join(f"{name}=event.{'subject' if name == 'about' else name}" for name in fields)
    emitted = _tuple(f"{name}({given})" for name in draft.emits if draft.cause_of(name) is event)
    note = _COMPENSATION if event in draft.hears[1:] and event is draft.hears[-1] else ""
    committed = f"after, {emitted}" if emitted != "()" else "after"
    return f"        case {event.__name__}():\n{note}            return Commit({committed})\n"


def _test(draft: Draft, root: Path) -> str:
    imports: defaultdict[str, set[str]] = defaultdict(set)
    for event in draft.hears:
        imports[event.__module__].add(event.__name__)
    imports[_EVENTS].add("Event")
    imports["orderflow.services"].add("find")
    imports["typing"].add("Any")
    imports["unit.support"] |= {"Lab", "enveloped"}
    beside = ""
    if not draft.in_core:
        imports["added"].add("added")
        imports["collections.abc"].add("Iterator")
        beside = f'''

@pytest.fixture(autouse=True)
def _services() -> Iterator[None]:
    with added("{draft.package}"):
        yield
'''
    about = {draft.subject: "o-1" if draft.subject == "order_id" else None} if draft.subject else {}
    heard = []
    for event in draft.hears:
        chosen = draft.chosen(event) | {name: value for name, value in about.items() if value}
        made = samples.data(event, root, **chosen)
        if draft.subject:
            about[draft.subject] = about[draft.subject] or made[draft.subject]
        heard.append(f"{event.__name__}.model_validate({made!r}),")
    says = {event.kind(): [name for name in draft.emits if draft.cause_of(name) is event] for event in draft.hears}
    return f'''"""{draft.name.capitalize()}: each event once, twice, and in another order."""

from __future__ import annotations

{_imported(imports, more="import pytest")}

NAME = "{draft.name}"
HEARD: tuple[Event, ...] = ({"".join(heard)})
"""One of each event that it hears{", about the same " + _thing(draft) if draft.subject else ""}."""
SAYS: dict[str, list[str]] = {says!r}
"""What it emits on each."""

{beside}
{_STATE}
{_EACH}
{_ORDERS if len(draft.hears) > 1 else ""}
{_FILTER}'''


def _imported(imports: dict[str, set[str]], more: str = "") -> str:
    """Import statements; ruff puts them in their order."""
    return "\n".join([more, *(f"from {module} import {', '.join(sorted(names))}" for module, names in imports.items())])


def _tuple(items: Iterable[str]) -> str:
    """A tuple's text, without a comma at its end where none must be: ruff keeps it on one line if it can."""
    several = [*items]
    return f"({', '.join(several)}{',' if len(several) == 1 else ''})"


def _listed(words: Iterable[str]) -> str:
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def _thing(draft: Draft) -> str:
    """What a document is about, as people say it."""
    return (draft.subject or "subject").removesuffix("_id").replace("_", " ")


def _formatted(text: str) -> str:
    """As `make format` would have it."""
    ruff = [sys.executable, "-m", "ruff"]
    for arguments in (["check", "--select", "I", "--fix", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(
            [*ruff, *arguments, "--stdin-filename", "new.py", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text
