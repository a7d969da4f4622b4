"""What both services hear: the shop's own accounts say it (`orderflow publish`)."""

from typing import ClassVar

from orderflow.events import Event, Id


class CustomerRegistered(Event):
    """A customer opened an account. Name and address are in the customer's document, not here."""

    category: ClassVar[str] = "registration"
    subject_field: ClassVar[str] = "customer_id"
    customer_id: Id
    newsletter: bool = False
