"""Which devices a site has, what each measures, and within which bounds."""

from __future__ import annotations

from typing import ClassVar

from orderflow.events import Event, Id
from orderflow.keys import safe_key
from orderflow.service import Commit, Context, Decision, Service
from orderflow.state import State


class DeviceRegistered(Event):
    """A device was put up at a site. ``lowest`` and ``highest`` bound what it should read, in ``unit``."""

    category: ClassVar[str] = "telemetry"
    subject_field: ClassVar[str] = "device"
    device: Id
    site: Id
    unit: Id
    lowest: float
    highest: float


class Device(State):
    """One device."""

    unit: str
    lowest: float
    highest: float


class Site(State):
    """A site's devices by name; some hundreds fit into a document."""

    devices: dict[str, Device] = {}


def key(event: DeviceRegistered, _time: str) -> str:
    """Sites are kept by site."""
    return safe_key(event.site)


def decide(site: Site | None, event: DeviceRegistered, _context: Context) -> Decision[Site]:
    """Add the device, or change it."""
    device = Device(unit=event.unit, lowest=event.lowest, highest=event.highest)
    return Commit(Site(devices={**(site.devices if site else {}), event.device: device}))


SERVICE = Service(
    name="sites",
    hears=(DeviceRegistered,),
    emits=(),
    collection="sites",
    state=Site,
    key=key,
    decide=decide,
)
