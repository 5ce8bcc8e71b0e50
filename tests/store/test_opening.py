import json
from pathlib import Path

import pytest

from lca_analysis.errors import ArgumentError, CorruptError, FormatError, NotFoundError
from lca_analysis.store import FORMAT_VERSION, open_store


def write_marker(folder: Path, content: object) -> Path:
    folder.mkdir()
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "store.json").write_text(text)
    return folder


def test_create_makes_a_store_that_opens_again(tmp_path):
    made = open_store(tmp_path / "deep" / "store", create=True)
    assert open_store(str(made.path)).path == made.path
    marker = json.loads((made.path / "store.json").read_text())
    assert marker == {"format": "lca-store", "format_version": FORMAT_VERSION}


def test_create_opens_an_existing_store_as_it_is(store):
    store.write_part("units", {"iteration": [0], "layer": "a", "unit": 0, "lca": 1.0}, "r", "train")
    assert open_store(store.path, create=True).runs() == ["r"]


def test_create_takes_an_empty_folder_and_ignores_hidden_files(tmp_path):
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "_store-1.tmp").touch()
    assert open_store(tmp_path, create=True).tables() == []


def test_missing_folder(tmp_path):
    with pytest.raises(NotFoundError, match=r"no store at .*nowhere.*lca compute"):
        open_store(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_empty_folder(tmp_path):
    with pytest.raises(NotFoundError, match="is empty and not a store yet"):
        open_store(tmp_path)


@pytest.mark.parametrize("create", [False, True])
def test_foreign_folder_is_refused_and_left_alone(tmp_path, create):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(FormatError, match="not a store"):
        open_store(tmp_path, create=create)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("create", [False, True])
def test_a_file_is_no_store(tmp_path, create):
    (tmp_path / "file").touch()
    with pytest.raises(FormatError, match="is a file, not the folder of a store"):
        open_store(tmp_path / "file", create=create)


@pytest.mark.parametrize("create", [False, True])
def test_newer_store_says_which_version_is_read_and_to_upgrade(tmp_path, create):
    folder = write_marker(tmp_path / "s", {"format": "lca-store", "format_version": FORMAT_VERSION + 1})
    wanted = rf"version {FORMAT_VERSION + 1}; .* up to {FORMAT_VERSION}: upgrade lca-analysis"
    with pytest.raises(FormatError, match=wanted):
        open_store(folder, create=create)


@pytest.mark.parametrize("content", [{"format": "lca-run", "format_version": 1}, {}, [1]])
def test_a_marker_of_something_else(tmp_path, content):
    with pytest.raises(FormatError, match=r"store\.json is not of a store"):
        open_store(write_marker(tmp_path / "s", content))


@pytest.mark.parametrize("version", [None, "1", True, 0, 1.5])
def test_a_marker_without_a_usable_version(tmp_path, version):
    folder = write_marker(tmp_path / "s", {"format": "lca-store", "format_version": version})
    with pytest.raises(CorruptError, match=r"store\.json has no usable format_version"):
        open_store(folder)


def test_a_damaged_marker(tmp_path):
    with pytest.raises(CorruptError, match=r"store\.json is damaged"):
        open_store(write_marker(tmp_path / "s", '{"format": "lca-st'))


def test_a_url_is_refused():
    with pytest.raises(ArgumentError, match="is a URL; a store is a folder on a local disk"):
        open_store("s3://bucket/store", create=True)
