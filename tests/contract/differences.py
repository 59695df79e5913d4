"""Where the implementations of Hypervisor differ."""

from __future__ import annotations

from guestctl.model.guest import State
from guestctl.model.ports import ErrorKind

from .benches import (
    Trial,
)

UNKNOWN = "00000000-0000-4000-8000-000000000000"
OF_RUNNING = "of a guest that runs"
OF_OFF = "of a guest that is off"

#: Where an implementation differs: what it does instead, and why that is no harm.
DIFFERENCES: dict[tuple[str, str], tuple[object, str]] = {
    ("test driver", "event of a start from a save"): (
        "booted",
        "it keeps no memory, so it boots where it should restore",
    ),
    ("test driver", "state of a restored paused guest"): (
        State.RUNNING,
        "it keeps no memory, so it boots where it should restore",
    ),
    ("test driver", f"start {OF_RUNNING}"): (
        ErrorKind.FAILED,
        "it says internal error where QEMU says invalid operation",
    ),
    ("test driver", f"unpause {OF_RUNNING}"): (
        ErrorKind.FAILED,
        "it says internal error where QEMU says invalid operation",
    ),
    ("test driver", f"request_shutdown {OF_OFF}"): (
        ErrorKind.FAILED,
        "it says internal error where QEMU says invalid operation",
    ),
    ("test driver", f"unpause {OF_OFF}"): (
        ErrorKind.FAILED,
        "it says internal error where QEMU says invalid operation",
    ),
    ("test driver", f"wake {OF_RUNNING}"): (ErrorKind.UNSUPPORTED, "its guests never sleep"),
    ("test driver", f"abort_job {OF_RUNNING}"): (ErrorKind.UNSUPPORTED, "it knows no jobs"),
    ("test driver", f"job {OF_RUNNING}"): (ErrorKind.UNSUPPORTED, "it knows no jobs"),
    ("test driver", f"job {OF_OFF}"): (ErrorKind.UNSUPPORTED, "it knows no jobs"),
    ("test driver", f"abort_block_job {OF_RUNNING}"): (
        ErrorKind.UNSUPPORTED,
        "it knows no jobs",
    ),
    ("test driver", "set_time without an agent"): (None, "it only notes the time"),
    ("test driver", "discard_save without a save"): (None, "it minds nothing that is not there"),
    ("test driver", "events of QEMU"): (False, "it has none"),
    ("test driver", "event SHUTDOWN"): (False, "it stops guests without a word before"),
}


def expected(trial: Trial, what: str, usual: object) -> object:
    """The usual outcome, or that of the table above."""
    return DIFFERENCES.get((trial.bench.name, what), (usual, ""))[0]
