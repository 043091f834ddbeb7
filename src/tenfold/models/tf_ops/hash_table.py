"""Tables from keys to values, kept on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenfold.models.attr_values import attr_dtype, attr_text
from tenfold.models.tf_ops.row import Attribute, Row

if TYPE_CHECKING:
    from tenfold.models.lowering import Emitter
    from tenfold.models.node_def import NodeDef

_TYPES = (Attribute("key_dtype", attr_dtype), Attribute("value_dtype", attr_dtype))
_SHARED_NAME = Attribute("shared_name", attr_text, default="")


def _hash_table(node: NodeDef, emit: Emitter) -> None:
    attributes = emit.attributes(node, _TYPES)
    attributes["name"] = emit.attribute(node, _SHARED_NAME) or node.name
    emit(node.name, node.op, (), attributes)


ROWS = (
    *(Row(op, op, (), lower=_hash_table) for op in ("HashTable", "HashTableV2")),
    *(
        Row(op, op, (0, 1, 2))
        for op in ("LookupTableImport", "LookupTableImportV2", "InitializeTable", "InitializeTableV2")
    ),
    *(Row(op, op, (0, 1, 2)) for op in ("LookupTableFind", "LookupTableFindV2")),
    *(Row(op, op) for op in ("LookupTableSize", "LookupTableSizeV2")),
)
