"""Tenfold: TensorFlow.js's platform, in Python. (Replaced by generated exports once all families stand.)"""
# ruff: noqa
import types as _t
from tenfold import ops as _ops
from tenfold.backends import cpu as _cpu
from tenfold.core.op import public_ops as _public_ops
for (_ns, _n), _e in _public_ops().items():
    if not _ns:
        globals()[_n] = _e.function
    else:
        if _ns not in globals():
            globals()[_ns] = _t.SimpleNamespace()
        setattr(globals()[_ns], _n, _e.function)
from tenfold.core.autodiff import *
from tenfold.core.backends import *
from tenfold.core.buffer import *
from tenfold.core.containers import *
from tenfold.core.dtypes import *
from tenfold.core.engine import *
from tenfold.core.environment import *
from tenfold.core.errors import *
from tenfold.core.kernel import *
from tenfold.core.pending import *
from tenfold.core.profiler import *
from tenfold.core.scopes import *
from tenfold.core.tensor import *
from tenfold.core.variables import *
try:
    from tenfold.models.graph_model import *
except ImportError:
    pass
