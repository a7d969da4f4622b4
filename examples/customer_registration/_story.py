"""Ada and Bob register, both twice over a bad line; Ada wants the newsletter."""

from __future__ import annotations

from collections.abc import Iterator

from customer_registration._events import CustomerRegistered
from orderflow_cli.examples import Stage

ADDRESS = {"street": "Main Street 1", "city": "Berlin", "postcode": "10115", "country": "DE"}


def tell(stage: Stage) -> Iterator[str]:
    """Play it. Raises `orderflow_cli.examples.Broken`."""
    ada, bob = stage.fresh("ada"), stage.fresh("bob")
    for customer in (ada, bob):
        contact = {"name": customer.title(), "address": ADDRESS, "email": f"{customer}@example.com"}
        stage.request("PUT", "/customers/me", customer, contact)
    stage.publish(CustomerRegistered(customer_id=ada, newsletter=True), times=2)
    stage.publish(CustomerRegistered(customer_id=bob), times=2)
    yield f"{ada} and {bob} have registered; each event was published twice"

    for customer in (ada, bob):
        stage.until("welcome", customer, "status", "sent")
        sent = stage.sent(f"{customer}.welcome")
        stage.expect(sent == 1, f"{customer} got {sent} welcome e-mails, not one")
    yield "each got one welcome e-mail"

    stage.until("newsletter", ada, "customer_id", ada)
    stage.expect(stage.state("newsletter", bob) is None, f"{bob} did not ask for the newsletter")
    yield f"{ada} is subscribed to the newsletter, {bob} is not"
