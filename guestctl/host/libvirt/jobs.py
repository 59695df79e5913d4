"""What a guest, and each of its disks, is busy with."""

from __future__ import annotations

from typing import Any

import libvirt

from ...model.event import Job
from .constants import block_job_kind, job_kind
from .domain_xml import disk_targets


def current_job(domain: Any) -> Job | None:
    """The job of the guest as a whole."""
    stats = domain.jobStats()
    if stats.get("type", libvirt.VIR_DOMAIN_JOB_NONE) not in (
        libvirt.VIR_DOMAIN_JOB_BOUNDED,
        libvirt.VIR_DOMAIN_JOB_UNBOUNDED,
    ):
        return None
    return Job(
        job_kind(stats.get("operation", 0)),
        stats.get("data_processed", 0),
        stats.get("data_total", 0),
    )


def block_jobs(domain: Any) -> tuple[Job, ...]:
    """Jobs of its disks.  libvirt has no call for all of them."""
    found = []
    for disk in disk_targets(domain.XMLDesc()):
        if info := domain.blockJobInfo(disk):
            kind = block_job_kind(info.get("type", 0))
            found.append(Job(kind, info.get("cur", 0), info.get("end", 0), disk))
    return tuple(found)


def abort_block_job(domain: Any, disk: str) -> None:
    """Without waiting until it is over: a job whose target hangs may never be."""
    domain.blockJobAbort(disk, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC)
