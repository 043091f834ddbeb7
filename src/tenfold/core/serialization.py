"""Classes that can be written as a configuration and made from it again, and the registry that finds them by name.

`tf.serialization` is this module. Optimizers and layers register themselves here, and so may classes of one's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar, overload

Self = TypeVar("Self", bound="Serializable")
C = TypeVar("C", bound=type)

DEFAULT_PACKAGE = "Custom"

_by_name: dict[str, type] = {}
_names: dict[type, str] = {}


class Serializable(ABC):
    """Something that a class name and a configuration describe.

    Attributes:
        class_name: the name under which the class is filed; it stands in saved models.

    Example:
        >>> import tenfold as tf
        >>> rate = tf.train.sgd(0.1).get_config()
        >>> tf.SGDOptimizer.from_config(rate).learning_rate
        0.1
    """

    class_name: ClassVar[str]

    def get_class_name(self) -> str:
        """The name under which the class is filed."""
        return type(self).class_name

    @abstractmethod
    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make the same again: plain values by argument name."""

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """An object made from what `get_config` gave."""
        return cls(**config)


@overload
def register_class(cls: C, package: str = ..., name: str | None = ...) -> C: ...
@overload
def register_class(cls: None = ..., package: str = ..., name: str | None = ...) -> Callable[[C], C]: ...


def register_class(cls: Any = None, package: str = DEFAULT_PACKAGE, name: str | None = None) -> Any:
    """File a class under its `class_name`, and under a name with a package in front; a decorator, too.

    Args:
        cls: the class; None for a decorator with the other arguments.
        package: stands in front of the name, so that classes of several packages may have one name.
        name: the name after the package; the class name if None.

    Returns:
        The class.

    Raises:
        ValueError: if the class has no `class_name`, or an empty one.
        TypeError: if its `class_name` is no text.

    Example:
        >>> import tenfold as tf
        >>> @tf.serialization.register_class
        ... class Halving(tf.serialization.Serializable):
        ...     class_name = "Halving"
        ...     def get_config(self):
        ...         return {}
        >>> tf.serialization.get_registered_name(Halving)
        'Custom>Halving'
        >>> tf.serialization.find_class("Halving") is Halving
        True
    """
    if cls is None:
        return lambda decorated: register_class(decorated, package, name)
    class_name = getattr(cls, "class_name", None)
    if class_name is None:
        raise ValueError(
            f"register_class: {_described(cls)} has no attribute 'class_name', under which it would be filed."
        )
    if not isinstance(class_name, str):
        raise TypeError(
            f"register_class: the attribute 'class_name' of {_described(cls)} must be text, got "
            f"{type(class_name).__name__} {class_name!r}."
        )
    if not class_name:
        raise ValueError(f"register_class: the attribute 'class_name' of {_described(cls)} must not be empty.")
    registered = f"{package}>{name or class_name}"
    _by_name[class_name] = _by_name[registered] = cls
    _names[cls] = registered
    return cls


def _described(cls: Any) -> str:
    return cls.__name__ if isinstance(cls, type) else repr(cls)


def get_registered_name(cls: type) -> str:
    """The name of a class with its package, or its `class_name` if it is not registered."""
    return _names.get(cls) or str(getattr(cls, "class_name", cls.__name__))


def find_class(name: str) -> type | None:
    """The class that is registered under a name, with or without its package; None if there is none."""
    return _by_name.get(name)
