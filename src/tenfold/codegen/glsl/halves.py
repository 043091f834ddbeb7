"""Results rounded to 16-bit floats by the shader itself.

Drivers may cut off what a target of 16-bit floats does not hold (Mesa's llvmpipe does), which makes twice the error of
rounding and, worse, always to the same side. What is rounded already, no driver changes.
"""

from __future__ import annotations

import re
from typing import Final

_OUTPUT: Final = re.compile(r"^layout\(location = \d+\) out vec4 (\w+);$", re.MULTILINE)

# Half of the last place that stays, and the places that go: of 23 binary places 10 stay.
_ROUND: Final = """vec4 rounded_to_half(vec4 x) {
    return uintBitsToFloat((floatBitsToUint(x) + 0x1000u) & 0xffffe000u);
}"""


def rounded_to_halves(body: str) -> str:
    """A shader whose float results are rounded to the nearest 16-bit float; infinities stay what they are."""
    outputs = _OUTPUT.findall(body)
    if not outputs:
        return body
    stores = "".join(f"    {name} = rounded_to_half({name});\n" for name in outputs)
    computing = body.replace("void main() {", "void compute_results() {")
    return f"{computing}{_ROUND}\nvoid main() {{\n    compute_results();\n{stores}}}\n"
