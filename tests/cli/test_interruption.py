"""Ctrl-C is heard wherever it comes, and what is said of it is true."""

import signal
import sys
import time

import pytest

from lca_analysis.cli.entry import main


class Dropped:
    """Interrupts while it is collected, where Python drops exceptions."""

    def __del__(self):
        raise KeyboardInterrupt


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return ended.value.code


@pytest.fixture
def listening():
    """Undo what a shell does to the background: its processes ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal to a thread")
@pytest.mark.usefixtures("listening")
def test_an_interruption_that_python_drops_is_heard(monkeypatch, capsys):
    def dropped_then_long(*_, **__):
        Dropped()
        time.sleep(20)

    monkeypatch.setattr("lca_analysis.compare", dropped_then_long, raising=False)
    hook, started = sys.unraisablehook, time.monotonic()
    assert run("compare", "store") == 130
    assert time.monotonic() - started < 10
    assert capsys.readouterr().err.strip() == "interrupted: the same command goes on where it stopped"
    assert sys.unraisablehook is hook
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("verb", ["train", "import"])
def test_nothing_is_said_to_be_kept_where_nothing_is(monkeypatch, capsys, tmp_path, verb):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    (tmp_path / "checkpoints").mkdir()
    monkeypatch.setattr("lca_analysis.build_problem", stopped, raising=False)
    monkeypatch.setattr("lca_analysis.import_checkpoints", stopped, raising=False)
    source = {"train": "digits_mlp", "import": str(tmp_path / "checkpoints")}[verb]
    assert run(verb, source, str(tmp_path / "run")) == 130
    assert capsys.readouterr().err == "interrupted: nothing was recorded yet\n"
