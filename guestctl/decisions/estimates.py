"""How long a step should take, for every guest: by what is known, else by a default.  Pure."""

from __future__ import annotations

from ..model.guest import GuestFacts
from ..model.plan import Basis, Estimate, Step, StepPlan

#: Bytes a second of which a save, and a resume, is taken to be capable: a plain disk.
SAVE_SPEED, RESUME_SPEED = 100 * 2**20, 200 * 2**20
#: Seconds, of a guest of which nothing is known.  It is asked, and powered off, and started: a
#: guest without an agent often takes longer to shut down, few take longer to start.
_DEFAULTS = {Step.SHUTDOWN: 30.0, Step.POWEROFF: 2.0, Step.START: 3.0}
#: What a save and a resume take of a guest without memory to speak of.
_LEAST = 2.0


def expected(guest: GuestFacts, planned: StepPlan) -> Estimate:
    """How long the step should take, and what that goes by."""
    if planned.estimate is not None:
        return Estimate(planned.estimate, planned.basis or Basis.OWN)
    return Estimate(min(_default(guest, planned.step), planned.timeout), Basis.DEFAULT)


def _default(guest: GuestFacts, step: Step) -> float:
    if step is Step.SAVE:
        return _LEAST + guest.memory / SAVE_SPEED
    if step is Step.RESUME:
        return _LEAST + guest.memory / RESUME_SPEED
    return _DEFAULTS[step]
