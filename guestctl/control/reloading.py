"""Having the service read its configuration where it cannot be asked, and mistakes in the files."""

from __future__ import annotations

import os
import signal
from typing import Any

from ..config import effective, reading
from ..host import machine, status_file
from .configured import in_use
from .requests import Failure, RequestError

_BY_SYSTEMD = "`systemctl reload guestctl` does the same"


def refuse_mistakes() -> reading.Reading:
    """What stands in the host's files; RequestError with each of its mistakes."""
    found = reading.read(None)
    if found.problems:
        mistakes = "\n".join(map(str, found.problems))
        text = f"cannot reload: the configuration has mistakes, and nothing was loaded:\n{mistakes}"
        raise RequestError(Failure.WRONG_REQUEST, text)
    return found


def reload_by_signal() -> list[str]:
    """Check the files, and have the service read them; what is different now.  RequestError.

    For root, where the service runs and its bus does not answer.
    """
    said = status_file.read(machine.SYSTEM_RUN)
    if said is None:
        text = "cannot reload: the service does not run; it reads the configuration as it starts"
        raise RequestError(Failure.NOT_ALL_WELL, text)
    if not machine.is_root():
        text = (
            f"cannot reload: the service cannot be asked over the bus, and {_BY_SYSTEMD} for root"
        )
        raise RequestError(Failure.NOT_PERMITTED, text)
    found = refuse_mistakes()
    _signal(said)
    used = in_use(said)
    if not used:
        return ["the service reads its configuration; what it had before is not known"]
    return effective.changes(used, effective.values(found.config))


def _signal(said: dict[str, Any]) -> None:
    """The number is the service's own: whoever has written it has the service's lock still."""
    try:
        os.kill(int(said["pid"]), signal.SIGHUP)
    except (OSError, KeyError, TypeError, ValueError) as error:
        text = f"cannot reload: the service cannot be told: {error!r}; {_BY_SYSTEMD}"
        raise RequestError(Failure.NOT_ALL_WELL, text) from error
