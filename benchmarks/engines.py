"""Engines under comparison: processes driven by one JSON object a line over stdin and stdout.

An engine answers `about`, `load` (a model and the values to feed it), `run` (one inference, timed by the
engine itself from values in memory to values in memory) and `outputs`. Engines that draw also answer `chain` (many
small ops, each of the one before) and `draws` (how many another command takes, and how many its ops ask for). Processes
live through all rounds, so that rounds of different engines can alternate. `serve` is the engine's side in Python;
tfjs/commands.mjs is the other one, in Node.js and in a browser.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class About:
    """What an engine says of itself."""

    name: str
    runtime: str
    threads: int


@dataclass(frozen=True, slots=True)
class Launch:
    """How an engine is started: its command, and variables beside those of this process's environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chain:
    """What a chain of ops took, in milliseconds: until all were asked for, and until the result was read."""

    issued: float
    total: float
    result: float


ONE_THREAD = "1"
"""Every engine computes with one thread unless the environment says otherwise: TensorFlow.js has no more in Node, and
two threads of BLAS wait for each other whenever anything else runs on a machine of two cores."""


LOG_LINES = 20
"""How much is shown of what a failed engine wrote to its error stream."""


@dataclass(frozen=True, slots=True)
class Draws:
    """What a command made the device do.

    Attributes:
        made: how many draws there were.
        asked: how many the ops asked for, of which several may have become one.
    """

    made: int
    asked: int


class EngineProcess:
    """A running engine; a context manager that ends it."""

    def __init__(self, launch: Launch) -> None:
        self._command = launch.command
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115, as __exit__ closes it
        self._process = subprocess.Popen(
            launch.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={"OPENBLAS_NUM_THREADS": ONE_THREAD, **os.environ, **launch.environment},
        )

    def __enter__(self) -> EngineProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._log.close()

    @property
    def pid(self) -> int:
        """The system's number for the process."""
        return self._process.pid

    def about(self) -> About:
        """Name, runtime and number of threads."""
        answer = self._ask("about")
        return About(answer["name"], answer["runtime"], answer["threads"])

    def load(self, model: Path, input_file: Path, shape: Sequence[int]) -> None:
        """Load a model.json and the float32 values that it will be fed."""
        self._ask("load", path=str(model), input=str(input_file), shape=list(shape))

    def run(self) -> float:
        """Run one inference; milliseconds."""
        return float(self._ask("run")["milliseconds"])

    def outputs(self) -> list[Values]:
        """The outputs of the last inference, flat, in the model's order."""
        return [np.asarray(values, np.float32) for values in self._ask("outputs")["values"]]

    def chain(self, count: int) -> Chain:
        """Add one `count` times to an 8x8 tensor on the device, which starts with zeros."""
        answer = self._ask("chain", count=count)
        return Chain(answer["issued"], answer["total"], answer["result"])

    def draws(self, of: str, **arguments: object) -> int:
        """How many draws a command takes."""
        return self.count_draws(of, **arguments).made

    def count_draws(self, of: str, **arguments: object) -> Draws:
        """The draws that a command takes, and those that its ops ask for; engines that tell no difference make none."""
        answer = self._ask("draws", of=of, **arguments)
        return Draws(int(answer["draws"]), int(answer.get("asked", answer["draws"])))

    def _ask(self, command: str, **arguments: object) -> Any:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        if pipe_in is None or pipe_out is None:
            raise RuntimeError("the engine was started without pipes")
        pipe_in.write(json.dumps({"command": command, **arguments}) + "\n")
        pipe_in.flush()
        line = pipe_out.readline()
        answer = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            raise RuntimeError(f"{' '.join(self._command)}: {command}: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        self._log.seek(0)
        tail = self._log.read().splitlines()[-LOG_LINES:]
        return "\n".join([f"ended with exit code {code}", *tail])


class Inference(Protocol):
    """A loaded model that runs on the values it was loaded with."""

    def __call__(self) -> list[Values]:
        """Run once, from values in memory to values in memory."""


class Engine(Protocol):
    """The engine's side, in Python."""

    def about(self) -> About:
        """Name, runtime and number of threads."""

    def load(self, model: Path, values: Values) -> Inference:
        """A runnable model."""


@runtime_checkable
class DrawingEngine(Engine, Protocol):
    """An engine that computes by draws."""

    def chain(self, count: int) -> Chain:
        """Add one `count` times to an 8x8 tensor on the device, which starts with zeros."""

    def draws(self) -> Draws:
        """The draws that there have been."""


class Server:
    """Answers the commands of one `EngineProcess`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._inference: Inference | None = None
        self._outputs: list[Values] = []

    def answer(self, request: Any) -> dict[str, object]:
        """Carry out one command."""
        match request["command"]:
            case "about":
                about = self._engine.about()
                return {"name": about.name, "runtime": about.runtime, "threads": about.threads}
            case "load":
                values = np.fromfile(request["input"], np.float32).reshape(request["shape"])
                self._inference = self._engine.load(Path(request["path"]), values)
                return {}
            case "run" if self._inference is not None:
                start = perf_counter()
                self._outputs = self._inference()
                return {"milliseconds": (perf_counter() - start) * 1e3}
            case "outputs":
                return {"values": [values.ravel().tolist() for values in self._outputs]}
            case "chain" if isinstance(self._engine, DrawingEngine):
                return asdict(self._engine.chain(request["count"]))
            case "draws" if isinstance(self._engine, DrawingEngine):
                before = self._engine.draws()
                self.answer({**request, "command": request["of"]})
                after = self._engine.draws()
                return {"draws": after.made - before.made, "asked": after.asked - before.asked}
            case command:
                raise ValueError(f"{command!r} is not possible now")


def serve(answer: Callable[[Any], dict[str, object]]) -> None:
    """Answer commands until stdin closes. What a library prints goes to stderr."""
    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception:
            reply = {"error": traceback.format_exc()}
        print(json.dumps(reply), file=replies, flush=True)


def python_runtime() -> str:
    """Versions of the interpreter and of NumPy."""
    return f"Python {sys.version.split()[0]}, NumPy {np.__version__}"


def blas_threads() -> int:
    """How many threads NumPy's matrix products use."""
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    return max((int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)
