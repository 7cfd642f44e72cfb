import os
import stat
from contextlib import suppress

import pytest

from epsinas.errors import InputError
from epsinas.files.whole import atomic, discard_unfinished


def write(path, text="new"):
    with atomic(path) as temporary:
        temporary.write_text(text)


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("given", [0o600, 0o664, 0o755])
def test_the_mode_of_a_file_is_kept(tmp_path, given):
    path = tmp_path / "scores.csv"
    path.touch()
    path.chmod(given)
    write(path)
    assert (mode(path), path.read_text()) == (given, "new")


def test_a_new_file_has_the_usual_mode(tmp_path):
    write(tmp_path / "scores.csv")
    (tmp_path / "usual").touch()
    assert mode(tmp_path / "scores.csv") == mode(tmp_path / "usual")


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can write as another")
def test_the_owner_of_a_file_is_kept(tmp_path):
    path = tmp_path / "scores.csv"
    path.touch()
    os.chown(path, 65534, 65534)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid, path.read_text()) == (65534, 65534, "new")


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_is_followed(tmp_path, there):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target.csv", tmp_path / "scores.csv"
    if there:
        target.write_text("old")
    link.symlink_to("elsewhere/target.csv")
    write(link)
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert [*target.parent.iterdir()] == [target]


def test_a_read_only_file_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "scores.csv"
    path.write_text("old")
    monkeypatch.setattr(os, "access", lambda found, how: how != os.W_OK)  # root may write everything
    with pytest.raises(InputError, match=r"scores\.csv: cannot be written: read-only$"):
        write(path)
    assert path.read_text() == "old"


def test_links_in_a_circle_are_one_line(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InputError, match=r"/a(/scores.csv)?: cannot be written: "):
        write(tmp_path / "a" / "scores.csv")
    with pytest.raises(InputError, match=r"/a: cannot be written: Too many levels of symbolic links$"):
        write(tmp_path / "a")
    assert (tmp_path / "a").is_symlink()


def test_unfinished_files_can_be_discarded(tmp_path):
    with suppress(InputError), atomic(tmp_path / "scores.csv") as temporary:
        temporary.write_text("half")
        discard_unfinished()
        assert list(tmp_path.iterdir()) == []
    write(tmp_path / "scores.csv")
    discard_unfinished()
    assert (tmp_path / "scores.csv").read_text() == "new"
