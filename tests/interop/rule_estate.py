"""Consumers of Java and of ours that obey the same rules in one registry."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from kazoo.client import KazooClient
from support.zookeeper_server import ZookeeperServer, require

from callahead.consumer import Consumer, NoProviderAvailable
from callahead.consumer.testing.scripted_transport import ScriptedTransport
from callahead.registry.host import own_host
from tests.interop.provider import build, java_command
from tests.interop.wires import STUBS, java_name

ECHO: Final = java_name("EchoService")
CALLS: Final = 40
FOLDER: Final = "/dubbo/config/dubbo"
# Java takes about a second to obey a rule.
JAVA_S: Final = 1.5
WAIT_S: Final = 15.0


def provider_url(address: str, parameters: str, application: str = "shop") -> str:
    """Give the URL by which a Java provider registers itself."""
    return (
        f"dubbo://{address}/{ECHO}?application={application}&category=providers&dubbo=2.0.2&dynamic=true&generic=false"
        f"&interface={ECHO}&methods=echo,echoAfter&release=3.3.6&serialization=hessian2&side=provider&timestamp=1"
        f"&{parameters}"
    )


class JavaConsumer:
    """The consumer of ``RuleConsumer.java``.

    Args:
        registry: Where providers and rules are.
        version: Of Dubbo.
        calls: False where it only tells whom it might call.
    """

    def __init__(self, registry: str, version: str = "3.3", *, calls: bool = True) -> None:
        build()
        prompt = f"{registry}?delay-notification=50"  # else it obeys changes of folders 5 s later
        properties = {"interop.registry": prompt, "interop.cluster": "told"}
        if calls:
            properties |= {"dubbo.network.interface.ignored": ".*", "interop.cluster": "failover"}
        if own_host() != "127.0.0.1":  # which it takes for none
            properties["DUBBO_IP_TO_REGISTRY"] = own_host()
        pipe = subprocess.PIPE
        command = java_command(version, "RuleConsumer", properties)
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        assert self._line() == "READY"

    def asked(self, call: str) -> set[str]:
        """Tell who answers such calls."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{CALLS} {call}\n")
        self._process.stdin.flush()
        return set(self._line().replace(",", " ").split())

    def close(self) -> None:
        """End the JVM."""
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


def our_consumer(address: str, **options: Any) -> Consumer:
    """Make a consumer of the same application and service."""
    reference = {"interface": ECHO, "protocol": "dubbo", "stub": f"{STUBS}:EchoService", "loadbalance": "roundrobin"}
    registry = {"id": "main", "address": address}
    config = {"application": {"name": "shop-web"}, "registry": registry, "consumer": {"timeout": 10_000, "retries": 0}}
    return Consumer({**config, "references": {"echo": {**reference, "migration_step": "FORCE_INTERFACE"}}}, **options)


def our_answers(echo: Any, call: str) -> set[str]:
    """Tell who answers such calls of ours."""
    method, argument, *attachments = call.split(" ")
    given = dict(pair.split("=") for pair in attachments)
    function = (echo.echo if method == "echo" else echo.echo_after).with_options(attachments=given)
    arguments = (argument,) if method == "echo" else (argument, 0)
    return {_answer(function, arguments) for _ in range(CALLS)}


def _answer(function: Callable[..., str], arguments: tuple[Any, ...]) -> str:
    try:
        return function(*arguments).removeprefix("dubbo://")
    except NoProviderAvailable:
        return "nobody"


class RuleEstate:
    """Consumers that tell whom they might call of providers that are registered and not there.

    Args:
        registry: Where they are.
        ends: Ends the consumers.
        versions: Of Dubbo.

    Attributes:
        consumer: Ours.
        echo: Our reference.
        javas: The consumers of Java, by their versions.
    """

    def __init__(self, registry: str, ends: ExitStack, versions: Iterable[str]) -> None:
        self.javas = {version: JavaConsumer(registry, version, calls=False) for version in versions}
        for java in self.javas.values():
            ends.callback(java.close)
        transport = ScriptedTransport(lambda attempt: attempt.provider.name, ("echo", "echoAfter"))
        self.consumer = ends.enter_context(our_consumer(registry, transports={"dubbo": transport}))
        self.echo = self.consumer.reference("echo")

    def check(self, expected: Mapping[str, set[str]], without: Iterable[str] = ()) -> None:
        """Hold whom everybody might call against what is *expected*, by calls; Java is given time.

        Args:
            expected: By calls.
            without: Versions that do not obey.
        """
        time.sleep(JAVA_S)
        ends = time.monotonic() + WAIT_S
        javas = self.javas.keys() - set(without)
        wanted = {who: dict(expected) for who in (*javas, "ours")}
        while (found := self._found(expected, javas)) != wanted and time.monotonic() < ends:
            time.sleep(0.2)
        assert found == wanted, {who: one for who, one in found.items() if one != wanted[who]}

    def _found(self, calls: Iterable[str], javas: Iterable[str]) -> dict[str, dict[str, set[str]]]:
        found = {version: {call: self.javas[version].asked(call) for call in calls} for version in javas}
        return {**found, "ours": {call: our_answers(self.echo, call) for call in calls}}


class ZookeeperEstate(RuleEstate):
    """One in ZooKeeper.

    Args:
        server: The server.
        ends: As of `RuleEstate`.
        urls: Of the providers.
        versions: As of `RuleEstate`.
    """

    def __init__(self, server: ZookeeperServer, ends: ExitStack, urls: Iterable[str], versions: Iterable[str]) -> None:
        self._client: KazooClient = server.client()
        ends.callback(self._client.close)
        ends.callback(self._client.stop)
        for url in urls:
            self._client.create(f"/dubbo/{ECHO}/providers/{quote_plus(url)}", makepath=True)
        super().__init__(f"zookeeper://{server.address}", ends, versions)

    def write(self, rules: Mapping[str, str]) -> None:
        """Keep *rules*, texts by their keys, and no others."""
        self._client.ensure_path(FOLDER)
        for known in self._client.get_children(FOLDER):
            if known.endswith(("-router", ".configurators", ".MESHAPPRULE")):
                self._client.delete(f"{FOLDER}/{known}")
        for key, text in rules.items():
            self._client.create(f"{FOLDER}/{key}", text.encode())

    def list_urls(self, category: str, urls: Iterable[str]) -> None:
        """Keep rules that are *urls*, and no others of their category."""
        folder = f"/dubbo/{ECHO}/{category}"
        self._client.ensure_path(folder)
        for known in self._client.get_children(folder):
            self._client.delete(f"{folder}/{known}")
        for url in urls:
            self._client.create(f"{folder}/{quote_plus(url)}")


@contextmanager
def rule_estate(folder: Path, urls: Iterable[str], versions: Iterable[str] = ("3.3",)) -> Iterator[ZookeeperEstate]:
    """Start a ZooKeeper server and what obeys the rules in it; skips where the former cannot be."""
    require()
    with ZookeeperServer(folder) as server, ExitStack() as ends:
        yield ZookeeperEstate(server, ends, urls, versions)
