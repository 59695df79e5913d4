"""What is built of the sources for others than Debian: an sdist and a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
#: What pyproject.toml names as the builder, without pip around it.
BUILD = "import sys, setuptools.build_meta as m; print(getattr(m, sys.argv[1])(sys.argv[2]))"
#: Of setuptools, in every sdist.
MADE = {"PKG-INFO", "setup.cfg"}

pytestmark = pytest.mark.thorough


def tracked() -> list[str]:
    """The files of the repository as they are here."""
    argv = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"]
    argv.append("--exclude-standard")
    found = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    return [name for name in found.split("\0") if name and (PROJECT / name).is_file()]


def copied(folder: Path) -> Path:
    """A copy of just these: what lies about here is not to be in it."""
    for name in tracked():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((PROJECT / name).read_bytes())
        target.chmod((PROJECT / name).stat().st_mode)
    return folder


def built(what: str, sources: Path, folder: Path) -> Path:
    """The sdist or wheel of these sources."""
    argv = [sys.executable, "-c", BUILD, f"build_{what}", str(folder)]
    done = subprocess.run(argv, cwd=sources, capture_output=True, text=True, check=True)
    return folder / done.stdout.splitlines()[-1]


def run(argv: list[str | Path]) -> None:
    subprocess.run(argv, capture_output=True, check=True)


def test_the_sdist_has_all_sources_and_what_is_made_of_it_works(tmp_path: Path) -> None:
    if not (PROJECT / ".git").exists():
        pytest.skip("not a clone: what belongs to the sources is known to git")
    archive = built("sdist", copied(tmp_path / "sources"), tmp_path)
    (tmp_path / "unpacked").mkdir()
    run(["tar", "-xf", archive, "-C", tmp_path / "unpacked"])
    (sources,) = (tmp_path / "unpacked").iterdir()
    files = {str(path.relative_to(sources)) for path in sources.rglob("*") if path.is_file()}
    ours = {name for name in files - MADE if ".egg-info/" not in name}
    assert ours == set(tracked())

    root = tmp_path / "installed"
    run(["make", "-C", sources, "install", f"DESTDIR={root}", "PREFIX=/usr"])
    assert (root / "etc/systemd/system/guestctl.service").is_file()
    assert (root / "usr/share/man/man1/guestctl.1").is_file()
    assert_wheel(built("wheel", sources, tmp_path), tmp_path / "wheel")


def assert_wheel(wheel: Path, folder: Path) -> None:
    """It has the package and its command, which works; and neither units nor pages."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
        names = archive.namelist()
    modules = {str(path.relative_to(PROJECT)) for path in (PROJECT / "guestctl").rglob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == modules
    (points,) = folder.glob("*.dist-info/entry_points.txt")
    assert "guestctl = guestctl.cli.main:entry" in points.read_text()
    entry = "from guestctl.cli.main import entry; entry()"
    env = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", entry, "--help"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Take the guests of a libvirt host to safety" in done.stdout
