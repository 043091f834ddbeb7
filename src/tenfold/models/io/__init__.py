"""The files of models: from an address or object to `ModelArtifacts` and back, in TensorFlow.js's format.

`load_artifacts` and `save_artifacts` are the way in and out, each with an asynchronous twin. Everything here
is about bytes and NumPy arrays; tensors and graphs are made of them elsewhere. A model.json may come from
anywhere, so nothing of it is believed before it is checked.
"""

from __future__ import annotations

from tenfold.models.io.artifacts import ManifestGroup as ManifestGroup
from tenfold.models.io.artifacts import ModelArtifacts as ModelArtifacts
from tenfold.models.io.artifacts import ModelArtifactsInfo as ModelArtifactsInfo
from tenfold.models.io.artifacts import SaveResult as SaveResult
from tenfold.models.io.handlers import LoadHandler as LoadHandler
from tenfold.models.io.handlers import LoadOptions as LoadOptions
from tenfold.models.io.handlers import LoadSource as LoadSource
from tenfold.models.io.handlers import SaveHandler as SaveHandler
from tenfold.models.io.handlers import SaveOptions as SaveOptions
from tenfold.models.io.handlers import SaveTarget as SaveTarget
from tenfold.models.io.memory import from_memory as from_memory
from tenfold.models.io.memory import with_save_handler as with_save_handler
from tenfold.models.io.routers import get_load_handlers as get_load_handlers
from tenfold.models.io.routers import get_save_handlers as get_save_handlers
from tenfold.models.io.routers import register_load_router as register_load_router
from tenfold.models.io.routers import register_save_router as register_save_router
from tenfold.models.io.shards import CompositeBuffer as CompositeBuffer
from tenfold.models.io.specs import Quantization as Quantization
from tenfold.models.io.specs import WeightSpec as WeightSpec
from tenfold.models.io.transfer import load_artifacts as load_artifacts
from tenfold.models.io.transfer import load_artifacts_async as load_artifacts_async
from tenfold.models.io.transfer import load_weights as load_weights
from tenfold.models.io.transfer import load_weights_async as load_weights_async
from tenfold.models.io.transfer import save_artifacts as save_artifacts
from tenfold.models.io.transfer import save_artifacts_async as save_artifacts_async
from tenfold.models.io.weights import Weights as Weights
from tenfold.models.io.weights import decode_weights as decode_weights
from tenfold.models.io.weights import encode_weights as encode_weights
