"""libvirt's own auto-shutdown (11.2 on), which is in guestctl's way: whether it is switched on.

libvirt says nothing of it on a connection; its configuration does.  A daemon goes by what stood
there when it began.

The file is not read as a whole, as `conf_file` does: lines are looked for, for they are what is
switched, and each counts also where another one has a mistake by which libvirt would not start.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from ...model.host_auto_shutdown import QEMU_CONF
from .. import other_files, tasks

CONF = Path(QEMU_CONF)
#: Before each line that a takeover has switched off.
MARK = b"#guestctl takeover: "
#: What takes guests down as the host goes down, and where it is not to.  Its other settings only
#: say how.  libvirt takes both kinds of quotes (virconf.c).
_KEYS = rb"auto_shutdown_(?:try_save|try_shutdown|poweroff)"
_SETTING = re.compile(rb"^[ \t]*(%s)[ \t]*=[ \t]*([\"'])(\w*)\2[^\n]*$" % _KEYS, re.MULTILINE)
_MARKED = re.compile(rb"^%s(?=[ \t]*%s\b)" % (re.escape(MARK), _KEYS), re.MULTILINE)
_NOTHING = b"none"
#: 11.6, as libvirt counts.
_ORDERS_SCOPES = 11_006_000


def switched_on(conf: Path = CONF) -> tuple[str, ...]:
    """The settings that do, as they stand in the file; none where it cannot be read.

    Where one stands twice, libvirt takes the last.
    """
    found = {key: value for key, _, value in _SETTING.findall(_read(conf))}
    return tuple(
        f'{key.decode()} = "{value.decode(errors="replace")}"'
        for key, value in found.items()
        if value != _NOTHING
    )


def switch_off(conf: Path = CONF) -> None:
    """Make comments of all lines that may switch it on, each with MARK before it; OSError.

    Also of those that another line after them overrules: it may go, and they would count.
    """
    before = conf.read_bytes()
    after = _SETTING.sub(_marked, before)
    if after != before:
        other_files.rewrite(conf, after)


def switch_on(conf: Path = CONF) -> None:
    """Have each line that is marked as it was; the file is what it was before, where nobody has
    changed it since.  OSError."""
    before = conf.read_bytes()
    after = _MARKED.sub(b"", before)
    if after != before:
        other_files.rewrite(conf, after)


def is_marked(conf: Path = CONF) -> bool:
    """Whether a takeover has switched it off there."""
    return _MARKED.search(_read(conf)) is not None


def is_known(conf: Path = CONF) -> bool:
    """Whether libvirt has it at all: the file that it ships names it."""
    return b"auto_shutdown" in _read(conf)


def orders_scopes(version: int) -> bool:
    """Whether libvirt, with it on, has guests' scopes outlive its daemon.

    version: as libvirt counts.
    """
    return version >= _ORDERS_SCOPES


def written_at(conf: Path = CONF) -> float:
    """When, in seconds since the epoch; 0.0 where there is none."""
    try:
        return conf.stat().st_mtime
    except OSError:
        return 0.0


def _marked(line: re.Match[bytes]) -> bytes:
    return line[0] if line[3] == _NOTHING else MARK + line[0]


def _read(conf: Path) -> bytes:
    try:
        return conf.read_bytes()
    except OSError:
        return b""


async def may_be_on(conf: Path = CONF) -> bool:
    """Whether one of them does, or may have when the daemon began, which goes by what it read then:
    the file was written in this boot."""
    return await tasks.start(lambda: bool(switched_on(conf)) or _is_new(conf))


def _is_new(conf: Path) -> bool:
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return written_at(conf) > time.time() - since_boot
