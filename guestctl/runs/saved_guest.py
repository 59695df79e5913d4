"""What becomes of a guest's save before the guest is started: discarded, looked for, examined."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ..config.settings import Boot
from ..decisions.staleness import Comparison, Truth
from ..model.guest import GuestFacts
from ..model.options import SaveDecision, Unverifiable
from ..model.plan import GuestPlan, Outcome, Step
from ..model.ports import CALL_LIMIT, HypervisorError, within
from ..model.record import held
from ..model.save import Found, PastSave
from ..model.text import argument
from . import save_check
from .live_guest import LiveGuest
from .run import Run

#: How long files of saved guests are waited for where the guest is tried again later.
SOON = 10.0


def ways_out(name: str) -> str:
    """What a person can do about a guest that is held because of its save; to be pasted."""
    guest = argument(name)
    ways = [f"`guestctl start {way} {guest}`" for way in ("--resume-anyway", "--discard-save")]
    return f"decide with {' or '.join(ways)}"


def ways_to_redefine(name: str) -> str:
    """What a person can do about a guest whose definition is not for this host; to be pasted."""
    guest = argument(name)
    then = f"`guestctl release {guest}` and `guestctl start {guest}`"
    return f"mend it by `virsh edit {guest}`, then {then}"


class End(NamedTuple):
    """Why a guest is not started, and how the run ends for it; awaits, unready: see
    GuestResult."""

    outcome: Outcome
    reason: str
    awaits: bool = False
    unready: str = ""


class SavedGuest:
    """One guest that is to be started, and its save, if it has one.

    plan: what is to be done with it; another step where its save turns out to be there.
    """

    def __init__(self, run: Run, live: LiveGuest, plan: GuestPlan, policy: Boot) -> None:
        self.plan = plan
        self._run = run
        self._context = run.context
        self._live = live
        self._policy = policy

    @property
    def _guest(self) -> GuestFacts:
        return self.plan.guest

    async def prepare(self, decision: SaveDecision | None) -> End | None:
        """Deal with the save; why the guest must not be started, if it must not.

        decision: what a person decided about it.
        """
        if decision is SaveDecision.DISCARD_SAVE:
            return await self._discard() if self._guest.saved else None
        if not self._guest.saved and (end := await self._look_for()):
            return end
        if self._guest.saved and decision is SaveDecision.RESUME_ANYWAY:
            await self._run.remark(self._guest, "its save is resumed unexamined, as was asked for")
        elif self._guest.saved:
            return await self._examine()
        return None

    async def hold(self, reason: str) -> End:
        """Never start it from now on, until a person decides."""
        text, guest = f"{reason}; {ways_out(self._guest.name)}", self._guest
        await self._context.ledger(
            lambda ledger: ledger.note(guest, lambda it: held(it, text, for_save=True)), None
        )
        return End(Outcome.HELD, text)

    async def _discard(self) -> End | None:
        await self._run.remark(self._guest, "its save is discarded, as was asked for")
        try:
            await within(CALL_LIMIT, self._live.hypervisor.discard_save(self._live.uuid))
        except HypervisorError as error:
            if await save_check.is_there(self._context.storage, self._guest) is not False:
                return End(Outcome.FAILED, f"its save could not be discarded: {error}")
        await self._context.ledger(lambda ledger: ledger.saves.discarded(self._guest.id), None)
        return None

    @property
    def _patience(self) -> float:
        """For how many seconds its files are waited for: those who come late are tried again by a
        run of their own, which this one must not keep waiting."""
        if self._run.is_quiet:
            return 0.0
        later = self._context.tries_later and self._run.trigger.keeps_at_it
        return min(self._policy.storage_timeout, SOON if later else float("inf"))

    async def _look_for(self) -> End | None:
        """It was saved, and libvirt sees no save: that may be there a moment later."""
        storage, limit = self._context.storage, self._patience
        saves = await self._saves()
        found = await save_check.look_for_save(storage, self._guest, saves, limit)
        if found is Found.PRESENT:
            resume = replace(self.plan.steps[0], step=Step.RESUME)
            self.plan = replace(self.plan, guest=replace(self._guest, saved=True), steps=(resume,))
        elif found is Found.MISSING:
            await self._context.ledger(lambda ledger: ledger.saves.resumed(self._guest.id), None)
            text = "its save is gone, used or removed by somebody: it boots anew"
            await self._run.remark(self._guest, text)
        elif found is Found.UNREADABLE:
            folder = save_check.saved_to(saves)
            reason = f"its save cannot be found: {folder} is not the folder that it was saved to"
            hint = f"not mounted yet, or mounted over it: then it is seen after `umount {folder}`"
            return End(Outcome.FAILED, f"{reason} ({hint}); it was waited for")
        return None

    async def _examine(self) -> End | None:
        storage, limit = self._context.storage, self._patience
        saves, boot = await self._saves(), self._context.boot
        found = await save_check.examine(storage, self._guest, saves, boot, limit)
        if found.truth is Truth.NOT_THERE:
            return End(Outcome.FAILED, f"{found.reason}; it was waited for")
        if found.truth is Truth.UNUSABLE:
            return await self.hold(f"its save cannot be used: {found.reason}")
        if found.truth is Truth.CHANGED or self._must_hold(found):
            return await self.hold(f"its save is stale: {found.reason}")
        if not found.known and await self._is_unlisted():
            reason = "libvirt says that it has no save, and would resume it from one"
            return await self.hold(f"{reason}: {found.reason}")
        if found.truth is Truth.UNVERIFIABLE:
            await self._run.remark(self._guest, f"resumed without a check: {found.reason}")
        return None

    def _must_hold(self, found: Comparison) -> bool:
        hold = self._policy.unverifiable is Unverifiable.HOLD
        return found.truth is Truth.UNVERIFIABLE and hold

    async def _is_unlisted(self) -> bool:
        """Whether libvirt itself knows nothing of the save that it would resume the guest from.

        Such as one of another guest of that name, or one that was put back by a backup.
        """
        try:
            facts = await self._live.observe()
        except HypervisorError:
            return False  # it is looked at once more before the start
        return facts is not None and not facts.saved

    async def _saves(self) -> tuple[PastSave, ...]:
        nothing: tuple[PastSave, ...] = ()
        return await self._context.ledger(lambda ledger: ledger.saves.of(self._guest.id), nothing)
