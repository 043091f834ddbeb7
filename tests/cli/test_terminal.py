"""Figures as people read them, tables, and progress that appears when something takes long."""

from __future__ import annotations

import io
import sys
import time

import pytest
from rich.text import Text

from tenfold.cli import terminal


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0.1234, "0.12 ms"), (9.99, "9.99 ms"), (10, "10.0 ms"), (99.94, "99.9 ms"), (100, "100 ms"), (12_345, "12.3 s")],
)
def test_durations(milliseconds: float, text: str) -> None:
    assert terminal.duration(milliseconds) == text


def test_sizes_and_shapes() -> None:
    assert terminal.size(None) == "unknown"
    assert terminal.size(400) == "400 bytes"
    assert terminal.size(4_300_775) == "4.3 MB"
    assert terminal.shape_text(()) == "[]"
    assert terminal.shape_text((1, -1)) == "[1, ?]"
    assert terminal.shape_text(None) == "any"


def test_tables_show_everything_as_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    long = "scope/" * 40
    terminal.results().print(terminal.table(["a", "b"], [("[red]x[/]", 1), (long, Text("y"))], right=["b"]))
    shown = capsys.readouterr().out
    assert "[red]x[/]" in shown
    assert long in shown, "names are not cut or folded in a pipe"


def test_quick_work_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.working("Thinking") as report:
        report(0.5)
    assert capsys.readouterr() == ("", "")


def test_slow_work_is_one_line_in_a_pipe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PATIENCE_SECONDS", 0.01)
    with terminal.working("Thinking [hard]") as report:
        time.sleep(0.1)
        report(0.5)
    assert capsys.readouterr() == ("", "Thinking [hard] …\n")


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_slow_work_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(terminal, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with terminal.working("Thinking") as report:
        time.sleep(0.3)
        report(0.25)
        time.sleep(0.3)
    shown = screen.getvalue()
    assert "Thinking" in shown
    assert "25%" in shown
    assert shown.endswith("\x1b[2K"), "the bar goes at the end"


def test_the_bar_goes_when_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(terminal, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setenv("TERM", "xterm")

    def fail() -> None:
        with terminal.working("Thinking"):
            time.sleep(0.2)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert screen.getvalue().endswith("\x1b[2K")
