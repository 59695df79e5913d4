"""Who comes up after whom: every wish is kept, or given up with a reason."""

from __future__ import annotations

import time
from collections.abc import Iterable
from graphlib import TopologicalSorter

from hypothesis import given
from hypothesis import strategies as st

from guestctl.config.settings import Order
from guestctl.decisions.graph import Node
from guestctl.decisions.policy import is_called
from guestctl.decisions.sequence import NOTHING, Sequence, sequence_of
from guestctl.model.guest import GuestFacts, GuestId
from tests.unit.makers import guest, guest_id


def ordered(**wishes: Order) -> tuple[Sequence, dict[str, GuestId]]:
    """The order of guests by their names."""
    guests = [guest(name.replace("_", "-"), n) for n, name in enumerate(wishes, 1)]
    ids = {name: one.id for name, one in zip(wishes, guests, strict=True)}
    return sequence_of(guests, {ids[name]: wish for name, wish in wishes.items()}), ids


def all_before(order: Sequence) -> dict[Node, set[Node]]:
    """Everybody that comes up before each node, however far."""
    found: dict[Node, set[Node]] = {}
    for node in TopologicalSorter(order.waits_for).static_order():
        direct = order.waits_for[node]
        found[node] = {*direct}.union(*(found[other] for other in direct))
    return found


def test_without_wishes_nobody_waits() -> None:
    order, _ = ordered(a=NOTHING, b=NOTHING)
    assert order.orders_nothing
    assert (order.circles, order.unnumbered, order.requires) == ((), (), {})


def test_names_patterns_and_uuids() -> None:
    order, at = ordered(
        app=Order(after=("db-*", guest_id(4).uuid.upper())),
        db_1=NOTHING,
        db_2=NOTHING,
        dns=NOTHING,
        web=Order(after=("nobody", "web")),
    )
    assert order.waits_for[at["app"]] == {at["db_1"], at["db_2"], at["dns"]}
    assert order.waits_for[at["web"]] == frozenset()


def test_everybody_after_the_firewall_which_does_not_wait_for_itself() -> None:
    order, at = ordered(**dict.fromkeys(["a", "fw", "z"], Order(after=("fw",))))
    assert order.waits_for == {at["a"]: {at["fw"]}, at["z"]: {at["fw"]}, at["fw"]: set()}
    assert order.circles == ()


def test_a_name_that_looks_like_a_pattern_is_both() -> None:
    guests = [guest("db[1]", 1), guest("db1", 2), guest("web", 3)]
    order = sequence_of(guests, {guest_id(3): Order(after=("db[1]",))})
    assert order.waits_for[guest_id(3)] == {guest_id(1), guest_id(2)}


def test_levels_wait_for_the_one_below() -> None:
    order, at = ordered(
        a=Order(order=20), b=Order(order=10), c=Order(order=10), d=NOTHING, e=Order(order=-1)
    )
    before = all_before(order)
    assert before[at["a"]] >= {at["b"], at["c"], at["e"]}
    assert at["d"] not in before[at["a"]]
    assert order.waits_for[at["d"]] == frozenset()


def test_a_circle_loses_the_wait_that_leads_back_to_the_first_by_name() -> None:
    order, at = ordered(a=Order(after=("c",)), b=Order(requires=("a",)), c=Order(after=("b",)))
    assert [circle.guests for circle in order.circles] == [(at["a"], at["c"], at["b"])]
    assert order.waits_for == {at["a"]: {at["c"]}, at["c"]: {at["b"]}, at["b"]: set()}
    assert not order.requires.get(at["b"])


def test_a_number_against_what_it_comes_after_counts_as_none() -> None:
    order, at = ordered(a=Order(order=10, after=("b",)), b=Order(after=("c",)), c=Order(order=20))
    assert order.unnumbered == (at["a"],)
    assert all_before(order)[at["a"]] >= {at["b"], at["c"]}


names = [f"g{n}" for n in range(8)]
wishes = st.builds(
    Order,
    after=st.lists(st.sampled_from([*names, "g*", "x"]), max_size=3).map(tuple),
    requires=st.lists(st.sampled_from(names), max_size=2).map(tuple),
    order=st.none() | st.integers(0, 3),
)


def _guests(number: int) -> list[GuestFacts]:
    return [guest(name, n) for n, name in enumerate(names[:number], 1)]


@given(st.integers(0, 8), st.lists(wishes, min_size=8, max_size=8))
def test_every_wish_is_kept_or_given_up_with_a_reason(number: int, wished: list[Order]) -> None:
    guests = _guests(number)
    given_wishes = dict(zip((one.id for one in guests), wished, strict=False))
    order = sequence_of(guests, given_wishes)
    before = all_before(order)  # raises CycleError for a circle
    left = {circle.guests[-1] for circle in order.circles}
    by_name = {one.name: one.id for one in guests}
    for one in guests:
        own = given_wishes[one.id]
        for name in {*own.after, *own.requires} & by_name.keys() - {one.name}:
            assert by_name[name] in before[one.id] or one.id in left
    numbered = [g for g in given_wishes if given_wishes[g].order is not None]
    for low, high in ((a, b) for a in numbered for b in numbered):
        if _order(given_wishes, low) < _order(given_wishes, high):
            given_up = {low, high} & {*order.unnumbered}
            assert low in before[high] or given_up


def _order(given_wishes: dict[GuestId, Order], guest: GuestId) -> int:
    own = given_wishes[guest].order
    assert own is not None
    return own


@given(st.lists(wishes, min_size=8, max_size=8), st.permutations(range(8)))
def test_the_order_in_which_guests_are_read_does_not_matter(
    wished: list[Order], places: list[int]
) -> None:
    guests = _guests(8)
    given_wishes = dict(zip((one.id for one in guests), wished, strict=True))
    shuffled: Iterable[GuestFacts] = [guests[place] for place in places]
    assert sequence_of(shuffled, given_wishes) == sequence_of(guests, given_wishes)


def test_what_is_required_is_waited_for() -> None:
    order, at = ordered(a=NOTHING, b=Order(requires=("a", "x")))
    assert order.requires == {at["b"]: {at["a"]}}
    assert order.waits_for[at["b"]] == {at["a"]}


def test_thousands_of_guests_take_well_under_a_second() -> None:
    guests = [guest(f"g{n:05}", n) for n in range(5000)]
    wished = {
        one.id: Order(after=(f"g{n - 1:05}", f"g{n // 2:05}", "g0000?"), order=n // 50)
        for n, one in enumerate(guests)
    }
    begun = time.process_time()
    order = sequence_of(guests, wished)
    assert time.process_time() - begun < 2.0
    assert not order.unnumbered


def _edges(order: Sequence) -> int:
    return sum(map(len, order.waits_for.values()))


def test_where_everybody_waits_for_everybody_there_are_few_edges() -> None:
    guests = [guest(f"g{n:04}", n) for n in range(1000)]
    order = sequence_of(guests, {one.id: Order(after=("*",)) for one in guests})
    assert _edges(order) < 3 * len(guests)
    assert [len(order.wished(one.id)) for one in guests] == list(reversed(range(1000)))
    assert len(order.circles) == 999
    assert order.circles[-1].guests == tuple(one.id for one in guests)


def test_ten_patterns_of_each_make_few_edges() -> None:
    guests = [guest(f"{role}-{n:03}", n) for n, role in enumerate(["app", "db", "web", "x"] * 250)]
    patterns = ("app-*", "db-*", *(f"*{digit}" for digit in range(5)), "a*", "d*", "*")
    order = sequence_of(guests, {one.id: Order(requires=patterns) for one in guests})
    assert _edges(order) < 20 * len(guests)
    assert len(order.required(guests[1].id)) > 500


def _naive(
    guests: list[GuestFacts], wished: dict[GuestId, Order]
) -> tuple[dict[GuestId, set[GuestId]], list[tuple[GuestId, ...]]]:
    """The rule to the letter, one wait after the other: what is kept, and the circles."""
    kept: dict[GuestId, set[GuestId]] = {}
    circles: dict[GuestId, tuple[GuestId, ...]] = {}

    def go_through(one: GuestFacts, path: tuple[GuestId, ...]) -> None:
        kept[one.id] = set()
        words = (*wished[one.id].after, *wished[one.id].requires)
        for other in guests:
            if other is one or not any(is_called(other, word) for word in words):
                continue
            if other.id in path:
                circles.setdefault(one.id, (*path[path.index(other.id) :], one.id))
                continue
            kept[one.id].add(other.id)
            if other.id not in kept:
                go_through(other, (*path, one.id))

    for one in guests:
        if one.id not in kept:
            go_through(one, ())
    return kept, [circles[one.id] for one in guests if one.id in circles]


patterns = st.sampled_from([*names, "g*", "*", "g[0-3]", "g[2-6]", "?5", "x", guest_id(3).uuid])
of_patterns = st.builds(
    Order,
    after=st.lists(patterns, max_size=3).map(tuple),
    requires=st.lists(patterns, max_size=2).map(tuple),
)


@given(st.integers(0, 8), st.lists(of_patterns, min_size=8, max_size=8))
def test_patterns_and_circles_come_out_as_by_the_letter_of_the_rule(
    number: int, wished: list[Order]
) -> None:
    guests = _guests(number)
    given_wishes = dict(zip((one.id for one in guests), wished, strict=False))
    order = sequence_of(guests, given_wishes)
    kept, circles = _naive(guests, given_wishes)
    assert {one.id: order.wished(one.id) for one in guests} == kept
    assert [circle.guests for circle in order.circles] == circles
    for one in guests:
        words = given_wishes[one.id].requires
        required = {o.id for o in guests if any(is_called(o, word) for word in words)}
        assert order.required(one.id) == required & kept[one.id]
    before = all_before(order)
    backwards = all_before(Sequence(order.backwards()))
    for one in guests:
        assert {n for n in before[one.id] if isinstance(n, GuestId)} == _all(kept, one.id)
        assert all(one.id in backwards[other] for other in kept[one.id])


def _all(kept: dict[GuestId, set[GuestId]], guest_: GuestId) -> set[GuestId]:
    direct = kept[guest_]
    return direct.union(*(_all(kept, other) for other in direct))


def test_backwards_those_that_are_waited_for_wait() -> None:
    order, at = ordered(a=NOTHING, b=Order(after=("a",)))
    assert order.backwards() == {at["a"]: {at["b"]}, at["b"]: set()}


def test_time_is_kept_for_all_that_go_down_later() -> None:
    order, at = ordered(
        db=Order(order=1), app=Order(after=("db",)), web=Order(after=("app",)), x=Order(order=2)
    )
    kept = order.time_kept(dict.fromkeys(at.values(), 10.0))
    assert kept == {at["db"]: 10.0, at["app"]: 20.0, at["web"]: 30.0, at["x"]: 20.0}
