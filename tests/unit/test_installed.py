"""What is installed: the package, and none of the maintainers' tools."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
PACKAGE = PROJECT / "guestctl"


def test_make_install_has_every_module_and_no_tool(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    argv = ["make", "-C", str(PROJECT), "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"]
    subprocess.run(argv, check=True, capture_output=True, env=env)
    library = tmp_path / "usr/lib/guestctl"
    installed = {path.relative_to(library) for path in library.rglob("*.py")}
    assert installed == {path.relative_to(PROJECT) for path in PACKAGE.rglob("*.py")}
    share = tmp_path / "usr/share"
    assert (share / "bash-completion/completions/guestctl").is_file()
    assert (share / "zsh/site-functions/_guestctl").is_file()
    assert (tmp_path / "etc/dbus-1/system.d/org.guestctl1.conf").is_file()
    assert (share / "polkit-1/actions/org.guestctl1.policy").is_file()
    assert (share / "fish/vendor_completions.d/guestctl.fish").is_file()
    # Named by the manual page, and by the how-to for a UPS.
    for name in ("docs/reference/doctor.md", "examples/guestctl-ups"):
        assert (share / "doc/guestctl" / name).is_file()


def test_the_wheel_is_made_of_the_package_alone() -> None:
    """The Debian package is made from it."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["packages"]["find"]["include"] == ["guestctl*"]


def test_make_uninstall_leaves_the_configuration_alone(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    argv = ["make", "-C", str(PROJECT), f"DESTDIR={tmp_path}", "PREFIX=/opt/guests"]
    subprocess.run([*argv, "install"], check=True, capture_output=True, env=env)
    drop_in = tmp_path / "etc/systemd/system/guestctl-.service.d/10-hardening.conf"
    assert "ExecPaths=/usr /opt/guests" in drop_in.read_text()
    subprocess.run([*argv, "uninstall"], check=True, capture_output=True, env=env)
    left = [path for path in tmp_path.rglob("*") if not path.is_dir()]
    assert left == [tmp_path / "etc/guestctl/guestctl.toml"]
    assert not list(tmp_path.rglob("*.service.d"))
