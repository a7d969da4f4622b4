"""Pub/Sub's filter language (cloud.google.com/pubsub/docs/subscription-message-filter#filtering_syntax), for the
stand-in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Filter = Callable[[Mapping[str, str]], bool]
"""Says whether a message with these attributes passes."""

MOST_BYTES = 256

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<sign>!=|=|:|\(|\)|,|-|\.)
      | (?P<word>[A-Za-z_][\w-]*)
    )""",
    re.VERBOSE,
)


class BadFilter(ValueError):
    """The text is no filter, or too long for one."""


def parse(text: str) -> Filter:
    """The filter that a subscription names; an empty one lets everything pass. Raises `BadFilter`."""
    if len(text.encode()) > MOST_BYTES:
        raise BadFilter(f"a filter has {MOST_BYTES} bytes at most")
    if not text.strip():
        return lambda attributes: True
    parser = _Parser(_tokens(text))
    passes = parser.expression()
    parser.expect_end()
    return passes


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise BadFilter(f"cannot read {text[place:].strip()[:20]!r}")
        tokens.append(match.group(match.lastgroup or 0))
        place = match.end()
    return tokens


class _Parser:
    """Recursive descent. AND and OR may not be mixed without brackets, as in Pub/Sub."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0

    def expression(self) -> Filter:
        terms = [self._term()]
        joint = self._peek()
        while joint in ("AND", "OR") and self._peek() == joint:
            self._take()
            terms.append(self._term())
        if self._peek() in ("AND", "OR"):
            raise BadFilter("AND and OR need brackets between them")
        together = any if joint == "OR" else all
        return lambda attributes: together(term(attributes) for term in terms)

    def expect_end(self) -> None:
        if self._peek():
            raise BadFilter(f"{self._peek()!r} is one too many")

    def _term(self) -> Filter:
        if self._peek() in ("NOT", "-"):
            self._take()
            inner = self._term()
            return lambda attributes: not inner(attributes)
        if self._peek() == "(":
            self._take()
            inner = self.expression()
            self._expect(")")
            return inner
        if self._peek() == "hasPrefix":
            return self._has_prefix()
        return self._comparison()

    def _has_prefix(self) -> Filter:
        self._take()
        self._expect("(")
        name = self._attribute(".")
        self._expect(",")
        prefix = self._text()
        self._expect(")")
        return lambda attributes: attributes.get(name, "").startswith(prefix) and name in attributes

    def _comparison(self) -> Filter:
        self._expect("attributes")
        sign = self._take()
        if sign == ":":
            name = self._name()
            return lambda attributes: name in attributes
        if sign != ".":
            raise BadFilter(f"expected a name after attributes, not {sign!r}")
        name = self._name()
        comparison = self._take()
        value = self._text()
        if comparison == "=":
            return lambda attributes: attributes.get(name) == value
        if comparison == "!=":
            return lambda attributes: attributes.get(name) != value
        raise BadFilter(f"{comparison!r} is no comparison")

    def _attribute(self, sign: str) -> str:
        self._expect("attributes")
        self._expect(sign)
        return self._name()

    def _name(self) -> str:
        token = self._take()
        return _unquote(token) if token.startswith('"') else token

    def _text(self) -> str:
        token = self._take()
        if not token.startswith('"'):
            raise BadFilter(f"{token!r} must be in quotes")
        return _unquote(token)

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise BadFilter("the filter ends too soon")
        self._place += 1
        return token

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise BadFilter(f"expected {token!r}")


def _unquote(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])
