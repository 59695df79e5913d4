"""libvirt's own auto-shutdown (11.2 on), which is in guestctl's way: whether it is switched on.

libvirt says nothing of it on a connection; its configuration does.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from .. import tasks

CONF = Path("/etc/libvirt/qemu.conf")
#: What takes guests down as the host goes down, and where it is not to.  Its other settings only
#: say how.
_SETTING = re.compile(
    r'^\s*(auto_shutdown_(?:try_save|try_shutdown|poweroff))\s*=\s*"(\w*)"', re.MULTILINE
)


def switched_on(conf: Path = CONF) -> tuple[str, ...]:
    """The settings that do, as they stand in the file; none where it cannot be read.

    Where one stands twice, libvirt takes the last.
    """
    try:
        found = dict(_SETTING.findall(conf.read_text(errors="replace")))
    except OSError:
        return ()
    return tuple(f'{key} = "{value}"' for key, value in found.items() if value != "none")


async def may_be_on(conf: Path = CONF) -> bool:
    """Whether one of them does, or may have when the daemon began, which goes by what it read then:
    the file was written in this boot."""
    return await tasks.start(lambda: bool(switched_on(conf)) or _is_new(conf))


def _is_new(conf: Path) -> bool:
    try:
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        return conf.stat().st_mtime > time.time() - since_boot
    except OSError:
        return False
