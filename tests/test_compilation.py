import os
import subprocess
import sys
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from numba import config

import epsinas
from epsinas import compilation

MODULE = "from epsinas.compilation import compiled\n\n@compiled()\ndef triple(number):\n    return 3 * number\n"


def imported(folder: Path):
    """Import a module with a compiled function from a folder whose `__pycache__` cannot be made."""
    (folder / "__pycache__").touch()
    path = folder / "module.py"
    path.write_text(MODULE)
    module = module_from_spec(spec := spec_from_file_location("module", path))
    spec.loader.exec_module(module)
    return module.triple


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Folders for a module and for temporary files; a file in the place of the home."""
    for name in ("module", "temporary"):
        (tmp_path / name).mkdir()
    (tmp_path / "home").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    compilation._temporary_folder.cache_clear()
    yield tmp_path
    compilation._temporary_folder.cache_clear()


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.nb[ci]"))


def test_what_is_compiled_goes_to_a_folder_of_ones_own_for_temporary_files(places):
    assert imported(places / "module")(2) == 6
    assert len(kept(places / "temporary" / f"epsinas-{os.getuid()}")) == 2
    assert config.CACHE_DIR == ""
    again = imported(places / "module")
    assert again(2) == 6
    assert sum(again.stats.cache_hits.values()) == 1


def test_the_folder_that_is_named_is_taken_unless_it_cannot_be_written(places, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(places / "named"))
    assert imported(places / "module")(2) == 6
    assert len(kept(places / "named")) == 2
    monkeypatch.setattr(config, "CACHE_DIR", str(places / "home"))
    assert imported(places / "module")(2) == 6
    assert len(kept(places / "temporary")) == 2


def test_without_any_folder_functions_are_compiled_all_the_same(places, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(places / "home"))
    assert imported(places / "module")(2) == 6
    assert kept(places) == []


def test_no_folder_called_tilde_is_made_where_the_user_has_no_home(places, monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert imported(places / "module")(2) == 6
    assert not (places / "~").exists()
    assert len(kept(places / "temporary")) == 2


@pytest.mark.parametrize("how", ["written by others", "a link", "another's"])
def test_what_others_may_write_is_not_run(places, monkeypatch, how):
    folder = places / "temporary" / f"epsinas-{os.getuid()}"
    if how == "a link":
        (places / "elsewhere").mkdir()
        folder.symlink_to(places / "elsewhere")
    else:
        folder.mkdir()
        folder.chmod(0o777 if how == "written by others" else 0o700)
    if how == "another's":
        if os.getuid():
            pytest.skip("only root can give a folder away")
        os.chown(folder, 65534, 65534)
    assert imported(places / "module")(2) == 6
    assert kept(places) == []


def test_damaged_files_are_made_anew(places):
    assert imported(places / "module")(2) == 6
    for damage in (b"", b"\x80\x04x"):
        for suffix in (".nbi", ".nbc"):
            for path in kept(places):
                if path.suffix == suffix:
                    path.write_bytes(damage)
            assert imported(places / "module")(2) == 6
            again = imported(places / "module")
            assert again(2) == 6
            assert sum(again.stats.cache_hits.values()) == 1


def test_a_full_disk_keeps_nothing(places, monkeypatch):
    triple = imported(places / "module")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(triple._cache._cache_file, "save", full)
    assert triple(2) == 6


EVERYTHING = """
import epsinas.engines.images.kernels, epsinas.engines.sequences.kernels, epsinas.evaluation.kendall
import epsinas.evaluation.resampling, epsinas.sources.large_pickles, epsinas.sources.retrieval
from epsinas.sources.tfrecords import crc32c
print(crc32c(b"123456789") == 0xE3069283, epsinas.__file__)
"""


def test_everything_works_in_a_package_and_a_home_that_cannot_be_written(tmp_path):
    """A container, a batch node, another user's installation: files in the place of all folders for caches."""
    source = Path(epsinas.__file__).parent
    for path in [source, *source.rglob("*")]:
        copy = tmp_path / "epsinas" / path.relative_to(source)
        if path.is_dir() and path.name != "__pycache__":
            copy.mkdir()
            (copy / "__pycache__").touch()
        elif "__pycache__" not in path.parts:
            copy.symlink_to(path)
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "HOME": nowhere, "NUMBA_CACHE_DIR": nowhere}
    environment |= {"TMPDIR": str(tmp_path), "XDG_CACHE_HOME": nowhere}
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == (f"True {tmp_path / 'epsinas' / '__init__.py'}\n", "")
