"""The effective settings that a consumer runs by: immutable, nothing unset, each value with its origin.

What may hold a secret (addresses, attachments, a registry's parameters) is left out of ``repr()``.

Past this module nothing reads YAML or meets "not set". Precedence, highest first: per-call options, method, reference,
consumer, built-in. Source: Dubbo's ``getMethodParameter``; differs: a value set to false or 0 is a value, and survives.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from .attempts import Backoff, Hedge, Outlier
from .errors import ConfigError, Problem

DEFAULT_PROTOCOL = "tri"
BUILT_IN = "built-in"
CALL = "call"
PROVIDER = "provider"
LAZY: Final = "lazy"
MIGRATION_STEPS: Final = ("APPLICATION_FIRST", "FORCE_APPLICATION", "FORCE_INTERFACE")
# These steer this side of the call; Dubbo lets them travel, and a nested call inherits them (apache/dubbo#469, #8281).
NEVER_SENT = frozenset({"async", "retries", "return", "sent"})


# Keys in the YAML of attributes that have another name here; a duration is without its unit there.
_KEYS: Final = {
    "attachments": "parameters",
    "is_async": "async",
    "registries": "registry",
    "returns": "return",
    "urls": "url",
}


_BACKOFF: Final = Backoff()
_NO_HEDGE: Final = Hedge(most=0)
_OUTLIER: Final = Outlier()


def key_of(attribute: str) -> str:
    """Give the key of *attribute* in the YAML, in snake_case."""
    return _KEYS.get(attribute, attribute.removesuffix("_ms"))


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPolicy:
    """When one-way requests that wait for each other leave.

    Attributes:
        max_bytes: Once they have as many bytes, or more; > 0.
        max_count: Once there are as many; > 0.
        max_delay_ms: As many milliseconds after the first of them was queued; > 0.
    """

    max_bytes: int = 1024 * 1024
    max_count: int = 1000
    max_delay_ms: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPolicy:
    """What one method of one reference does.

    Attributes:
        reference: Id of the reference, as in the YAML.
        method: Name as the YAML or, for a method that it does not name, as the interface spells it; ``"*"`` in the
            policy of all the methods that the YAML does not name.
        is_async: YAML ``async``: the call returns at once and the answer is in the context's future. It returns None,
            or, where this is ``"lazy"``, an object that becomes the answer at its first use.
        sent: The call returns once the request was handed to this machine's transport.
        returns: YAML ``return``: False drops the answer, and no future is made.
        timeout_ms: Longest time of one attempt, whole milliseconds, > 0.
        total_timeout_ms: Longest time of the whole call, retries and queueing included, whole milliseconds, > 0.
        retries: Attempts after the first, >= 0.
        idempotent: The method may run twice, so an attempt in doubt may be repeated.
        retry_on: ``module:Class`` of exceptions that may be repeated too, where the method is *idempotent*.
        retry_backoff: Pauses between attempts.
        hedge: Further attempts beside one that takes long, where the method is *idempotent*.
        cluster: Entry point name of the failure strategy.
        forks: Providers that ``cluster: forking`` asks at once, 0 for all.
        broadcast_fail_percent: Share of providers whose failure ends a call of ``cluster: broadcast`` at once, 1..100.
        failback_tasks: Most failed calls that ``cluster: failback`` keeps for the method, > 0; *max_delayed_bytes* too.
        failback_period_ms: Its pause before the first repetition, > 0.
        merger: Entry point name of what ``cluster: mergeable`` makes one answer with; ``default`` goes by their type.
        loadbalance: Entry point name of the load balancer.
        actives: Most calls at once, 0 for no limit.
        when_full: What one more does, here and at the limits of reference and consumer: ``reject`` (it fails with
            `LimitExceeded`), ``block`` (the calling thread waits), ``delay`` (it waits in a queue), or ``shed_oldest``
            (likewise, and where the queue is full the first in it is refused).
        max_delayed: Most calls that wait at one limit, >= 0.
        max_delayed_bytes: Most bytes of their requests, > 0.
        max_pending: Most calls that have begun and not ended, 0 for no limit; set for this very method.
        max_pending_bytes: Most bytes of their requests, 0 for no limit; likewise.
        interceptors: Names as in the YAML: entry points or ``module:Class``; ``-name`` removes an earlier one.
        oninvoke: ``module:function`` called with the arguments before the call, or None.
        onreturn: ``module:function`` called with the value, or None.
        onthrow: ``module:function`` called with the error, or None.
        unobserved: What becomes of a failed future that nobody looked at: ``log``, ``raise`` (through
            `sys.unraisablehook`) or ``ignore``.
        mock: Rules of answers made on this side, as in YAML (``fail:return null``), in order.
        validation: ``module:function`` called with the arguments before anything is sent, or None.
        cache: ``lru`` keeps answers, ``none`` does not.
        cache_size: Most answers that are kept, > 0.
        cache_ttl_ms: How long each is kept, 0 for ever.
        sticky: A call goes to the provider of the call before it, as long as that is there.
        batch: When its requests leave, where they wait for each other; else None. Only of a method whose calls wait
            neither for an answer nor for the writing.
        hash_nodes: Points of each provider on the ring of ``consistenthash``, >= 4.
        hash_arguments: Places from 0, or names, of the arguments that it goes by.
        attachments: Sent with each call, under those of the context; YAML ``parameters``, and *call_attachments*.
        call_attachments: Those of the call's own options, which go before those of the context.
        parameter_types: Java parameter types in order, or None where they are not declared.
        origins: From attribute name to where its value was set: ``"conf/x.yml:14"``, ``"built-in"``, ``"provider"`` or
            ``"call"``; from ``"method"`` to where the YAML names the method.
    """

    reference: str
    method: str
    is_async: bool | Literal["lazy"] = False
    sent: bool = False
    returns: bool = True
    timeout_ms: int = 1000
    total_timeout_ms: int = 3000
    retries: int = 2
    idempotent: bool = False
    retry_on: tuple[str, ...] = ()
    retry_backoff: Backoff = _BACKOFF
    hedge: Hedge = _NO_HEDGE
    cluster: str = "failover"
    forks: int = 2
    broadcast_fail_percent: int = 100
    failback_tasks: int = 100
    failback_period_ms: int = 5000
    merger: str = "default"
    loadbalance: str = "random"
    actives: int = 0
    when_full: str = "reject"
    max_delayed: int = 1000
    max_delayed_bytes: int = 16 * 1024 * 1024
    max_pending: int = 0
    max_pending_bytes: int = 0
    interceptors: tuple[str, ...] = ()
    oninvoke: str | None = None
    onreturn: str | None = None
    onthrow: str | None = None
    unobserved: str = "log"
    mock: tuple[str, ...] = ()
    validation: str | None = None
    cache: str = "none"
    cache_size: int = 1000
    cache_ttl_ms: int = 180_000
    sticky: bool = False
    batch: BatchPolicy | None = None
    hash_nodes: int = 160
    hash_arguments: tuple[str, ...] = ("0",)
    attachments: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    call_attachments: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    parameter_types: tuple[str, ...] | None = None
    origins: Mapping[str, str] = field(default_factory=_nothing, compare=False)

    def origin(self, attribute: str) -> str:
        """Say where the value of *attribute* was set."""
        return self.origins.get(attribute, BUILT_IN)

    def problem(self, attribute: str, text: str, hint: str = "") -> Problem:
        """Say what is wrong with *attribute*, or with the whole method where that is ``"method"``, where it was set."""
        key = f"references.{self.reference}.methods.{self.method}"
        whole = key if attribute == "method" else f"{key}.{key_of(attribute)}"
        return Problem.at(self.origin(attribute), whole, text, hint)

    def error(self, attribute: str, text: str, hint: str = "") -> ConfigError:
        """Make the error of a single `problem`."""
        return ConfigError([self.problem(attribute, text, hint)])

    def override(self, **values: Any) -> MethodPolicy:
        """Copy with *values*, each marked as set by the call; see `amended`."""
        return self.amended(CALL, **values)

    def amended(self, origin: str, **values: Any) -> MethodPolicy:
        """Copy with *values*, each marked as set by *origin*.

        A new ``timeout_ms`` or ``retries`` without a ``total_timeout_ms`` renews the total as
        ``timeout x (retries + 1)``, unless the total was set explicitly.
        """
        new = dataclasses.replace(
            self, **values, origins=MappingProxyType({**self.origins, **dict.fromkeys(values, origin)})
        )
        renews = {"timeout_ms", "retries"} & values.keys() and self.origin("total_timeout_ms") == BUILT_IN
        if renews and "total_timeout_ms" not in values:
            new = dataclasses.replace(new, total_timeout_ms=new.timeout_ms * (new.retries + 1))
        return new


@dataclass(frozen=True, slots=True, kw_only=True)
class SslPolicy:
    """TLS towards the providers of a reference; paths of PEM files, already known to be readable.

    Attributes:
        ca: Certificates to trust, or None for the system's.
        cert: This consumer's own certificate chain for mutual TLS, or None.
        key: The private key of *cert*, or None.
        server_name: Name to expect in the provider's certificate in place of its address, or None.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterPolicy:
    """One rule of ``routers``.

    Attributes:
        kind: Entry point name.
        rule: What was written, as the model of that kind; nothing but the kind reads it.
        text: Likewise, for people.
        origin: Where it was written.
    """

    kind: str
    rule: Any
    text: str
    origin: str

    def __str__(self) -> str:
        return f"{self.kind} {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePolicy:
    """What one reference is: the interface it stands for, where its providers are, and how each method behaves.

    Attributes:
        id: Key in the YAML's ``references``.
        interface: Full name of the service, such as ``com.alibaba.foo.FooService``.
        group: Dubbo group, "" for none.
        version: Dubbo version, "" for none.
        protocol: Entry point name of the transport.
        urls: Direct provider addresses as URLs; empty where a registry is used.
        registries: Ids of the registries to ask; empty where *urls* is used.
        migration_step: Which of a registry's providers are seen: those registered by application and by interface
            (``APPLICATION_FIRST``), or of one kind alone. Dubbo's ``migration.step``.
        provided_by: Applications that provide the interface; empty where the registry says which.
        stub: ``module:Class`` of a generated stub, or of annotated functions for a Java interface; or a module of
            generated stubs; or None.
        check: The first `Consumer.reference` fails when no provider is known.
        lazy: Connections are made at the first call; else with the reference, which fails where *check* is true and no
            provider can be reached. Source: Dubbo ``lazy``, which is false there unless set.
        ssl: TLS settings, or None for plain TCP.
        routers: Rules that narrow the providers of its calls, beside those that registries keep.
        tag: ``dubbo.tag`` of calls that say none themselves, "" for none.
        connections: 0 shares one connection per address with other references, n > 0 opens n of its own.
        max_request_bytes: Largest request, in bytes, > 0.
        max_response_bytes: Largest response, in bytes, > 0.
        max_queued_requests: Most requests that one connection has begun and not ended, > 0.
        max_queued_bytes: Most bytes of these, > 0; a single request of any size may run where nothing else does.
        max_pending: Most calls of the reference that have begun and not ended, 0 for no limit.
        max_pending_bytes: Most bytes of their requests, 0 for no limit.
        connect_timeout_ms: Longest time of one connection attempt.
        generic: Every method is called through Dubbo's ``$invoke``, with or without known types.
        serialization: How the values of a Java interface become bytes.
        outlier: When a provider that fails is passed over.
        transport: What the transport of *protocol* declares as its settings, an immutable object of that class.
        client: The object of this program that `Consumer.wrap` was given for the reference; None mostly.
        default: Policy of every method that the YAML does not name.
        methods: From a method's name in the YAML to its policy.
        origins: From attribute name to where it was set; of what *ssl* has from ``"ssl.ca"`` and its like.
    """

    id: str
    interface: str
    group: str = ""
    version: str = ""
    protocol: str = DEFAULT_PROTOCOL
    urls: tuple[str, ...] = field(default=(), repr=False)
    registries: tuple[str, ...] = ()
    migration_step: Literal["APPLICATION_FIRST", "FORCE_APPLICATION", "FORCE_INTERFACE"] = "APPLICATION_FIRST"
    provided_by: tuple[str, ...] = ()
    stub: str | None = None
    check: bool = True
    lazy: bool = True
    ssl: SslPolicy | None = None
    routers: tuple[RouterPolicy, ...] = ()
    tag: str = ""
    connections: int = 0
    max_request_bytes: int = 8 * 1024 * 1024
    max_response_bytes: int = 8 * 1024 * 1024
    max_queued_requests: int = 200_000
    max_queued_bytes: int = 64 * 1024 * 1024
    max_pending: int = 0
    max_pending_bytes: int = 0
    connect_timeout_ms: int = 3000
    generic: bool = False
    serialization: str = "hessian2"
    outlier: Outlier = _OUTLIER
    transport: Any = None  # each transport knows the class, nothing else reads it
    client: Any = field(default=None, repr=False, compare=False)
    default: MethodPolicy
    methods: Mapping[str, MethodPolicy] = field(default_factory=_nothing)
    origins: Mapping[str, str] = field(default_factory=_nothing, compare=False)

    @property
    def is_local(self) -> bool:
        """It is served in this process, so it has no addresses."""
        return self.transport is not None and bool(self.transport.is_local)

    def origin(self, attribute: str) -> str:
        """Say where the value of *attribute* was set."""
        return self.origins.get(attribute, BUILT_IN)

    def problem(self, attribute: str, text: str, hint: str = "") -> Problem:
        """Say what is wrong with *attribute*, which may be one of *transport*, at the place where it was set."""
        declared = None if self.transport is None else self.transport.key_of(attribute)
        key = key_of(attribute) if declared is None else declared
        return Problem.at(self.origin(attribute), f"references.{self.id}.{key}", text, hint)

    def error(self, attribute: str, text: str, hint: str = "") -> ConfigError:
        """Make the error of a single `problem`."""
        return ConfigError([self.problem(attribute, text, hint)])


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryPolicy:
    """One registry.

    Attributes:
        id: Key in the YAML's ``registries``.
        address: URL such as ``file:///etc/providers.yml``, ``memory://shop`` or ``nacos://127.0.0.1:8848``.
        file: Path of the file that keeps its last good lists, "" for none.
        ssl: TLS towards its servers, or None for plain TCP.
        preferred: With ``cluster: zone-aware`` its providers go before those of other registries.
        zone: Where it is, likewise; "" where that is not said.
        weight: Of it among registries, likewise, 0..10000.
        parameters: What the YAML says under its ``parameters``, as text, by normalised (snake_case) key.
        application: Name of the program, as registries are told it; "" where it has none.
        origins: From attribute name to where it was set.
    """

    id: str
    address: str = field(repr=False)
    file: str = ""
    ssl: SslPolicy | None = None
    preferred: bool = False
    zone: str = ""
    weight: int = 100
    parameters: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    application: str = ""
    origins: Mapping[str, str] = field(default_factory=_nothing, compare=False)

    def error(self, setting: str, text: str, hint: str = "") -> ConfigError:
        """Make the error of what is wrong with *setting*: the address, one in its query, ``ssl`` or a parameter."""
        name, key = (setting, f"parameters.{setting}") if setting in self.parameters else ("address", "address")
        if setting == "ssl" and self.ssl is not None:
            name = key = setting
        return ConfigError.at(self.origins.get(name, ""), f"registries.{self.id}.{key}", text, hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackPolicy:
    """Which threads run users' callbacks.

    Attributes:
        threads: How many at most, > 0.
        queue: Most callbacks that wait for one, 0 for any number.
        overflow: What happens beyond: ``block`` (a thread that begins a call waits first) or ``reject`` (a callback is
            not run).
        origin: Where *queue* was set.
    """

    threads: int = 4
    queue: int = 0
    overflow: str = "block"
    origin: str = field(default=BUILT_IN, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerConfig:
    """All that a `Consumer` runs by.

    Attributes:
        source: Path of the file as given, or ``"<mapping>"``.
        application: Name of this program, "" where not given.
        registries: By id.
        references: By id.
        shutdown_timeout_ms: How long `Consumer.close` waits for pending calls when not told otherwise; Dubbo
            ``shutwait``.
        callback_executor: What runs users' callbacks.
        max_pending: Most calls of the consumer that have begun and not ended, 0 for no limit.
        max_pending_bytes: Most bytes of their requests, 0 for no limit.
        origins: From the name of either of these to where it was set.
    """

    source: str
    application: str = ""
    registries: Mapping[str, RegistryPolicy] = field(default_factory=_nothing)
    references: Mapping[str, ReferencePolicy] = field(default_factory=_nothing)
    shutdown_timeout_ms: int = 10_000
    callback_executor: CallbackPolicy = CallbackPolicy()
    max_pending: int = 0
    max_pending_bytes: int = 0
    origins: Mapping[str, str] = field(default_factory=_nothing, compare=False)

    def origin(self, attribute: str) -> str:
        """Say where the value of *attribute* was set."""
        return self.origins.get(attribute, BUILT_IN)
