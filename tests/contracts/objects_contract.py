"""What `orderflow.ports.Objects` promises, for any bucket: inherit from `ObjectsContract` and give an ``objects``
fixture with an empty one."""

from __future__ import annotations

import pytest

from orderflow.ports import Objects


class ObjectsContract:
    """The contract of the objects port."""

    def test_an_object_is_read_as_it_was_written(self, objects: Objects) -> None:
        for name, data in {"a/b.csv": b"\x00\xff", "a/ö 1.csv": b"", "c": b"x" * 100_000}.items():
            objects.put(name, data)
            assert objects.get(name) == data

    def test_an_object_is_written_over_one_of_the_same_name(self, objects: Objects) -> None:
        objects.put("a", b"1")
        objects.put("a", b"2")
        assert objects.get("a") == b"2"
        assert objects.names() == ["a"]

    def test_reading_what_is_not_there_is_a_key_error(self, objects: Objects) -> None:
        with pytest.raises(KeyError):
            objects.get("a")

    def test_names_are_sorted_and_begin_with_the_prefix(self, objects: Objects) -> None:
        for name in ("b/2", "a/1", "b/10", "bb"):
            objects.put(name, b"")
        assert objects.names() == ["a/1", "b/10", "b/2", "bb"]
        assert objects.names("b/") == ["b/10", "b/2"]
        assert objects.names("c") == []
