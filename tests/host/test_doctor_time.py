"""Whether there is time for all that guests should have, as the doctor knows it of earlier runs."""

from __future__ import annotations

import pytest

from tests.host.doctor import checks, found
from tests.host.service import configured
from tests.host.stage import DOZEN
from tests.testbed.host import Host

pytestmark = pytest.mark.hosts

CAST = DOZEN
ONE_AT_A_TIME = "[shutdown]\nparallel = 1\n"
LITTLE_TIME = 'deadline = "10s"\n'


def test_saves_for_which_there_is_no_time_one_after_another(host: Host) -> None:
    with configured(host, ONE_AT_A_TIME):
        host.run(["guestctl", "shutdown", "--preserve"], timeout=300)
        host.run(["guestctl", "start"], timeout=300)
        assert "no-time" not in checks(host)
    with configured(host, ONE_AT_A_TIME + LITTLE_TIME):
        finding = found(host, "no-time")
        assert "within 10s" in finding["problem"]
        assert "no save: no time left when it was its turn" in " ".join(finding["evidence"])
        assert finding["command"] == "guestctl plan"
        host.run(finding["command"])
    with configured(host, ONE_AT_A_TIME):
        assert "no-time" not in checks(host)
