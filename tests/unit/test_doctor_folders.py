"""The doctor's checks of folders, and what is read of them."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guestctl.config.config import Config
from guestctl.config.settings import Shutdown
from guestctl.decisions import checks_folders
from guestctl.decisions.doctor import examine
from guestctl.decisions.host_state import HostState
from guestctl.host.file_systems import file_system, look
from guestctl.host.stray_saves import look as strays
from guestctl.ledger.second_copy import SecondCopy
from guestctl.model.finding import Finding, Severity
from guestctl.model.host_folders import FileSystem, Folder, HostFolders, StraySave
from guestctl.model.host_state import NotKnown
from guestctl.model.options import Scope
from tests.unit.healthy import facts, healthy
from tests.unit.makers import URI

EXT4 = FileSystem("/", "ext4", "/dev/sda1")
TMPFS = FileSystem("/var", "tmpfs", "tmpfs")
NFS = FileSystem("/var", "nfs4", "nas:/vms")
SAVES, LEDGER = "/var/lib/libvirt/qemu/save", "/var/lib/guestctl"


def folder(path: str, on: FileSystem | None = EXT4, real: str = "", free: int = 2**30) -> Folder:
    return Folder(path, real or path, on, free)


def host(saves: Folder | None = None, **more: Any) -> HostState:
    values = {"ledger": folder(LEDGER), "copy": folder("/var/cache/guestctl"), **more}
    return healthy(folders=HostFolders(((URI, saves or folder(SAVES)),), **values))


def found(state: HostState) -> list[Finding]:
    return examine(state, checks=checks_folders.CHECKS)


def names(state: HostState) -> list[str]:
    return [finding.check for finding in found(state)]


def test_nothing_on_a_disk() -> None:
    assert found(host()) == []


@pytest.mark.parametrize(
    ("on", "real", "why"),
    [
        (TMPFS, "", "it is in memory: tmpfs mounted on /var"),
        (replace(EXT4, source="/dev/zram0"), "", "it is in memory: ext4 mounted on /"),
        (
            FileSystem("/", "overlay", "overlay", "tmpfs"),
            "",
            "it is in memory: overlay mounted on /, which writes to tmpfs",
        ),
        (EXT4, "/tmp/saves", "/tmp is emptied at boot"),
    ],
)
def test_what_is_not_kept(on: FileSystem, real: str, why: str) -> None:
    (finding,) = found(host(folder(SAVES, on, real)))
    assert (finding.check, finding.evidence) == ("saves-not-kept", (why,))
    assert finding.command == f"findmnt --target {real or SAVES}"
    assert names(host(ledger=folder(LEDGER, on, real))) == ["ledger-not-kept"]
    assert names(host(copy=folder("/var/cache/guestctl", on, real))) == ["second-copy"]


@pytest.mark.parametrize(
    ("on", "real"),
    [(FileSystem("/", "overlay", "overlay"), ""), (None, ""), (EXT4, "/tmpfs"), (EXT4, "/var/tmp")],
)
def test_what_may_be_kept(on: FileSystem | None, real: str) -> None:
    assert found(host(folder(SAVES, on, real))) == []


def test_where_nobody_is_saved_it_does_not_matter() -> None:
    nobody = replace(facts(), config=Config(shutdown=Shutdown(save=Scope.NONE)))
    assert found(replace(host(folder(SAVES, TMPFS)), facts=nobody)) == []


def test_the_network() -> None:
    assert names(host(folder(SAVES, NFS))) == ["saves-on-network"]
    assert names(host(ledger=folder(LEDGER, NFS))) == ["ledger-on-network"]


def test_the_ledger() -> None:
    assert names(host(ledger=folder(LEDGER, free=1000))) == ["ledger-room"]
    (finding,) = found(host(useless="/var/cache/guestctl/ledger-copy.db: file is not a database"))
    assert (finding.check, finding.command) == (
        "second-copy",
        "rm /var/cache/guestctl/ledger-copy.db",
    )


# What is read

MOUNTINFO = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /srv/two\040words rw - tmpfs none rw
24 22 0:22 / /var rw - overlay overlay rw,lowerdir=/a:/b,upperdir=/srv/two\040words/up,workdir=/w
25 22 0:23 / /auto rw shared:9 master:2 - autofs systemd-1 rw
26 25 0:24 / /auto rw - nfs4 nas:/x rw
27 22 0:25 / /live rw - overlay overlay rw,lowerdir=/a,upperdir=/hidden/up
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/a", FileSystem("/", "ext4", "/dev/sda1")),
        ("/srv/two words/a", FileSystem("/srv/two words", "tmpfs", "none")),
        ("/srv/two", FileSystem("/", "ext4", "/dev/sda1")),
        ("/var/lib", FileSystem("/var", "overlay", "overlay", "tmpfs")),
        ("/auto/saves", FileSystem("/auto", "nfs4", "nas:/x")),
    ],
)
def test_the_deepest_and_last_mount_counts(path: str, expected: FileSystem, tmp_path: Path) -> None:
    info = tmp_path / "mountinfo"
    info.write_text(MOUNTINFO)
    assert file_system(path, info) == expected


def test_a_folder_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    seen = look(tmp_path / "link" / "not there yet")
    assert seen.real == str(tmp_path / "not there yet")
    assert seen.file_system is not None
    assert seen.free


def test_a_copy_that_cannot_be_read(tmp_path: Path) -> None:
    copy = SecondCopy(tmp_path)
    assert copy.trouble() == ""
    (tmp_path / "ledger-copy.db").write_bytes(b"no database" * 100)
    assert copy.trouble().startswith(f"{tmp_path}/ledger-copy.db: ")


UUID = "0d0aaf9a-507c-578b-a185-a345db173020"
XML = f"<domain type='kvm'><name>web</name><uuid>{UUID}</uuid></domain>".encode()


def image(xml: bytes, magic: bytes = b"LibvirtQemudSave") -> bytes:
    header = magic + struct.pack("=II", 2, len(xml))
    return header.ljust(92, b"\0") + xml + b"memory"


def test_saves_of_nobody(tmp_path: Path) -> None:
    """By the names of files, as libvirt has it."""
    (tmp_path / "web.save").write_bytes(image(XML))
    (tmp_path / "db ✓.save").write_bytes(image(XML))
    (tmp_path / "odd.save").write_bytes(image(b"", magic=b"else") + XML)
    (tmp_path / "web.save.bak").write_bytes(b"")
    found = strays(tmp_path, {"db ✓"})
    assert [(Path(it.path).name, it.uuid) for it in found] == [("odd.save", ""), ("web.save", UUID)]
    assert found[1].size == len(image(XML))
    assert strays(tmp_path / "none", ()) == ()


def test_one_that_is_gone_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web.save").write_bytes(image(XML))

    def gone(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "open", gone)
    assert strays(tmp_path, ()) == ()


def test_they_are_told() -> None:
    stray = StraySave(f"{SAVES}/my web.save", 3 * 2**30, UUID)
    (finding,) = found(host(strays=(stray,)))
    assert (finding.check, finding.severity) == ("save-of-nobody", Severity.WARNING)
    assert finding.command == f"virsh save-image-dumpxml '{SAVES}/my web.save'"
    assert finding.evidence == (f"3GiB, of the guest {UUID}",)


def test_what_cannot_be_listed_is_not_passed() -> None:
    unseen = NotKnown("whose managed saves there are", "no answer")
    (finding,) = found(host(strays=unseen))
    assert (finding.check, finding.evidence) == ("not-known", ("not checked: save-of-nobody",))
