"""What is typed after --set and --unset, to a change of a guest's own settings and of its XML."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from guestctl.config.kinds import from_text
from guestctl.config.own import read_own, texts_of
from guestctl.config.own_change import read_wishes
from guestctl.config.settings import GUEST_SETTINGS
from guestctl.host.libvirt.domain_xml import parsed, read_domain_info
from guestctl.host.libvirt.policy_xml import (
    MOST,
    NAMESPACE,
    changed_policy,
    why_unchangeable,
)
from guestctl.model.guest import OwnSetting
from guestctl.model.policy_change import PolicyChange
from guestctl.model.units import BadValue
from tests.unit.makers import texts
from tests.unit.test_own_settings import is_valid, metadata

# What is typed

TYPED = [
    ("save", "none", "none"),
    ("save", '"none"', "none"),
    ("after", "db-1,dns", "db-1 dns"),
    ("after", " db-1, dns  web ", "db-1 dns web"),
    ("after", '["db-*", "dns"]', "db-* dns"),
    ("after", "['a,b']", "a,b"),
    ("after", "", ""),
    ("ready", "agent,tcp:5432,delay:90s", "agent tcp:5432 delay:90s"),
    ("shutdown-timeout", "2min", "2min"),
    ("shutdown-timeout", "120", "2min"),
    ("shutdown-timeout", "1h 30min", "90min"),
    ("restore", "false", "false"),
    ("order", "20", "20"),
    ("order", "none", "none"),
    ("methods", "acpi,agent", "acpi agent"),
    ("user-shutdown", "restart", "restart"),
    ("profile.reboot.methods", "acpi,agent", "acpi agent"),
    ("profile.my.own ups.save", "none", "none"),
]


@pytest.mark.parametrize(("key", "typed", "written"), TYPED)
def test_a_value_as_people_type_it(key: str, typed: str, written: str) -> None:
    assert read_wishes([(key, typed)], []).given == ((key, written),)


MISTAKES = [
    ("sav", "none", 'sav: unknown key; did you mean "save"?'),
    ("save", "never", 'save: expected one of "all", "persistent", "none", not "never"'),
    ("save", "", 'save: expected one of "all", "persistent", "none", not ""'),
    ("retries", "many", 'retries: expected a whole number from 0 to 100, not "many"'),
    ("shutdown-timeout", "2 moments", "shutdown-timeout: expected a duration such as"),
    ("deadline", "1h", "deadline: is for the whole run, and cannot differ from guest to guest"),
    ("action", "restart", 'in a [[guest]] it is called "user-shutdown"'),
    ("profile.ups.sav", "none", 'profile.ups.sav: unknown key; did you mean "save"?'),
    ("profile.ups.restore", "true", "a profile has settings of [shutdown] only"),
    ("profile.ups.deadline", "1h", "is for the whole run, and belongs in [profile.NAME]"),
    ("profile.ups.save", "never", 'expected one of "all", "persistent", "none", not "never"'),
    ("profile.ups", "none", "profile.ups: unknown key"),
    ("profile. .save", "none", "profile. .save: unknown key"),
    ("profile.\x01.save", "none", "characters that XML has no place for"),
    ("match", "web", "match: is for a [[guest]] of the configuration"),
    ("after", "a,a", "the same word twice"),
    ("after", '["my db"]', "a name with blanks has no place there"),
    ("after", '["a b", "ab"]', "a name with blanks has no place there"),
    ("after", '["a"', "after: it begins as TOML does, and is none"),
    ("after", '["a"]\nsave = "none"', "it begins as TOML does, and is more than one value"),
    ("after", "[" * 5000, "it begins as TOML does, and is none"),
    ("after", "a\x01", "characters that XML has no place for"),
    ("after", '["\\u0001"]', "characters that XML has no place for"),
    ("after", "a\udc80", "characters that XML has no place for"),
]


@pytest.mark.parametrize(("key", "typed", "problem"), MISTAKES)
def test_a_mistake_says_what_is_allowed(key: str, typed: str, problem: str) -> None:
    with pytest.raises(BadValue) as caught:
        read_wishes([(key, typed)], [])
    assert problem in str(caught.value)


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(BadValue) as caught:
        read_wishes([("sav", "x"), ("retries", "x"), ("save", "none")], ["save", "order", "order"])
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "sav",
        "retries",
        "save",
        "order",
    ]


@given(texts)
def test_whatever_is_typed_is_refused_or_reads_back(text: str) -> None:
    for row in GUEST_SETTINGS:
        try:
            ((_, written),) = read_wishes([(row.guest_key, text)], []).given
        except BadValue:
            continue
        element = changed(None, (row.guest_key, written))
        assert element
        info = read_domain_info(
            metadata(element.replace("<policy", f"<policy xmlns='{NAMESPACE}'"))
        )
        assert read_own(info.policy).values == {
            row.name: row.kind.parse(from_text(row.kind, written))
        }


# What goes

HAS = (OwnSetting("save", "none"), OwnSetting("sav", "x"), OwnSetting("after", "a"))


def test_what_is_set_takes_the_place_of_what_was() -> None:
    change = read_wishes([("save", "all"), ("order", "3")], ["after"]).change(HAS)
    assert change.of(HAS) == (("sav", "x"), ("save", "all"), ("order", "3"))


def test_a_key_that_no_setting_has_can_go_where_it_is() -> None:
    wishes = read_wishes([], ["sav"])
    assert wishes.change(HAS).of(HAS) == (HAS[0], HAS[2])
    with pytest.raises(BadValue, match='sav: unknown key; did you mean "save"'):
        wishes.change(HAS[:1])


def test_what_is_not_set_is_told() -> None:
    wishes = read_wishes([], ["order", "save"])
    assert wishes.not_there(HAS) == ("order",)
    assert wishes.change(HAS).of(HAS) == HAS[1:]


def test_all_of_it_goes() -> None:
    wishes = read_wishes([("order", "3")], ["all"])
    assert wishes.change(HAS).of(HAS) == (("order", "3"),)
    assert wishes.not_there(()) == ()


def test_texts_of_a_key_are_one() -> None:
    policy = (OwnSetting("after", "a b"), OwnSetting("save", "none"), OwnSetting("after", "c"))
    assert texts_of(policy) == {"after": "a b c", "save": "none"}


# The element


def changed(text: str | None, *given: tuple[str, str], taken: str = "", **more: Any) -> str | None:
    settings = tuple(OwnSetting(*one) for one in given)
    keys = {*taken.split(), *(key for key, _ in given)}
    return changed_policy(text, PolicyChange(settings, frozenset(keys), **more))


def test_an_element_is_made_and_goes_with_its_last_setting() -> None:
    made = changed(None, ("save", "none"), ("after", 'a "b" <c> &é'))
    assert made == '<policy save="none" after="a &quot;b&quot; &lt;c&gt; &amp;é" />'
    assert changed(made, taken="save") == '<policy after="a &quot;b&quot; &lt;c&gt; &amp;é" />'
    assert changed(made, taken="save after") is None
    assert changed(None, taken="save") is None


def test_attributes_and_children_go_alike() -> None:
    children = "\n  <after>a</after>\n  <after>b</after>\n  <ready>agent</ready>\n"
    text = f"<policy save='none'>{children}</policy>"
    assert changed(text, ("after", "c")) == (
        '<policy save="none" after="c"><ready>agent</ready></policy>'
    )
    assert changed(text, ("ready", "address"), taken="save after") == '<policy ready="address" />'


def test_what_is_not_understood_stays() -> None:
    text = (
        '<policy later="1" save="none"><!-- why --><profile name="reboot" save="all"/>'
        '<x:own xmlns:x="urn:x" y="1"><x:in/></x:own></policy>'
    )
    made = changed(text, ("save", "all"))
    assert made is not None
    for part in ('later="1"', 'save="all"', "<!-- why -->", '<profile name="reboot"', "urn:x"):
        assert part in made
    assert changed("<policy save='none'><!-- why --></policy>", taken="save") == (
        "<policy><!-- why --></policy>"
    )
    assert changed(text, ("save", "all"), afresh=True) == '<policy save="all" />'


def test_a_profile_is_a_child_that_goes_with_its_last_setting() -> None:
    made = changed(None, ("profile.reboot.save", "none"), ("profile.ups.save", "all"))
    assert (
        made
        == '<policy><profile name="reboot" save="none" /><profile name="ups" save="all" /></policy>'
    )
    made = changed(made, ("profile.reboot.methods", "acpi"), taken="profile.ups.save")
    assert made == '<policy><profile name="reboot" save="none" methods="acpi" /></policy>'
    text = "<policy save='all'><profile name='reboot'> <save>none</save> </profile></policy>"
    assert changed(text, ("profile.reboot.save", "persistent")) == (
        '<policy save="all"><profile name="reboot" save="persistent" /></policy>'
    )
    assert changed(text, taken="profile.reboot.save save") is None
    other = changed(text, taken="save name")
    assert other == '<policy><profile name="reboot"><save>none</save></profile></policy>'


def test_a_profile_stays_where_an_attribute_is_called_so() -> None:
    text = '<policy profile="x" order="3"><profile name="ups" save="none" /></policy>'
    assert changed(text, taken="profile") == text.replace(' profile="x"', "")


def test_what_has_our_prefix_has_none_for_libvirt() -> None:
    text = f"<g:policy xmlns:g='{NAMESPACE}' g:save='none'><g:after>a</g:after></g:policy>"
    assert changed(text, ("order", "1")) == (
        '<policy save="none" order="1"><after>a</after></policy>'
    )


def test_more_than_is_read_is_not_written() -> None:
    with pytest.raises(BadValue, match=f"more than {MOST}"):
        changed("<policy save='none'/>", ("after", "a" * MOST))
    with pytest.raises(BadValue, match="cannot be read"):
        changed("<policy g:save='none'/>", ("save", "all"))
    assert changed("<policy g:save='none'/>", ("save", "all"), afresh=True)


IN_THE_WAY = [
    (f"<policy xmlns='{NAMESPACE}'/>", ""),
    ("<policy xmlns='urn:guestctl:policy:2'/><o xmlns='urn:o'/>", ""),
    (f"<policy xmlns='{NAMESPACE}'/>" * 2, "several elements"),
    (f"<polcy xmlns='{NAMESPACE}'/>", 'is to be "policy", not "polcy"'),
]


@pytest.mark.parametrize(("inside", "reason"), IN_THE_WAY)
def test_what_libvirts_call_would_lose(inside: str, reason: str) -> None:
    found = why_unchangeable(parsed(metadata(inside)))
    assert reason in found
    assert bool(reason) is bool(found)


def test_what_is_written_is_valid() -> None:
    pairs = [(key, written) for key, _, written in {row[0]: row for row in TYPED}.values()]
    made = changed(None, *pairs)
    assert made
    assert is_valid(made.replace("<policy", f"<policy xmlns='{NAMESPACE}'", 1))
