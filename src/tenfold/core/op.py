"""Public ops: how a function becomes part of the API and a method of tensors.

`@op` files a function under its name. The package's exports, the typed method stubs and the tables of the docs
are generated from what is filed here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from tenfold.core.tensor_methods import attach

F = TypeVar("F", bound=Callable[..., Any])


class OpEntry(NamedTuple):
    """A public op.

    Attributes:
        name: its name, without the namespace.
        namespace: such as `image`; empty for the main one.
        function: what it does.
        methods: the names under which tensors have it.
    """

    name: str
    namespace: str
    function: Callable[..., Any]
    methods: tuple[str, ...]


_ops: dict[tuple[str, str], OpEntry] = {}


def op(*, namespace: str = "", method: bool | str | tuple[str, ...] = False) -> Callable[[F], F]:
    """File a function as a public op.

    Args:
        namespace: where it stands, such as `image`; empty for the main namespace.
        method: whether tensors have it as a method of the same name, or the names that they have it under
            (`"__neg__"` makes an operator).
    """

    def file(function: F) -> F:
        name = function.__name__.rstrip("_")
        methods = (name,) if method is True else (method,) if isinstance(method, str) else method or ()
        entry = OpEntry(name, namespace, function, methods)
        if (namespace, name) in _ops:
            raise ValueError(f"The op {namespace + '.' if namespace else ''}{name} is already defined.")
        _ops[namespace, name] = entry
        for method_name in methods:
            attach(method_name, function)
        return function

    return file


def public_ops() -> dict[tuple[str, str], OpEntry]:
    """All filed ops by (namespace, name)."""
    return dict(_ops)
