"""The command as a whole: help, exit codes, errors, interruptions, pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import typer

from tenfold.cli import app as app_module
from tenfold.cli import failures, main
from tests.cli.conftest import Tenfold
from tests.shared import REPOSITORY

COMMAND = [sys.executable, "-m", "tenfold.cli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "OPENBLAS_NUM_THREADS": "1"}


def in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command as people do."""
    words = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=ENVIRONMENT)
    # A busy machine makes it report progress.
    done.stderr = "".join(line for line in done.stderr.splitlines(keepends=True) if not line.endswith("…\n"))
    return done


@pytest.mark.parametrize("command", ["info", "run", "bench", "summary", "cache show", "cache clear"])
def test_every_command_has_help_with_an_example(command: str, tenfold: Tenfold) -> None:
    result = tenfold(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"tenfold {command}" in result.output.partition("Example")[2]
    assert "--debug" in result.output


def test_without_a_command_it_explains_itself(tenfold: Tenfold) -> None:
    result = tenfold()
    assert result.exit_code == 2
    for command in ("info", "run", "bench", "summary", "cache"):
        assert command in result.output


@pytest.mark.parametrize("arguments", [["bogus"], ["run"], ["info", "--bogus"], ["bench", "m", "--runs", "0"]])
def test_wrong_usage_is_2(arguments: list[str], tenfold: Tenfold) -> None:
    result = tenfold(*arguments)
    assert result.exit_code == 2
    assert "Usage: tenfold" in result.stderr
    assert result.stdout == ""


def test_version(tenfold: Tenfold) -> None:
    assert tenfold("--version").stdout == f"tenfold {app_module.installed_version()}\n"


@pytest.mark.parametrize(
    "arguments", [["summary", "nothing.json"], ["run", "nothing.json", "x.npy"], ["bench", "nothing.json"]]
)
def test_a_failure_is_1_and_one_line(arguments: list[str], tenfold: Tenfold) -> None:
    result = tenfold(*arguments)
    assert result.exit_code == 1
    assert result.stderr == "error: There is no file or folder nothing.json.\n"
    assert result.stdout == ""


def test_debug_shows_the_traceback(tenfold: Tenfold) -> None:
    result = tenfold("summary", "nothing.json", "--debug")
    assert result.exit_code == 1
    assert isinstance(result.exception, FileNotFoundError)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("x must be y."), "x must be y."),
        (FileNotFoundError(2, "No such file or directory", "a.json"), "a.json: No such file or directory"),
        (MemoryError(), "there is not enough memory"),
        (MemoryError("Unable to allocate 9 TiB"), "there is not enough memory: Unable to allocate 9 TiB"),
        (KeyError("x"), "KeyError: 'x'. This is a fault of Tenfold; --debug shows where it is."),
        (ValueError(), "ValueError: . This is a fault of Tenfold; --debug shows where it is."),
    ],
)
def test_errors_are_described(error: Exception, said: str) -> None:
    assert failures.describe(error) == said


@pytest.mark.filterwarnings("always")
def test_warnings_are_lines_too(tenfold: Tenfold, monkeypatch: pytest.MonkeyPatch) -> None:
    other = typer.Typer()

    def warn() -> None:
        warnings.warn("beware [of] this", stacklevel=1)

    other.command()(failures.reporting(warn))
    from typer.testing import CliRunner

    result = CliRunner().invoke(other)
    assert result.exit_code == 0
    assert result.stderr == "warning: beware [of] this\n"


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delitem(sys.modules, "tenfold.cli.app")
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit) as exit_info:
        main.main()
    assert exit_info.value.code == 1
    said = capsys.readouterr().err
    assert (
        said == "error: the command line needs the package typer, which is not installed: pip install 'tenfold[cli]'\n"
    )


def test_other_missing_modules_are_not_blamed_on_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tenfold.cli.app")
    monkeypatch.setitem(sys.modules, "tenfold.cli.bench", None)
    with pytest.raises(ModuleNotFoundError):
        main.main()


def test_as_a_process(doubler: Path) -> None:
    done = in_a_process("run", doubler, "--input", "[[1, 2, 3]]")
    assert done.returncode == 0
    assert "twice" in done.stdout
    assert done.stderr == ""
    failed = in_a_process("run", doubler, "--input", "[[1, 2]]")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.count("\n") == 1
    assert failed.stderr.startswith("error: GraphModel.execute: the input 'x' must have the shape [-1, 3]")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_control_c_is_130(doubler: Path) -> None:
    words = [*COMMAND, "bench", str(doubler), "--runs", "100000000"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stderr is not None
    while process.stderr.readline() != "Measuring on cpu …\n":
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are closed otherwise there")
def test_a_closed_pipe_is_no_fault(doubler: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "summary", str(doubler), "--ops"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=20) == 1
    assert "Traceback" not in stderr
    assert "error" not in stderr
