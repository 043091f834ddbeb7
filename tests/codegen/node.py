"""What Node's engine says of modules."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

VALIDATE = """
const bytes = require('fs').readFileSync(0);
const count = bytes.readUInt32LE(0);
let at = 4, verdicts = [];
for (let i = 0; i < count; i++) {
    const size = bytes.readUInt32LE(at);
    verdicts.push(WebAssembly.validate(bytes.subarray(at + 4, at + 4 + size)) ? 1 : 0);
    at += 4 + size;
}
console.log(verdicts.join(''));
"""


def validated_by_node(modules: Sequence[bytes], directory: Path) -> list[bool]:
    """Whether `WebAssembly.validate` accepts each module."""
    if shutil.which("node") is None:
        pytest.skip("Node is not installed.")
    script = directory / "validate.js"
    script.write_text(VALIDATE)
    data = len(modules).to_bytes(4, "little") + b"".join(len(m).to_bytes(4, "little") + m for m in modules)
    command = ["node", "--experimental-wasm-relaxed-simd", str(script)]
    done = subprocess.run(command, input=data, capture_output=True, check=True, timeout=120)
    return [verdict == "1" for verdict in done.stdout.decode().strip()]
