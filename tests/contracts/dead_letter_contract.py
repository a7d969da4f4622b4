"""What `orderflow.ports.DeadLetterBox` promises, for any broker: inherit from `DeadLetterContract`, give a ``box``
fixture with the services ``payment`` and ``order``, and say in ``queued`` what is in a service's queue."""

from __future__ import annotations

from dataclasses import replace

from orderflow.ports import DeadLetter, DeadLetterBox, Delivery

LETTER = DeadLetter(
    service="payment",
    body=b'{"not": "ours", \xff\x00 "\xc3\xb6"',
    attributes={"kind": "OrderPlaced", "category": "order"},
    reason="malformed",
    detail="ö: " + "x" * 990,
    attempts=3,
    first_at="2027-01-15T08:00:00.000Z",
    last_at="2027-01-15T08:00:09.000Z",
    event_id="e-1",
)


class DeadLetterContract:
    """The contract of the dead-letter port."""

    def queued(self, service: str) -> list[Delivery]:
        """What waits in a service's queue."""
        raise NotImplementedError

    def test_a_letter_is_shown_as_it_was_sent(self, box: DeadLetterBox) -> None:
        box.send(LETTER)
        shown = box.browse("payment")
        assert [replace(letter, letter_id="") for letter in shown] == [LETTER]
        assert all(letter.letter_id for letter in shown)

    def test_browsing_takes_nothing_away(self, box: DeadLetterBox) -> None:
        box.send(LETTER)
        assert [len(box.browse("payment")) for _ in range(3)] == [1, 1, 1]

    def test_each_service_has_its_own(self, box: DeadLetterBox) -> None:
        box.send(LETTER)
        assert box.browse("order") == []

    def test_no_more_are_shown_than_asked_for(self, box: DeadLetterBox) -> None:
        for number in range(5):
            box.send(replace(LETTER, event_id=f"e-{number}"))
        assert len(box.browse("payment", limit=3)) == 3
        assert sorted(letter.event_id for letter in box.browse("payment")) == [f"e-{n}" for n in range(5)]

    def test_removing_deletes_that_letter_only(self, box: DeadLetterBox) -> None:
        for number in range(3):
            box.send(replace(LETTER, event_id=f"e-{number}"))
        chosen = next(letter for letter in box.browse("payment") if letter.event_id == "e-1")
        box.remove(chosen)
        assert sorted(letter.event_id for letter in box.browse("payment")) == ["e-0", "e-2"]

    def test_resending_hands_the_original_to_its_service_only(self, box: DeadLetterBox) -> None:
        box.send(LETTER)
        box.resend(box.browse("payment")[0])
        assert [(each.body, dict(each.attributes)) for each in self.queued("payment")] == [
            (LETTER.body, dict(LETTER.attributes))
        ]
        assert self.queued("order") == []
