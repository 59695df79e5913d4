"""Debian packages unpacked, not installed: where the tiny guest's parts come from."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from .cache import BuildError

TIMEOUT = 300
# As root apt would drop to a user that cannot write into our folder, and warn about it.
APT = ("apt-get", "-q", "-o", "APT::Sandbox::User=root")


def output(*argv: str | Path, cwd: Path | None = None) -> str:
    """The standard output of a command; BuildError with its error text if it fails."""
    done = subprocess.run(
        argv, cwd=cwd, text=True, capture_output=True, timeout=TIMEOUT, check=False
    )
    if done.returncode:
        raise BuildError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
    return done.stdout


def dependency(package: str, pattern: str) -> str:
    """The package that a meta package depends on: the one whose whole name fits the pattern."""
    depends = output("apt-cache", "depends", package)
    for name in re.findall(r"Depends: (\S+)", depends):
        if re.fullmatch(pattern, name):
            return str(name)
    raise BuildError(f"{package} depends on nothing like {pattern}")


def unpack(packages: list[str], root: Path) -> None:
    """Download the packages and unpack them under root."""
    debs = root / "debs"
    debs.mkdir(parents=True)
    _download(packages, debs)
    for deb in sorted(debs.glob("*.deb")):
        output("dpkg", "-x", deb, root)


def _download(packages: list[str], debs: Path) -> None:
    try:
        output(*APT, "download", *packages, cwd=debs)
    except BuildError:
        if os.geteuid() != 0:
            raise
        # The lists are older than the archive: the version they name has gone from it.
        output(*APT, "update")
        output(*APT, "download", *packages, cwd=debs)


def libraries(program: Path) -> list[Path]:
    """The shared libraries of a program, its loader included, as this machine has them."""
    listed = output("ldd", program)
    if missing := re.findall(r"(\S+) => not found", listed):
        raise BuildError(f"{program.name} needs {', '.join(missing)}, not installed here")
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]
