"""Rules of readiness: what is read, what is refused, and that what is shown can be read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestctl.model.readiness import (
    MOST_DELAY,
    Accepts,
    AgentAnswers,
    HasAddress,
    HasRun,
    Rule,
    parse_rule,
)
from guestctl.model.units import BadValue

rules = st.one_of(
    st.builds(AgentAnswers),
    st.builds(HasAddress),
    st.builds(Accepts, st.integers(1, 65535)),
    st.builds(HasRun, st.integers(0, round(MOST_DELAY * 1000)).map(lambda n: n / 1000)),
)


@given(rules)
def test_what_is_shown_reads_back_as_the_same_rule(rule: Rule) -> None:
    assert parse_rule(str(rule)) == rule


@given(st.text(alphabet="agentcpdlyrs:0123456789 ") | st.text())
def test_any_text_is_a_rule_or_a_bad_value(text: str) -> None:
    try:
        rule = parse_rule(text)
    except BadValue:
        return
    assert parse_rule(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", '"" is no rule'),
        ("agnet", '"agnet" is no rule; did you mean "agent"?'),
        ("adress", 'did you mean "address"?'),
        ("AGENT", '"AGENT" is no rule'),
        ("tpc:22", 'did you mean "tcp"?'),
        ("agent:5", '"agent" takes nothing after it'),
        ("address:", '"address" takes nothing after it'),
        ("tcp", "takes a number from 1 to 65535"),
        ("tcp:0", "takes a number from 1 to 65535"),
        ("tcp:65536", "takes a number from 1 to 65535"),
        ("tcp:http", 'as in "tcp:5432"'),
        ("tcp:-1", "takes a number from 1 to 65535"),
        ("tcp: 22", "takes a number from 1 to 65535"),
        ("tcp:٢٢", "takes a number from 1 to 65535"),
        ("tcp:" + "1" * 5000, "takes a number from 1 to 65535"),
        ("delay", 'takes a duration, as in "delay:20s"'),
        ("delay:soon", 'takes a duration, as in "delay:20s"'),
        ("delay:infinity", "it must have an end"),
        ("delay:2years", "longer than a year"),
    ],
)
def test_what_is_no_rule_says_why(text: str, message: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse_rule(text)
    assert message in str(caught.value)


def test_a_delay_keeps_nobody_waiting_for_long() -> None:
    assert parse_rule("delay:1h") == HasRun(MOST_DELAY)
    with pytest.raises(BadValue, match="more than 1h"):
        parse_rule("delay:300d")
