"""The registry of classes that can be made from a configuration."""

from __future__ import annotations

from typing import Any

import pytest

from tenfold.core.serialization import Serializable, find_class, get_registered_name, register_class


class Point(Serializable):
    class_name = "Point"

    def __init__(self, x: int, y: int = 0) -> None:
        self.x, self.y = x, y

    def get_config(self) -> dict[str, Any]:
        return {"x": self.x, "y": self.y}


def test_ser_01_a_class_is_filed_under_its_name() -> None:
    assert register_class(Point) is Point
    assert find_class("Point") is Point
    assert find_class("Custom>Point") is Point
    assert get_registered_name(Point) == "Custom>Point"
    assert Point(1).get_class_name() == "Point"
    assert find_class("Nothing") is None


def test_ser_01_packages_part_classes_of_one_name() -> None:
    @register_class(package="mine", name="Other")
    class Another(Point):
        class_name = "Another"

    assert find_class("mine>Other") is find_class("Another") is Another
    assert get_registered_name(Another) == "mine>Other"


def test_a_class_that_is_not_registered_has_its_own_name() -> None:
    class Bare(Point):
        class_name = "Bare"

    assert get_registered_name(Bare) == "Bare"
    assert find_class("Bare") is None


def test_a_configuration_makes_the_same_again() -> None:
    assert Point.from_config(Point(3, 4).get_config()).get_config() == {"x": 3, "y": 4}


@pytest.mark.parametrize(
    ("class_name", "error", "reason"),
    [
        (None, ValueError, "has no attribute 'class_name'"),
        ("", ValueError, "must not be empty"),
        (3, TypeError, "must be text, got int 3"),
    ],
)
def test_ser_02_a_bad_name_is_refused_for_its_reason(class_name: Any, error: type[Exception], reason: str) -> None:
    class Nameless:
        pass

    if class_name is not None:
        Nameless.class_name = class_name  # type: ignore[attr-defined]
    with pytest.raises(error, match=rf"register_class: .*Nameless.*{reason}"):
        register_class(Nameless)
