"""`tf.serialization`. Written by `python -m tools.generate`; do not edit."""

from tenfold.core.serialization import (
    Serializable,
    find_class,
    get_registered_name,
    register_class,
)

__all__ = [
    "Serializable",
    "find_class",
    "get_registered_name",
    "register_class",
]
