"""Tenfold: TensorFlow.js's platform, in Python."""

from tenfold import ops as ops
from tenfold.backends import cpu as _cpu  # noqa: F401
from tenfold.core.op import public_ops
for (_ns, _n), _e in public_ops().items():
    if not _ns: globals()[_n] = _e.function
from tenfold.core.autodiff import *
from tenfold.core.backends import *
from tenfold.core.buffer import *
from tenfold.core.engine import *
from tenfold.core.environment import *
from tenfold.core.kernel import *
from tenfold.core.profiler import *
from tenfold.core.scopes import *
from tenfold.core.variables import *
