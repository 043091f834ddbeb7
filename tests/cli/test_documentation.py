"""Every command on the page about the command line runs as it is written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tenfold.cli import models
from tests.cli.conftest import Tenfold
from tests.shared import REPOSITORY, human_models, shared_path

PAGE = REPOSITORY / "docs" / "command-line.md"
COMMANDS = re.findall(r"^\$ tenfold (.*)$", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command: str, tmp_path: Path, tenfold: Tenfold, monkeypatch: pytest.MonkeyPatch) -> None:
    skimage = pytest.importorskip("skimage", reason="needs scikit-image's photograph")
    from PIL import Image

    with Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as photograph:
        photograph.save(tmp_path / "photo.jpg")
    for name, folder in (("mobilenet", "nsfw_mobilenet_v2_mid"), ("posenet", "posenet_free")):
        (tmp_path / name).symlink_to(shared_path("models", folder))
    monkeypatch.setitem(models.ZOO, "blazeface", str(human_models() / "models" / "blazeface-front.json"))
    monkeypatch.chdir(tmp_path)
    result = tenfold(*shlex.split(command))
    assert result.exit_code == 0, result.stderr
    assert result.stdout


def test_the_page_has_every_command() -> None:
    assert {command.split()[0] for command in COMMANDS} == {
        "info",
        "run",
        "bench",
        "summary",
        "check-precision",
        "cache",
    }
