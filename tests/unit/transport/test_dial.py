"""Which of a host's addresses is tried when, and what is told of those that are not reached."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable, Iterator, Sequence

import pytest
from support.clock import FakeClock
from support.held_thread import HeldThread
from support.places import Place, black_hole, refusing
from support.shortage import no_descriptors
from support.sockets import sockets

from callahead.consumer.transport.tcp.destination import Destination
from callahead.consumer.transport.tcp.dial import Dial
from callahead.consumer.transport.tcp.io_thread import NEVER
from callahead.consumer.transport.tcp.poller import WRITE
from callahead.consumer.transport.tcp.resolve import Address, Found, in_turn
from callahead.consumer.transport.trouble import Trouble

FOUR = socket.AF_INET
SIX = socket.AF_INET6
UNKNOWN_FAMILY = 77


def address_of(place: Place | Address) -> Address:
    """The address that a resolver finds for *place*, which may be one."""
    host, port = place
    if isinstance(host, int):
        return host, port
    return (SIX, (host, port, 0, 0)) if ":" in host else (FOUR, (host, port))


class Dialling:
    """A `Dial` to addresses that a test has chosen, on a thread that stands still."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.thread = HeldThread(self.clock)
        self.opened: list[tuple[socket.socket, Address]] = []
        self.failed: list[Trouble] = []
        self.found: Found = lambda _: None
        self._dial: Dial | None = None

    def begin(self, *places: Place | Address, unwelcome: Sequence[Place] = ()) -> Dial:
        """Dial to a host that has these addresses, or whose look-up goes on."""

        def resolve(address: tuple[str, int], found: Found) -> None:
            assert address == ("shop.test", 50051)
            self.found = found
            if places:
                found([address_of(one) for one in places])

        self._dial = dial = Dial(
            Destination("shop.test", 50051), [address_of(one) for one in unwelcome], self.thread, self.clock, resolve,
            lambda opened, address: self.opened.append((opened, address)), self.failed.append,
        )  # fmt: skip
        dial.start()
        self.thread.run()
        return dial

    def tried(self) -> int:
        """How many addresses are being tried."""
        return len(self.thread.handlers)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and what is due happen."""
        self.clock.advance(seconds)
        self.thread.tick(self.clock.now)

    def hear(self) -> None:
        """Let each socket be heard of which the system has something to say, and what follows happen, to the end."""
        while ready := select.select([], list(self.thread.handlers), [], 0.05)[1] if self.thread.handlers else []:
            for fd in ready:
                if fd in self.thread.handlers:
                    self.thread.handlers[fd].on_ready(WRITE)
            while self.thread.run():
                continue

    def places_opened(self) -> list[Place]:
        """Where sockets have been opened."""
        return [address[1][:2] for _, address in self.opened]

    def close(self) -> None:
        if self._dial is not None:
            self._dial.abandon()
        for opened, _ in self.opened:
            opened.close()


@pytest.fixture
def dialling() -> Iterator[Dialling]:
    """One that has not begun."""
    made = Dialling()
    yield made
    made.close()


@pytest.fixture
def places() -> Iterator[Callable[..., Place]]:
    """Make places of a kind, which last as long as the test."""
    with contextlib.ExitStack() as stack:

        def make(kind: Callable[[str], contextlib.AbstractContextManager[Place]], host: str = "127.0.0.1") -> Place:
            return stack.enter_context(kind(host))

        yield make


@contextlib.contextmanager
def listening(host: str) -> Iterator[Place]:
    """A port at which somebody listens."""
    family = SIX if ":" in host else FOUR
    with socket.create_server((host, 0), family=family) as listener:
        yield host, listener.getsockname()[1]


@pytest.mark.parametrize(
    ("found", "order"),
    [
        ([(SIX, 1), (SIX, 2), (FOUR, 3), (FOUR, 4)], [1, 3, 2, 4]),
        ([(FOUR, 1), (SIX, 2), (SIX, 3), (SIX, 4)], [1, 2, 3, 4]),
        ([(FOUR, 1), (FOUR, 1), (SIX, 2), (FOUR, 1)], [1, 2]),
        ([(FOUR, 1)], [1]),
        ([], []),
    ],
)
def test_families_take_turns(found: list[Address], order: list[int]) -> None:
    """That of the first address begins, and an address that was found twice is tried once."""
    assert [address for _, address in in_turn(found)] == order


def test_the_next_address_is_tried_beside_one_that_does_not_answer(
    dialling: Dialling, places: Callable[..., Place]
) -> None:
    """A quarter of a second later; the first that is there is the one, and the other socket is closed."""
    good = places(listening)
    dialling.begin(places(black_hole), good)
    dialling.pass_time(0.249)
    assert dialling.tried() == 1
    dialling.pass_time(0.001)
    assert dialling.tried() == 2
    dialling.hear()

    assert dialling.places_opened() == [good]
    assert (dialling.thread.handlers, dialling.thread.due, dialling.failed) == ({}, {}, [])


@pytest.mark.parametrize(("bad", "good"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_the_next_address_is_tried_at_once_where_one_refuses(
    dialling: Dialling, places: Callable[..., Place], bad: str, good: str
) -> None:
    """Of whichever family they are, and without any time."""
    there = places(listening, good)
    dialling.begin(places(refusing, bad), there)
    dialling.hear()

    assert dialling.places_opened() == [there]


def test_one_that_has_refused_leaves_those_that_are_being_tried_alone(
    dialling: Dialling, places: Callable[..., Place]
) -> None:
    """Only the last one that fails ends the dial, and each reason is told, equal ones once."""
    first, last = places(refusing), places(refusing, "127.0.0.2")
    dialling.begin(first, places(black_hole), last)
    dialling.hear()
    assert (dialling.tried(), dialling.failed) == (1, [])
    dialling.pass_time(0.25)
    dialling.hear()
    assert (dialling.tried(), dialling.failed) == (1, [])


def test_what_is_told_of_several_addresses(dialling: Dialling, places: Callable[..., Place]) -> None:
    """Each reason once, with the first of its addresses."""
    (one, port), other = places(refusing), places(refusing, "::1")
    dialling.begin((one, port), other, ("127.0.0.2", port))
    dialling.hear()

    assert dialling.failed == [Trouble(f"Connection refused ({one}:{port} and 2 more)")]


def test_what_is_told_of_one_address_does_without_it(dialling: Dialling, places: Callable[..., Place]) -> None:
    """The error names the provider anyway."""
    dialling.begin(places(refusing))
    dialling.hear()

    assert dialling.failed == [Trouble("Connection refused")]


def test_a_dial_says_what_it_is_at(dialling: Dialling, places: Callable[..., Place]) -> None:
    """For the error of one that takes too long: what is being tried, and what has failed."""
    hole, bad = places(black_hole), places(refusing, "::1")
    dial = dialling.begin(bad, hole)
    dialling.hear()

    assert dial.stage.text == f"connecting ({hole[0]}:{hole[1]}); Connection refused ([::1]:{bad[1]})"


def test_so_many_are_tried_at_once_and_no_more(dialling: Dialling, places: Callable[..., Place]) -> None:
    """The oldest gives way, so that the good one among many is found, and descriptors are bounded."""
    _, port = places(black_hole, "0.0.0.0")
    good = places(listening)
    dialling.begin(*((f"127.0.0.{number}", port) for number in range(1, 20)), good)
    tried = []
    for _ in range(19):
        dialling.pass_time(0.25)
        tried.append(dialling.tried())
    dialling.hear()

    assert max(tried) == 16
    assert dialling.places_opened() == [good]


def test_a_thousand_addresses_that_refuse(dialling: Dialling, places: Callable[..., Place]) -> None:
    """One after the other, none of them held for longer than it takes, and told in one line."""
    _, port = places(refusing, "0.0.0.0")
    dialling.begin(*((f"127.0.{number // 250}.{number % 250 + 1}", port) for number in range(1000)))
    dialling.hear()

    assert dialling.failed == [Trouble(f"Connection refused (127.0.0.1:{port} and 999 more)")]
    assert dialling.thread.due == {}


def test_few_reasons_are_told_of_many(dialling: Dialling, places: Callable[..., Place]) -> None:
    """However many there are, the text is bounded."""
    no_scope, broadcast = ("fe80::1", 9), ("255.255.255.255", 9)
    dialling.begin(places(refusing), no_scope, broadcast, (UNKNOWN_FAMILY, ("1.2.3.4", 9)))
    dialling.hear()

    (trouble,) = dialling.failed
    assert len(trouble.text.split("; ")) == 4
    assert trouble.text.endswith("; and 1 more")


def test_the_unwelcome_are_tried_last(dialling: Dialling, places: Callable[..., Place]) -> None:
    """Whoever turned a connection away gets the next one only where nobody else does."""
    first, second = places(listening), places(listening)
    dialling.begin(first, second, unwelcome=[first])
    dialling.hear()

    assert dialling.places_opened() == [second]


def test_a_host_without_any_address(dialling: Dialling) -> None:
    """A resolver that finds nothing has found that."""
    dialling.begin()
    dialling.found([])
    dialling.thread.run()
    assert dialling.failed == [Trouble("the host has no address")]


def test_a_name_that_is_found_too_late(dialling: Dialling, places: Callable[..., Place]) -> None:
    """Nothing is dialled for a dial that was given up meanwhile, as at the end of the consumer."""
    dial = dialling.begin()
    assert dial.stage == Trouble("looking the host up")
    dial.abandon()
    dialling.found([address_of(places(listening))])
    dialling.thread.run()
    assert (dialling.thread.handlers, dialling.opened, dialling.failed) == ({}, [], [])


def test_an_abandoned_dial_closes_every_socket(dialling: Dialling, places: Callable[..., Place]) -> None:
    """Nobody is told, and no time is asked for."""
    holes = places(black_hole), places(black_hole)
    before = sockets()
    dial = dialling.begin(*holes)
    dialling.pass_time(0.25)
    assert len(sockets() - before) == 2
    dial.abandon()
    assert sockets() == before

    assert (dialling.thread.handlers, dialling.thread.due) == ({}, {})
    assert dial.tick(dialling.clock.now + 9) == NEVER
    assert (dialling.opened, dialling.failed) == ([], [])


def test_without_a_descriptor_the_next_address_waits(dialling: Dialling, places: Callable[..., Place]) -> None:
    """What is being tried goes on, and once a descriptor is to be had the address has its turn."""
    good = places(listening)
    dialling.begin(places(black_hole), good)
    with no_descriptors():
        dialling.pass_time(0.25)
    assert (dialling.tried(), dialling.failed) == (1, [])
    dialling.pass_time(0.25)
    dialling.hear()

    assert dialling.places_opened() == [good]


def test_without_any_descriptor_a_dial_fails_at_once(dialling: Dialling, places: Callable[..., Place]) -> None:
    """It asks for no second one, which there would not be either."""
    two = places(listening), places(listening)
    with no_descriptors():
        dialling.begin(*two)
        assert dialling.failed == [Trouble("no socket: Too many open files")]
    assert dialling.thread.run() == 0
