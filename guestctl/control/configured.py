"""The configuration that a command goes by, and what the service has otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..config import effective, last_good
from ..config.config import Config
from ..config.last_good import Loaded
from ..decisions.health import of_auto_shutdown
from ..host import machine, status_file, tasks
from ..host.libvirt import aliases, auto_shutdown
from ..model.uris import DEFAULT, canonical, why_remote
from .requests import Failure, RequestError

#: The folder of the host's ledger.
HOST_STATE = machine.SYSTEM_STATE
#: So many values that differ are named.
_MANY = 5
#: Seconds for a disk to have the last good configuration.
COPY_LIMIT = 2.0


def load_config(file: Path | None, complain: Callable[[str], None], *, strict: bool) -> Loaded:
    """The configuration that is used, its notices told.

    With mistakes, which are told as well, what its `source` says, for who asks to tell; strict:
    RequestError instead.
    """
    loaded = load_in_time(file)
    for notice in loaded.notices:
        complain(str(notice))
    if not loaded.problems:
        return loaded
    mistakes = "\n".join(map(str, loaded.problems))
    if strict:
        text = f"cannot use the configuration:\n{mistakes}"
        raise RequestError(Failure.WRONG_REQUEST, text)
    complain(mistakes)
    return loaded


def load_in_time(file: Path | None) -> Loaded:
    """The configuration, see last_good.load; without the last good one where its disk stalls."""
    try:
        return tasks.in_time(COPY_LIMIT, lambda: last_good.load(file, machine.state_folder()))
    except TimeoutError:
        return last_good.load(file, None)


def uris_of(config: Config, connect: str | None) -> tuple[str, ...]:
    """The connections to use; connect: a URI, instead of the configured ones."""
    chosen = (connect,) if connect else config.general.uris
    root = machine.is_root()
    return tuple(dict.fromkeys(canonical(aliases.resolved(uri), root=root) for uri in chosen))


def default_meant(config: Config) -> str:
    """Which connection "default" stands for, and by what; empty where it is not among the URIs."""
    if DEFAULT not in config.general.uris:
        return ""
    uri, why = aliases.default()
    remote = why_remote(uri)
    left_out = f"; it is left out, since it leads to another host: {remote}" if remote else ""
    return f"the default connection is {uri}, by {why}{left_out}"


def unused(config: Config) -> list[str]:
    """What the service does not use yet of this configuration, value by value.

    Nothing where there is no service, or it does not say what it uses.
    """
    return differing(config, status_file.read(machine.SYSTEM_RUN) or {})


def differing(config: Config, said: Mapping[str, Any]) -> list[str]:
    """The same; said: what the service says of itself."""
    used = in_use(said)
    return effective.differences(effective.values(config), used) if used else []


def in_use(said: Mapping[str, Any]) -> dict[str, str] | None:
    """The values that it uses, as TOML, by key; None where it does not say."""
    used: dict[str, str] | None = said.get("configuration", {}).get("values")
    return used


def say_unused(config: Config, complain: Callable[[str], None]) -> None:
    """Tell of it, and when that changes."""
    if not (lines := unused(config)):
        return
    more = [f"and {len(lines) - _MANY} more"] if len(lines) > _MANY else []
    complain(f"the service does not use this configuration yet: {'; '.join(lines[:_MANY] + more)}")
    complain(
        "it reads the files within seconds, and before it acts;"
        " `guestctl reload` has it read them now"
    )


def say_of_libvirt(complain: Callable[[str], None]) -> None:
    """Tell of what libvirt's own configuration has beside ours."""
    for finding in of_auto_shutdown(auto_shutdown.switched_on()):
        complain(f"{finding.text}: {finding.command}")
