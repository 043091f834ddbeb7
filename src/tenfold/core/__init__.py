"""The ground floor: tensors, kernels, the engine, autodiff and the environment.

Nothing here imports an op, a backend or a device; they register themselves with what lives here.
"""

from time import time_ns
from typing import Final

IMPORTED: Final = time_ns()
"""When this process began to load the package, in nanoseconds of the system's clock."""
