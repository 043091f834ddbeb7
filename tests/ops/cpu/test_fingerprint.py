"""FarmHash's fingerprints, against the published implementation."""

from __future__ import annotations

import pytest

from tenfold.backends.cpu.fingerprint import fingerprint64

KNOWN = [
    (b"", 11160318154034397263),
    (b"tensor", 5177708776915514442),
    (b"a sentence of 26 letters.....", 13951582133134872296),
    (b"x" * 50, 4607997358663321893),
    (b"y" * 65, 13246502507848426076),
    (b"The quick brown fox jumps over the lazy dog and then sleeps until noon; it was tired." * 2, 4958207780126410083),
]


@pytest.mark.parametrize(("data", "fingerprint"), KNOWN, ids=[f"{len(data)} bytes" for data, _ in KNOWN])
def test_fingerprint(data: bytes, fingerprint: int) -> None:
    assert fingerprint64(data) == fingerprint
