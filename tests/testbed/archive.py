"""Packages that some hosts have beside those of their image, from the archive of its generation."""

from __future__ import annotations

from pathlib import Path

from .cache import built, recipe_key
from .host_image import host_image
from .packages import APT, output

CONFIG = """
Dir "{image}";
Dir::State "{folder}/state";
Dir::State::status "{image}/var/lib/dpkg/status";
Dir::Cache "{folder}/cache";
Dir::Etc::Trusted "/dev/null";
Dir::Etc::TrustedParts "{image}/etc/apt/trusted.gpg.d";
Acquire::Check-Valid-Until "false";
"""


def debs(suite: str, package: str) -> list[Path]:
    """The package's file, and those of what it needs and the image lacks; kept in the cache."""
    key = recipe_key(CONFIG, host_image(suite).name)
    folder = built(f"debs-{suite}-{package}", key, lambda path: _fetch(suite, package, path))
    return sorted((folder / "cache/archives").glob("*.deb"))


def _fetch(suite: str, package: str, folder: Path) -> None:
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    config = folder / "apt.conf"
    config.write_text(CONFIG.format(image=host_image(suite), folder=folder))
    apt = ("env", f"APT_CONFIG={config}", *APT)
    output(*apt, "update")
    output(*apt, "install", "--yes", "--download-only", "--no-install-recommends", package)
