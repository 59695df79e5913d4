"""The version of the Debian package: it grows with each build, whatever is built."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
#: A moment of which each commit of these tests is some minutes after.
BEGAN = 1_700_000_000


class Sources:
    """A project with nothing in it but its version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._commits = itertools.count(1)
        (folder / "packaging").mkdir()
        shutil.copy(PROJECT / "packaging/version", folder / "packaging/version")
        self.release("0.3.0")

    def release(self, version: str) -> None:
        (self.folder / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')

    def git(self, *arguments: str, at: int = BEGAN) -> None:
        who = {
            f"GIT_{who}_{what}": "x"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        when = {f"GIT_{who}_DATE": f"{at} +0000" for who in ("AUTHOR", "COMMITTER")}
        env = {**os.environ, **who, **when, "GIT_CONFIG_GLOBAL": "/dev/null"}
        argv = ["git", "-C", str(self.folder), *arguments]
        subprocess.run(argv, check=True, capture_output=True, env=env)

    def commit(self) -> None:
        self.git("add", "--all")
        at = BEGAN + 600 * next(self._commits)
        self.git("commit", "--allow-empty", "--message=more", at=at)

    @property
    def version(self) -> str:
        argv = [self.folder / "packaging/version"]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


@pytest.mark.thorough
def test_each_build_is_an_upgrade_of_the_one_before(sources: Sources) -> None:
    """Seen: all were 0.1.0, and `apt install ./guestctl_….deb` did nothing."""
    versions = []
    sources.git("init")
    for _ in range(2):
        sources.commit()
        versions.append(sources.version)
    sources.git("tag", "v0.3.0")
    versions.append(sources.version)
    sources.commit()
    versions.append(sources.version)
    sources.release("0.4.0")
    sources.commit()
    versions.append(sources.version)
    with (sources.folder / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    for _ in range(2):  # what is not committed
        versions.append(sources.version)
        time.sleep(1.1)
    for before, after in itertools.pairwise(["0.2.0", *versions]):
        subprocess.run(["dpkg", "--compare-versions", before, "lt", after], check=True)
    assert versions[2] == "0.3.0"
    assert versions[0].startswith("0.3.0~git20231114.222320.")


def test_without_git_it_is_the_projects(sources: Sources) -> None:
    assert sources.version == "0.3.0"


def test_before_the_first_commit_too(sources: Sources) -> None:
    sources.git("init")
    assert sources.version == "0.3.0"


def test_the_changelog_has_each_version_of_the_news() -> None:
    news = (PROJECT / "NEWS.md").read_text().splitlines()
    told = [line.removeprefix("## ") for line in news if line.startswith("## ")]
    changelog = (PROJECT / "packaging/debian/changelog").read_text().splitlines()
    kept = [line.split("(")[1].split(")")[0] for line in changelog if line.startswith("guestctl (")]
    # Above the version of the project may be the news of what is to come.
    assert kept == told[told.index(kept[0]) :]
    assert told.index(kept[0]) <= 1
