"""Files are written whole or not at all, and what a killed write left is told from them."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from trainwell.files import remove_unfinished, whole_file, write_whole


def test_a_file_takes_the_place_of_the_old_one_when_all_of_it_is_written(tmp_path):
    path = tmp_path / "new folder" / "numbers"
    write_whole(path, b"old")
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_text_is_written_as_utf_8_and_with_the_rights_of_any_new_file(tmp_path):
    write_whole(tmp_path / "text", "Größe")
    (tmp_path / "usual").touch()
    assert (tmp_path / "text").read_text(encoding="utf-8") == "Größe"
    assert (tmp_path / "text").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "numbers"
    write_whole(path, b"old")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"half of the new", "text"])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_written_is_on_the_disk_before_it_takes_its_place_and_its_name_after(tmp_path, monkeypatch):
    order, sync, replace = [], os.fsync, os.replace

    def synced(handle):
        order.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "content")
        sync(handle)

    def replaced(source, target, **more):
        order.append("name")
        replace(source, target, **more)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_whole(tmp_path / "numbers", b"1")
    assert order == ["content", "name", "folder"]


def test_a_killed_write_leaves_the_old_file_and_its_own_is_removed(tmp_path):
    path = tmp_path / "members" / "numbers"
    write_whole(path, b"old")
    script = (
        "import sys; from pathlib import Path; from trainwell.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half of the new'); file.flush(); print('writing', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert path.read_bytes() == b"old"
    assert len(list(path.parent.iterdir())) == 2
    (tmp_path / ".kept").write_text("a hidden file of somebody else")
    remove_unfinished(tmp_path)
    assert list(path.parent.iterdir()) == [path]
    assert (tmp_path / ".kept").exists()
