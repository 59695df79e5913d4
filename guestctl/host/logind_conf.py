"""logind's configuration: which file says how long it waits for inhibitors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..model.host_units import Setting
from .unit_states import drop_in

ROOT = Path("/")
#: Those before go over those after (systemd-logind.conf(5), "CONFIGURATION DIRECTORIES").
_FOLDERS = ("etc", "run", "usr/local/lib", "usr/lib")
_FILE = "systemd/logind.conf"
_KEY = "InhibitDelayMaxSec"


def inhibit_delay(root: Path = ROOT) -> Setting | None:
    """InhibitDelayMaxSec= where it counts; None where no file has it.  Raises OSError."""
    found = None
    for file in _files(root):
        seen = drop_in(file)
        if seen.trouble:
            raise OSError(f"cannot read {file}: {seen.trouble}")
        for line in seen.settings:
            key, _, value = line.partition("=")
            if key.strip() == _KEY:
                # Without a value it is the default again.
                found = Setting(str(file), value.strip()) if value.strip() else None
    return found


def _files(root: Path) -> Iterator[Path]:
    """Those that are read, the one that counts most last."""
    mains = (root / folder / _FILE for folder in _FOLDERS)
    yield from [main for main in mains if main.is_file()][:1]
    by_name: dict[str, Path] = {}
    for folder in _FOLDERS:
        for path in (root / folder / f"{_FILE}.d").glob("*.conf"):
            by_name.setdefault(path.name, path)
    # An empty file, or a link to /dev/null, takes those of the same name out.
    yield from (by_name[name] for name in sorted(by_name) if by_name[name].is_file())
