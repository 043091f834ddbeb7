"""Writes what follows from the registry of ops: the package's exports, its namespaces, the typed method stubs, and the
documentation's tables of kernels.

python -m tools.generate            write the files
python -m tools.generate --check    exit 1, naming them, if they are not up to date
"""

from __future__ import annotations

import argparse
import builtins
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tenfold.core.op import OpEntry, public_ops
from tenfold.core.tensor_methods import TensorMethods

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "tenfold"
DOCS = PACKAGE.parent.parent / "docs"

# What the package exports besides ops, module by module.
EXPORTS: dict[str, str] = {
    "backends.wasm.binaries": "set_wasm_path set_wasm_paths",
    "backends.wasm.threads": "get_threads_count set_threads_count",
    "core.autodiff": "custom_grad grad grads value_and_grad value_and_grads variable_grads",
    "core.backends": "Availability backend backend_scope find_backend find_backend_factory get_backend ready "
    "register_backend registered_backends remove_backend set_backend",
    "core.buffer": "TensorBuffer buffer",
    "core.containers": "get_tensors_in_container",
    "core.dtypes": "sum_out_type upcast_type",
    "core.engine": "Engine MemoryInfo engine memory run_kernel",
    "core.environment": "ENV Environment deprecation_warn disable_deprecation_warnings enable_debug_mode "
    "enable_prod_mode env",
    "core.errors": "BackendError DeviceLostError DisposedError GradientNotFoundError KernelNotFoundError "
    "ModelFormatError TenfoldError TracingError UnsupportedOpError",
    "core.kernel": "TensorInfo TensorSpec copy_registered_kernels get_gradient get_kernel get_kernels_for_backend "
    "register_gradient register_kernel unregister_gradient unregister_kernel",
    "core.pending": "Pending",
    "core.profiler": "profile time",
    "core.scopes": "dispose keep tidy",
    "core.tensor": "Tensor",
    "core.variables": "Variable dispose_variables variable",
    "graph.function": "ConcreteFunction Function function",
    "ops.losses": "Reduction",
    "ops.user_defined": "op",
    "train.adaptive": "AdadeltaOptimizer AdagradOptimizer AdamOptimizer AdamaxOptimizer RMSPropOptimizer",
    "train.gradient_descent": "MomentumOptimizer SGDOptimizer",
    "train.optimizer": "NamedTensor Optimizer",
    "models.custom_ops": "GraphNode deregister_op get_registered_op register_op",
    "models.graph_model": "GraphModel load_graph_model load_graph_model_sync",
    "models.precision": "PrecisionReport check_precision",
}

# Namespaces of functions that are no ops. They are imported when first asked for, so that `import tenfold` stays cheap.
LAZY_NAMESPACES: dict[str, tuple[str, str]] = {
    "serialization": (
        "core.serialization",
        "Serializable find_class get_registered_name register_class",
    ),
    "io": (
        "models.io",
        "CompositeBuffer LoadOptions ModelArtifacts SaveOptions SaveResult WeightSpec decode_weights encode_weights "
        "from_memory get_load_handlers get_save_handlers load_artifacts load_artifacts_async load_weights "
        "load_weights_async register_load_router register_save_router save_artifacts save_artifacts_async "
        "with_save_handler",
    ),
}

# Rooms that are a namespace as they stand.
PUBLIC_ROOMS = ("train",)

NOTE = "Written by `python -m tools.generate`; do not edit."


def write_or_check(files: dict[Path, str], check: bool) -> int:
    """Write the files, or name those that differ."""
    files = {path: _formatted(text, path) for path, text in files.items()}
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if check:
        for path in stale:
            print(f"{path.relative_to(PACKAGE.parent.parent)} is not up to date: run python -m tools.generate")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(files[path])
        print(f"wrote {path.relative_to(PACKAGE.parent.parent)}")
    return 0


def _formatted(text: str, path: Path) -> str:
    """The text as ruff sorts and formats it, where it is Python."""
    if path.suffix == ".md":
        return text
    for arguments in (["check", "--select", "I,RUF022", "--fix", "--quiet"], ["format", "--quiet"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(path), "-"]
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return text


# --- exports -----------------------------------------------------------------------------------------------


def package_init(ops: Iterable[OpEntry]) -> str:
    """The text of the package's `__init__.py`."""
    by_module: dict[str, set[str]] = {f"tenfold.{m}": set(names.split()) for m, names in EXPORTS.items()}
    namespaces: set[str] = set()
    for entry in ops:
        if entry.namespace:
            namespaces.add(entry.namespace)
        else:
            by_module.setdefault(entry.function.__module__, set()).add(entry.name)
    everything = (
        {name for names in by_module.values() for name in names} | namespaces | {"__version__"} | set(PUBLIC_ROOMS)
    )
    lines = [
        '"""Tenfold: TensorFlow.js\'s platform, in Python.',
        "",
        "    import tenfold as tf",
        "",
        "One tensor, autodiff and model API over interchangeable backends; see the README for how a tensor flows.",
        NOTE,
        '"""',
        "",
        "from importlib import import_module as _import_module",
        "from typing import TYPE_CHECKING, Any",
        "",
        "import tenfold.backends.cpu",
        "import tenfold.backends.wasm",
        "import tenfold.backends.webgl  # noqa: F401",
        *(f"from tenfold import {name}" for name in PUBLIC_ROOMS),
        *(f"from tenfold.api import {name}" for name in sorted(namespaces)),
        *(_import(module, names) for module, names in sorted(by_module.items())),
        "",
        "if TYPE_CHECKING:",
        *(f"    from tenfold.api import {name}" for name in LAZY_NAMESPACES),
        "",
        f'__version__ = "{_version()}"',
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in sorted(everything | set(LAZY_NAMESPACES))),
        "]",
        "",
        "",
        "def __getattr__(name: str) -> Any:",
        f"    if name in {tuple(LAZY_NAMESPACES)!r}:",
        '        return _import_module(f"tenfold.api.{name}")',
        "    raise AttributeError(f\"module 'tenfold' has no attribute {name!r}\")",
        "",
    ]
    return "\n".join(lines)


def _version() -> str:
    with (PACKAGE.parent.parent / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def _import(module: str, names: Iterable[str]) -> str:
    inside = "".join(f"    {_import_name(module, name)},\n" for name in sorted(names))
    return f"from {module} import (\n{inside})"


def _import_name(module: str, name: str) -> str:
    """A name as it is called in its module: an op may carry an underscore there (`slice_`)."""
    if hasattr(importlib.import_module(module), name) and not hasattr(builtins, name):
        return name
    return name if hasattr(importlib.import_module(module), name) else f"{name}_ as {name}"


def namespace_files(ops: Iterable[OpEntry]) -> dict[Path, str]:
    """The modules behind `tf.image` and its like."""
    grouped: dict[str, list[OpEntry]] = {}
    for entry in ops:
        if entry.namespace:
            grouped.setdefault(entry.namespace, []).append(entry)
    files = {PACKAGE / "api" / "__init__.py": f'"""The namespaces of the public API. {NOTE}"""\n'}
    for namespace, entries in grouped.items():
        by_module: dict[str, set[str]] = {}
        for entry in entries:
            by_module.setdefault(entry.function.__module__, set()).add(entry.name)
        files[PACKAGE / "api" / f"{namespace}.py"] = _namespace_module(namespace, by_module)
    for namespace, (module, names) in LAZY_NAMESPACES.items():
        files[PACKAGE / "api" / f"{namespace}.py"] = _namespace_module(
            namespace, {f"tenfold.{module}": set(names.split())}
        )
    return files


def _namespace_module(namespace: str, by_module: dict[str, set[str]]) -> str:
    lines = [
        f'"""`tf.{namespace}`. {NOTE}"""',
        "",
        *(_import(module, found) for module, found in sorted(by_module.items())),
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in sorted(name for names in by_module.values() for name in names)),
        "]",
        "",
    ]
    return "\n".join(lines)


# --- method stubs ------------------------------------------------------------------------------------------


def method_stubs(ops: Iterable[OpEntry]) -> str:
    """The text of `core/tensor_methods.pyi`."""
    imports: dict[str, set[str]] = {"typing": {"Any"}}
    methods: dict[str, str] = {}
    for entry in ops:
        for name in entry.methods:
            methods[name] = _method(name, entry.function, imports)
    for name in vars(TensorMethods):
        if name not in methods and callable(getattr(TensorMethods, name)) and _is_attached(name):
            function = vars(TensorMethods)[name]
            methods[name] = _operator(name) if name.startswith("__") else _method(name, function, imports)
    lines = [
        f"# {NOTE}",
        *(f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(imports.items())),
        "",
        "class TensorMethods:",
        *(f"    {methods[name]}" for name in sorted(methods)),
        "",
        "def attach(name: str, function: Any) -> None: ...",
        "",
    ]
    return "\n".join(lines)


def _is_attached(name: str) -> bool:
    function = vars(TensorMethods)[name]
    return str(getattr(function, "__module__", "")).startswith("tenfold.ops")


def _operator(name: str) -> str:
    override = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
    if len(inspect.signature(vars(TensorMethods)[name]).parameters) == 1:
        return f"def {name}(self) -> Tensor: ..."
    other = "key: Any" if name == "__getitem__" else "other: object" if override else "other: Any"
    return f"def {name}(self, {other}) -> Tensor: ...{override}"


def _method(name: str, function: Callable[..., Any], imports: dict[str, set[str]]) -> str:
    signature = inspect.signature(function)
    text = ["self"]
    keyword_only = False
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not keyword_only:
            text.append("*")
            keyword_only = True
        star = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is inspect.Parameter.empty else " = ..."
        text.append(f"{star}{parameter.name}: {_annotation(parameter.annotation, function, imports)}{default}")
    result = _annotation(signature.return_annotation, function, imports)
    return f"def {name}({', '.join(text)}) -> {result}: ..."


def _annotation(annotation: Any, function: Callable[..., Any], imports: dict[str, set[str]]) -> str:
    """An annotation as it is written in the function's module; notes the imports that it needs."""
    text = str(annotation)
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    for name in set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", unquoted)):
        if hasattr(builtins, name) or name == "None":
            continue
        value = inspect.unwrap(function).__globals__.get(name)
        if value is None:
            raise SystemExit(f"{function.__module__}.{function.__name__}: the annotation {name} is not there to import")
        imports.setdefault(_home(name, value, function), set()).add(name)
    return text


def _home(name: str, value: Any, function: Callable[..., Any]) -> str:
    """The module that defines a name."""
    module = getattr(value, "__module__", None)
    if module in sys.modules and vars(sys.modules[module]).get(name) is value:
        return str(module)
    aliases = re.compile(rf"^{name}\b.*=", flags=re.MULTILINE)
    for candidate in sorted(m for m in sys.modules if m.startswith("tenfold.")):
        source = getattr(sys.modules[candidate], "__file__", None)
        holds_it = vars(sys.modules[candidate]).get(name) is value
        if source and holds_it and aliases.search(Path(source).read_text()):
            return candidate
    raise SystemExit(f"{function.__module__}.{function.__name__}: cannot find where {name} is defined")


def main() -> int:
    """Write or check the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not up to date")
    options = parser.parse_args()
    # Not through the package's own __init__, which may be what is out of date.
    package = types.ModuleType("tenfold")
    package.__path__ = [str(PACKAGE)]
    sys.modules["tenfold"] = package
    importlib.import_module("tenfold.ops")
    importlib.import_module("tenfold.backends.cpu")
    wasm_kernels = importlib.import_module("tools.kernel_tables").wasm_kernels
    ops = list(public_ops().values())
    files = {PACKAGE / "__init__.py": package_init(ops), PACKAGE / "core" / "tensor_methods.pyi": method_stubs(ops)}
    files[DOCS / "wasm-kernels.md"] = wasm_kernels(NOTE)
    return write_or_check(files | namespace_files(ops), options.check)


if __name__ == "__main__":
    sys.exit(main())
