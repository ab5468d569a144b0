"""Rules in ZooKeeper: a real Java consumer and callahead's select the same providers.

The providers are told apart by port and by parameters, since Java matches no address on 127.x.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import quote_plus

import pytest
from support.zookeeper_server import ZookeeperServer, require

from callahead.consumer.testing import EmbeddedProvider
from tests.interop.rule_estate import (
    ECHO,
    FOLDER,
    JAVA_S,
    WAIT_S,
    JavaConsumer,
    our_answers,
    our_consumer,
    provider_url,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("java", "bound")]

CONDITIONS = f"{ECHO}::.condition-router"
CONFIGURATORS = f"{ECHO}::.configurators"

PARAMETERS = {"a": "region=east", "b": "region=west", "c": "region=east&dubbo.tag=gray", "d": "dubbo.tag=blue"}
# Method, argument and attachments of the calls that are compared under each rule.
ASKED = (
    "echo x",
    "echoAfter x",
    "echo vip-7",
    "echo 15",
    "echo x user=1",
    "echo x dubbo.tag=gray",
    "echo x dubbo.tag=blue",
    "echo x dubbo.tag=gray dubbo.force.tag=true",
    "echo x dubbo.tag=nobody",
    "echo x dubbo.tag=nobody dubbo.force.tag=true",
)
CONFIGURED = f"""
configVersion: v3.0
scope: service
key: {ECHO}
configs:
  - side: consumer
    providerAddresses: ["127.0.0.1:{{a}}"]
    parameters: {{{{PARAMETERS}}}}
"""
# By what they are about: key and text, where {a} is the port of a provider.
RULES = {
    "none": ("", ""),
    "a port": (CONDITIONS, "conditions: ['=> port={a}']"),
    "another port": (CONDITIONS, "conditions: ['=> port!={a}']"),
    "a list": (CONDITIONS, "conditions: ['=> port={a},{b}']"),
    "a list and one of it not": (CONDITIONS, "conditions: ['=> port={a},{b} & port!={a}']"),
    "a method": (CONDITIONS, "force: true\nconditions: ['method=echo => port={b}']"),
    "methods by their begin": (CONDITIONS, "conditions: ['method=echoA* => port={b}']"),
    "not a method": (CONDITIONS, "conditions: ['method!=echo => port={a}']"),
    "a method that is not there": (CONDITIONS, "conditions: ['method=other => port={a}']"),
    "two conditions": (CONDITIONS, "conditions: ['=> port={a},{b}', 'method=echo => port!={a}']"),
    "an argument": (CONDITIONS, "conditions: ['arguments[0]=vip* => port={b}']"),
    "not an argument": (CONDITIONS, "conditions: ['arguments[0]!=x => port={b}']"),
    "a range": (CONDITIONS, "conditions: ['arguments[0]=10~20 => port={b}']"),
    "an attachment": (CONDITIONS, "conditions: ['attachments[user]=1 => port={b}']"),
    "not an attachment": (CONDITIONS, "conditions: ['attachments[user]!=2 => port={b}']"),
    "a parameter": (CONDITIONS, "conditions: ['=> region=east']"),
    "not a parameter": (CONDITIONS, "conditions: ['=> region!=east']"),
    "a caller": (CONDITIONS, "conditions: ['application=shop-web => port={a}']"),
    "another caller": (CONDITIONS, "conditions: ['application=other => port={a}']"),
    "an application": (CONDITIONS, "force: true\nconditions: ['=> application=shop']"),
    "of a provider": (CONDITIONS, "conditions: ['=> provider.port={b}']"),
    "nobody at all": (CONDITIONS, "conditions: ['method=echo => ']"),
    "nobody, by force": (CONDITIONS, "force: true\nconditions: ['=> port=1']"),
    "nobody, without force": (CONDITIONS, "force: false\nconditions: ['=> port=1']"),
    "switched off": (CONDITIONS, "enabled: false\nconditions: ['=> port={a}']"),
    "shares": (
        CONDITIONS,
        (
            "configVersion: v3.1\nconditions: [{{from: {{match: method=echo}}, to: [{{match: port={a}, weight: 50}}, "
            "{{match: port={b}, weight: 50}}]}}]"
        ),
    ),
    "of the caller": ("shop-web.condition-router", "scope: application\nconditions: ['=> port={a}']"),
    "of the provider's application": ("shop.condition-router", "scope: application\nconditions: ['=> port={b}']"),
    "no weight": (CONFIGURATORS, CONFIGURED.replace("PARAMETERS", "weight: 0")),
    "disabled": (CONFIGURATORS, CONFIGURED.replace("PARAMETERS", "disabled: true")),
}


def providers(ends: ExitStack) -> dict[str, EmbeddedProvider]:
    """Start four that answer with their names."""
    made = {}
    for name in PARAMETERS:
        provider = EmbeddedProvider(protocol="dubbo", threads=1)
        provider.serve(ECHO, echo=_answering(name), echoAfter=_answering(name))
        made[name] = ends.enter_context(provider)
    return made


def _answering(name: str) -> Callable[..., str]:
    return lambda *_arguments: name


class Estate:
    """Providers, a registry, and a consumer of either kind."""

    def __init__(self, server: ZookeeperServer, ends: ExitStack) -> None:
        self.client = server.client()
        ends.callback(self.client.close)
        ends.callback(self.client.stop)
        self.ports = {name: int(one.url.rpartition(":")[2]) for name, one in providers(ends).items()}
        for name, port in self.ports.items():
            url = provider_url(f"127.0.0.1:{port}", PARAMETERS[name])
            self.client.create(f"/dubbo/{ECHO}/providers/{quote_plus(url)}", ephemeral=True, makepath=True)
        registry = f"zookeeper://{server.address}"
        self.java = JavaConsumer(registry)
        ends.callback(self.java.close)
        self.echo = ends.enter_context(our_consumer(registry)).reference("echo")

    def write(self, key: str, text: str) -> None:
        """Keep a rule, and no other."""
        self.client.ensure_path(FOLDER)
        for known in self.client.get_children(FOLDER):
            if known.endswith(("-router", ".configurators")):
                self.client.delete(f"{FOLDER}/{known}")
        if key:
            self.client.create(f"{FOLDER}/{key}", text.format(**self.ports).encode())

    def both(self) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        """Tell who answers which calls, of Java and of ours."""
        of_java = {call: self.java.asked(call) for call in ASKED}
        return of_java, {call: our_answers(self.echo, call) for call in ASKED}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    require()
    with ZookeeperServer(tmp_path_factory.mktemp("zookeeper")) as server, ExitStack() as ends:
        made = Estate(server, ends)
        made.both()  # so that every thread is there before the first test
        yield made


@pytest.mark.parametrize("rule", RULES)
def test_both_consumers_select_the_same_providers(estate: Estate, rule: str) -> None:
    """For every kind of call; Java takes about a second to obey a rule."""
    estate.write(*RULES[rule])
    ends = time.monotonic() + WAIT_S
    time.sleep(JAVA_S)
    of_java, of_ours = estate.both()
    while of_java != of_ours and time.monotonic() < ends:
        of_java, of_ours = estate.both()
    assert of_java == of_ours
