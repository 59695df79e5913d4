"""systemd's side of libvirt-guests.service, in place of host.unit_files: what its stop would do
goes by what was read last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from guestctl.host import unit_files

STOP = "ExecStop=/usr/libexec/libvirt-guests.sh stop\n"


class FakeUnits:
    """load, active, sub, enabled: systemd's words.  shut_down: whether its stop did that.

    later: what an administrator's drop-in says that is read after ours.  before: is called before
    each change, and may raise.
    """

    def __init__(self, folder: Path) -> None:
        self.load, self.active, self.enabled = "loaded", "active", "enabled"
        self.sub = self.later = ""
        self.shut_down = False
        self.folder = folder
        self.file = folder / "guestctl.conf"
        self.before: Callable[[], None] = lambda: None
        self._read = False

    @property
    def _stops(self) -> bool:
        return self.load == "loaded" and (not self._read or STOP in self.later)

    def show(self, _unit: str, *properties: str) -> dict[str, str]:
        files = [self.file] if self._read else []
        if self.later:
            (self.folder / "override.conf").write_text(self.later)
            files.append(self.folder / "override.conf")
        said = {
            "LoadState": self.load,
            "ActiveState": self.active,
            "SubState": self.sub,
            "UnitFileState": self.enabled,
            "DropInPaths": " ".join(map(str, files)),
            "ExecStop": "{ path=/x }" if self._stops else "",
        }
        return {name: said.get(name, "") for name in properties}

    def reload(self) -> None:
        self.before()
        self._read = self.file.exists()

    def enable(self, _unit: str, *, runtime: bool = False) -> None:
        self.before()
        self.enabled = "enabled-runtime" if runtime else "enabled"

    def disable(self, _unit: str, *, runtime: bool = False) -> None:
        self.before()
        if self.enabled == ("enabled-runtime" if runtime else "enabled"):
            self.enabled = "disabled"

    def start(self, _unit: str) -> None:
        self.before()
        self.active = "active"

    def stop(self, _unit: str) -> None:
        self.before()
        self.shut_down |= self._stops and self.active == "active"
        self.active = "inactive"

    def write_drop_in(self, file: Path, text: str) -> None:
        self.before()
        unit_files.write_drop_in(file, text)

    def remove_drop_in(self, file: Path) -> bool:
        self.before()
        return unit_files.remove_drop_in(file)
