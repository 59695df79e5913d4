"""What the service says of itself, and whether it runs."""

from __future__ import annotations

from typing import Any

from ..host import status_file
from ..model.host_units import SERVICE, HostWords
from .configured import differing
from .local import Local


def said_by_service(local: Local, words: HostWords, hosts_files: bool) -> dict[str, Any]:
    """Its status.json, with `running`: None where that is not known.

    hosts_files: whether the configuration of local is the host's, and is to be compared.
    """
    said = status_file.read(local.run_folder)
    running: bool | None = said is not None
    if said is None and not local.sees_all:  # its lock is not for this user's eyes
        active = words.active(SERVICE)
        running = None if active == "unknown" else active in ("active", "reloading")
    if said:
        differs = differing(local.config, said) if hosts_files else []
        said.setdefault("configuration", {})["differs"] = differs
    return {"running": running, "enabled": words.enabled(SERVICE), **(said or {})}
