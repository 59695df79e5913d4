"""The promises of the design, held against what truly became of a simulated host.

Each function yields what is wrong with one run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from guestctl.decisions.policy import Policy, resolve
from guestctl.model.guest import GuestId
from guestctl.model.options import SaveDecision, Unverifiable
from guestctl.model.plan import Outcome, RunKind
from guestctl.model.record import Wanted
from guestctl.model.result import GuestResult
from tests.sim.behaviour import Image
from tests.sim.chronicle import By, Entry, Fate
from tests.sim.guest import SimGuest
from tests.sim.must import lies
from tests.sim.scenario import is_up

from .accounts import Due
from .case import Case
from .in_force import of_host, profile_of
from .order_promises import (
    everybody_has_its_steps,
    lacks_what_it_requires,
    nobody_is_started_without_what_it_requires,
    order_down_is_kept,
    order_up_is_kept,
)
from .profile_promises import (
    saves_keep_their_number,
    shutdowns_keep_their_number,
    steps_are_those_of_the_profile,
    steps_keep_their_limits,
)

#: What a run may take beyond its deadline, for a last poweroff.
POWEROFF_SLACK = 16.0
_DOWN_CALLS = ("save", "poweroff", "request_shutdown agent", "request_shutdown acpi")


def broken(case: Case) -> Iterator[str]:
    """Everything wrong with a run."""
    for promise in (
        results_are_true,
        only_what_it_is_for,
        nobody_is_started_against_their_will,
        only_what_can_be_saved_is_saved,
        no_save_is_misused,
        no_save_is_thrown_away,
        it_ends_in_time,
        unknown_is_not_off,
        the_reserve_is_left,
        what_is_owed_comes_back,
        order_down_is_kept,
        order_up_is_kept,
        nobody_is_started_without_what_it_requires,
        everybody_has_its_steps,
        steps_are_those_of_the_profile,
        steps_keep_their_limits,
        saves_keep_their_number,
        shutdowns_keep_their_number,
    ):
        yield from promise(case)


def results_are_true(case: Case) -> Iterator[str]:
    """What it says of its guests is so."""
    touched = {e.guest for e in case.entries if e.by is not By.GUESTCTL}
    starting = {id for id, facts in case.done.facts.items() if facts.up and not is_up(facts)}
    if case.run:
        yield from lies(case.done, case.run, frozenset(touched | starting))


def only_what_it_is_for(case: Case) -> Iterator[str]:
    """A restore takes nobody down; nothing else brings anybody up."""
    for call in case.calls:
        if (call.name in _DOWN_CALLS) if case.kind is RunKind.RESTORE else call.name == "start":
            yield f"{call.name} of {call.guest}"


def nobody_is_started_against_their_will(case: Case) -> Iterator[str]:
    """Neither those that were turned off, nor those that a person or another program keeps."""
    ids = {facts.name: guest for guest, facts in case.was.facts.items()}
    for name in sorted({call.guest for call in case.calls if call.name == "start"} & set(ids)):
        for reason in _why_not_to_start(case, ids[name], named=name in case.command.names):
            yield f"{name} is started, though {reason}"


def _why_not_to_start(case: Case, guest: GuestId, *, named: bool) -> Iterator[str]:
    record = case.was.records.get(guest)
    if record and record.hold is not None and not record.held_for_save:
        yield f"it is held: {record.hold}"
    sim = case.host.find(guest)
    if sim is None:
        return
    boot = _policy(case, sim).boot
    if boot.managed_elsewhere or sim.info.manager:
        yield "another program starts it"
    if named:
        return
    if case.account(guest).due is Due.OFF:
        yield "it is to be off"
    if not boot.restore and case.command.verb != "resume":
        yield "policy says not to"


def only_what_can_be_saved_is_saved(case: Case) -> Iterator[str]:
    """Time is not wasted on guests whose XML speaks against it."""
    for call in case.calls:
        for guest in case.host.guests():
            if call.name == "save" and call.guest == guest.name and guest.info.unsavable:
                yield f"save of {guest.name}: {guest.info.unsavable[0]}"


def no_save_is_misused(case: Case) -> Iterator[str]:
    """None is resumed from twice, and none that is not true, as far as guestctl can know."""
    started = {call.guest for call in case.calls if call.name == "start"}
    for entry in case.entries if case.command.decision is None else ():
        ours = entry.fate is Fate.RESUMED and entry.by is By.GUESTCTL
        name = case.host.name_of(entry.guest)
        # What is only now through was begun by an earlier command.
        if ours and entry.wrong and name in started and _could_know(case, entry):
            yield f"{name} is resumed wrongly: {entry.wrong}"


def _could_know(case: Case, entry: Entry) -> bool:
    save = (entry.guest, entry.image)
    if entry.guest not in case.was.stale:
        return False  # it became so only while it was being started
    if case.memory.is_used_up(save, entry.boot):
        return True
    changed = "its disks changed" in entry.wrong
    verifiable = case.guest(entry.guest).has_verifiable_disks
    return changed and verifiable and save in case.memory.witnessed


def no_save_is_thrown_away(case: Case) -> Iterator[str]:
    """A save is removed because a person said so, or as the wreck of one that failed."""
    told_to = case.command.decision is SaveDecision.DISCARD_SAVE
    for entry in case.entries:
        ours = entry.fate is Fate.DISCARDED and entry.by is By.GUESTCTL
        if ours and entry.wrong and not told_to:
            yield f"the save of {case.guest(entry.guest).name} is discarded: {entry.wrong}"


def it_ends_in_time(case: Case) -> Iterator[str]:
    """A run that takes guests down keeps its deadline, but for a last poweroff."""
    if case.run is None or case.kind is RunKind.RESTORE:
        return
    settings = of_host(case.script.config, profile_of(case.command))
    deadline = case.command.within or settings["deadline"]
    took = case.done.ended - case.done.report.plans[0][0]
    if took > deadline + POWEROFF_SLACK:
        yield f"it took {took:g} s of {deadline:g} s"


def unknown_is_not_off(case: Case) -> Iterator[str]:
    """A guest of which it is not known what came is wanted as it was."""
    for result in case.run.guests if case.run and case.ledger_worked else ():
        facts = case.was.facts.get(result.guest)
        if result.outcome is not Outcome.UNKNOWN or facts is None or not facts.persistent:
            continue
        before, now = case.was.records.get(result.guest), case.record(result.guest)
        wanted = Wanted.ON if facts.up else before and before.wanted
        if wanted and (now is None or now.wanted is not wanted):
            yield f"{result.name} is unknown, and wanted {now and now.wanted}, not {wanted}"


def the_reserve_is_left(case: Case) -> Iterator[str]:
    """Our saves do not fill their file system."""
    others = any(e.fate is Fate.SAVED and e.by is not By.GUESTCTL for e in case.entries)
    if not case.calm or others or case.kind is not RunKind.PRESERVE:
        return
    for uri, daemon in case.host.daemons.items():
        before, now = case.was.free.get(uri), daemon.free
        reserve = of_host(case.script.config, profile_of(case.command))["save_reserve"]
        least = min(before or 0, reserve)
        if before is not None and now is not None and now < least:
            yield f"{now} bytes are left of {before} where saves go"


# -- coming back ---------------------------------------------------------------------------------


def what_is_owed_comes_back(case: Case) -> Iterator[str]:
    """Every guest that is owed a start is up, or there is a good reason."""
    run = case.run
    if case.kind is not RunKind.RESTORE or run is None or run.interrupted or case.command.names:
        return
    for guest in sorted(filter(case.is_meant, case.owed)):
        facts = case.done.facts.get(guest)
        if facts is None or not facts.persistent or facts.up or guest.uri in run.lost:
            continue
        if is_up(case.was.facts[guest]):
            continue  # it went down since: the next run's to see
        if not _somebody_else(case, guest):
            yield from _judge(case, guest, case.result(guest))


def _somebody_else(case: Case, guest: GuestId) -> bool:
    return any(e.guest == guest and e.by is not By.GUESTCTL for e in case.entries)


def _judge(case: Case, guest: GuestId, result: GuestResult | None) -> Iterator[str]:
    name, record = case.guest(guest).name, case.record(guest)
    if result is None:
        yield f"{name} does not come back, without a word"
        return
    if not result.reason:
        yield f"{name} is {result.outcome} for no reason"
    if case.ledger_worked and (record is None or record.wanted is not Wanted.ON):
        yield f"{name} did not come up, and is not wanted any more"
    if case.calm and not _is_excused(case, case.guest(guest), result):
        yield f"{name} is {result.outcome}, though it could be up: {result.reason}"


def _policy(case: Case, guest: SimGuest) -> Policy:
    """With what the guest's own XML says."""
    return resolve(case.script.config, replace(guest.facts, info=guest.info))


def _is_excused(case: Case, guest: SimGuest, result: GuestResult) -> bool:
    policy = _policy(case, guest)
    if result.awaits:
        # For want of another, which is judged by itself.
        return lacks_what_it_requires(case, guest.facts)
    if result.outcome is Outcome.SKIPPED:
        elsewhere = policy.boot.managed_elsewhere or guest.info.manager
        return bool(elsewhere) or not policy.boot.restore
    if result.outcome is Outcome.HELD:
        return _may_be_held(case, guest, policy)
    # A save that cannot be seen is unknown, and starting without it could lose what is in it.
    unseen = not case.host.files.saves_mounted
    return result.outcome is Outcome.FAILED and (unseen or _may_fail(guest, policy))


def _may_be_held(case: Case, guest: SimGuest, policy: Policy) -> bool:
    """By a person, as before, or since its save may not be true."""
    before = case.was.records.get(guest.id)
    if before and before.hold is not None:
        return True
    if guest.image is Image.NONE:
        return False
    witnessed = (guest.id, guest.images.number) in case.memory.witnessed
    verifiable = witnessed and guest.has_verifiable_disks
    held_unverifiable = policy.boot.unverifiable is Unverifiable.HOLD and not verifiable
    return held_unverifiable or not guest.has_true_save or guest.id in case.memory.uncertain


def _may_fail(guest: SimGuest, policy: Policy) -> bool:
    start = guest.behaviour.start
    slow = start.after + 1 >= policy.boot.start_timeout
    return slow or start.fails > policy.boot.retries or not guest.can_open_disks()
