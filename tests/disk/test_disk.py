"""Files that are written whole or not at all."""

import os

import pytest

from lca_analysis.disk import appearing, write_atomic


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, where):
    file = tmp_path / "page.html"
    write_atomic(file, b"old")

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, where, fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_an_interruption_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "page.html"
    write_atomic(file, b"old")

    def write_half():
        with appearing(file) as handle:
            handle.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
