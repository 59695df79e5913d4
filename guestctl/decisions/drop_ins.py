"""Which drop-ins change what guestctl relies on.  Pure."""

from __future__ import annotations

from ..model.host_units import DropIn

#: Settings that may differ: what the process is told, how it shares the machine, what it is called,
#: and what only adds to the units that it is stopped before.
_HARMLESS = frozenset(
    {
        *("After", "Wants", "Description", "Documentation", "SourcePath"),
        *("Environment", "EnvironmentFile", "PassEnvironment"),
        *("Nice", "Slice", "MemoryHigh", "MemoryLow", "MemoryMin", "TimeoutStartSec"),
        *("SyslogIdentifier", "RestartSec", "WantedBy", "Also", "Alias", "RequiredBy"),
    }
)
_HARMLESS_KINDS = ("CPU", "IO", "StartupCPU", "StartupIO", "BlockIO", "Log", "X-")


#: guestctl's own, wherever they were installed to.
_OURS = ("/10-hardening.conf", "/20-network.conf")


def is_anothers(drop_in: DropIn) -> bool:
    """Whether it is neither guestctl's own nor a package's."""
    if drop_in.path.startswith(("/usr/", "/lib/")):
        return False
    return bool(drop_in.replaces) or not drop_in.path.endswith(_OURS)


def matters(drop_in: DropIn) -> bool:
    """Whether it may: so do one that cannot be read, and one that replaces guestctl's own."""
    if drop_in.trouble or drop_in.replaces:
        return True
    keys = (setting.partition("=")[0].strip() for setting in drop_in.settings)
    return any(key not in _HARMLESS and not key.startswith(_HARMLESS_KINDS) for key in keys)
