"""What callers over the bus give is checked before anything is done."""

from __future__ import annotations

from typing import Any

import pytest

from guestctl.control.interface import OPTIONS
from guestctl.host.bus_errors import CallError, Standard
from guestctl.host.bus_values import Variant
from guestctl.model.options import SaveDecision
from guestctl.model.plan import RunKind
from guestctl.service import bus_input
from guestctl.service.bus_input import Options

INF = float("inf")
GOOD: dict[str, tuple[Any, Any]] = {
    "reason": ("its disk", "its disk"),
    "command": ("guestctl hold 'a\nb'", r"guestctl hold 'a\nb'"),
    "within": (180.0, 180.0),
    "profile": ("reboot", "reboot"),
    "all": (True, True),
    "decision": ("resume-anyway", SaveDecision.RESUME_ANYWAY),
    "run": (7, 7),
    "order": (30, 30),
    "without_ledger": (True, True),
}


def refused(what: str, *call: Any) -> str:
    """The text of InvalidArgs."""
    with pytest.raises(CallError) as caught:
        getattr(bus_input, what)(*call)
    assert caught.value.name == Standard.INVALID_ARGS
    return caught.value.text


@pytest.mark.parametrize("method", OPTIONS)
def test_every_option_of_the_table_is_understood(method: str) -> None:
    signatures = OPTIONS[method]
    given = {key: Variant(signatures[key], GOOD[key][0]) for key in signatures}
    expected = Options(**{key: GOOD[key][1] for key in signatures})
    assert bus_input.options(method, given) == expected


def test_an_option_that_there_is_not_is_named() -> None:
    text = refused("options", "Hold", {"within": Variant("d", 1.0)})
    assert text == 'options: Hold has no "within"; it has reason, command'


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("within", Variant("u", 3), "is of type u, not d"),
        ("within", Variant("d", 0.0), "more than 0"),
        ("within", Variant("d", -1.0), "more than 0"),
        ("within", Variant("d", INF), "more than 0"),
        ("within", Variant("d", float("nan")), "more than 0"),
        ("within", Variant("d", 86401.0), "a day"),
        ("profile", Variant("s", "x" * 5000), "4096 at most"),
        ("reason", Variant("s", "a\0b"), "control character"),
        ("reason", Variant("v", Variant("s", "a")), "is of type v, not s"),
        ("all", Variant("s", "yes"), "is of type s, not b"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: Variant, words: str) -> None:
    text = refused("options", "Shutdown", {key: value})
    assert text.startswith(f"options: {key}")
    assert words in text


def test_words_and_numbers_of_a_start() -> None:
    said = refused("options", "Start", {"decision": Variant("s", "whatever")})
    assert "one of resume-anyway, discard-save" in said
    assert "counted from 1" in refused("options", "Start", {"run": Variant("u", 0)})
    assert bus_input.kind("restore") is RunKind.RESTORE
    assert bus_input.kind("") is None
    assert refused("kind", "restores").startswith("kind: one of preserve")


@pytest.mark.parametrize("name", ["", "a\nb", "\x7f", "\x9b", "x" * 4097])
def test_a_name_that_is_none(name: str) -> None:
    assert refused("names", ["a", name]).startswith("guests: ")


def test_names_are_taken_once_and_not_without_end() -> None:
    assert bus_input.names(["b", "a", "b"]) == ("b", "a")
    assert "4097 names" in refused("names", [str(n) for n in range(4097)])
    assert "101 names, 100 at most" in refused("few_names", [str(n) for n in range(101)])
    assert "none is named" in refused("named", [])
