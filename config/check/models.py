"""The configuration as written, one model per section; a setting that was not written is None, never a default.

A model's field has the name that the policy gives it, its alias is the key in the YAML. Descriptions are for editors.
The settings that only one protocol honours are not here: its transport declares them.
Source: Dubbo's AbstractMethodConfig, AbstractInterfaceConfig, ReferenceConfig, ConsumerConfig, ApplicationConfig and
RegistryConfig; differs: ``return`` and the callbacks are allowed on every level, not on methods alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..attempts import Backoff, Hedge, Outlier
from ..policy import BatchPolicy, CallbackPolicy
from . import fields as f


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


class SslModel(_Section):
    """TLS towards providers, or a registry's servers; relative paths start at the folder of the configuration file."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"cert": ["key"], "key": ["cert"]}})

    enabled: f.Written[f.Flag] = Field(None, description="false switches off the TLS of a lower level; default true")
    ca: f.Written[f.Text] = Field(None, description="PEM file of the certificates to trust; default: the system's")
    cert: f.Written[f.Text] = Field(None, description="PEM file of this consumer's certificate chain (mutual TLS)")
    key: f.Written[f.Text] = Field(None, description="PEM file of the private key of cert")
    server_name: f.Written[f.Text] = Field(
        None, description="Name to expect in the provider's certificate; default: the host"
    )


class NestedModel(_Section):
    """A group of settings that belong together; a level that writes the group writes all of it.

    Attributes:
        key: Of the group, in the YAML.
        policy_class: What the policies hold of it.
        place: What may stand there: a ``mapping`` only, also a ``switch`` (true or false, ``enabled`` of the mapping),
            or also nothing (``empty``).
        example: How it is written, for who wrote something else.
    """

    key: ClassVar[str]
    policy_class: ClassVar[type[Any]]
    place: ClassVar[Literal["mapping", "switch", "empty"]] = "mapping"
    example: ClassVar[str] = ""

    def policy(self) -> Any:
        """Make what the policies hold, of whatever was written of it."""
        held = {field.name for field in fields(self.policy_class)}
        return self.policy_class(**{name: value for name, value in self if value is not None and name in held})


class BackoffModel(NestedModel):
    """Pauses between the attempts of one call."""

    key, policy_class, example = "retry_backoff", Backoff, "write {base: 10ms, max: 1s}"

    base_ms: f.Written[f.DurationOrZero] = Field(
        None, alias="base", description="Longest pause before the first repetition, 0 for none; default 10 ms"
    )
    max_ms: f.Written[f.DurationOrZero] = Field(
        None, alias="max", description="Longest pause before any, which double up to it; default 1s"
    )


class HedgeModel(NestedModel):
    """Further attempts beside one that takes long; only of idempotent methods."""

    key, policy_class, example = "hedge", Hedge, "write {after: p95, max: 1}"

    after_ms: f.Written[f.After] = Field(
        None,
        alias="after",
        description="Time without an answer: a duration, or p50 to p99 of the method's latencies; default p95",
    )
    most: f.Written[f.Hedges] = Field(
        None, alias="max", description="Further attempts of one call, 0 (none) to 10; default 1"
    )


class OutlierModel(NestedModel):
    """When a provider that fails is passed over for a while."""

    key, policy_class = "outlier", Outlier
    example = "write {consecutive: 5}, or {enabled: false}"

    enabled: f.Written[f.Flag] = Field(
        None, description="false passes over only those that cannot be connected to; default true"
    )
    consecutive: f.Written[f.Positive] = Field(None, description="Failures in a row that are enough; default 5")
    failure_percent: f.Written[f.Percent] = Field(
        None, description="Share of attempts within interval whose failure is enough, 1 to 100; default 50"
    )
    min_calls: f.Written[f.Positive] = Field(
        None, description="Attempts within interval from which on the share counts; default 20"
    )
    interval_ms: f.Written[f.Duration] = Field(
        None, alias="interval", description="Time over which the share is taken; default 10s"
    )
    base_ejection_ms: f.Written[f.Duration] = Field(
        None, alias="base_ejection", description="How long it is passed over, times its ejections in a row; default 30s"
    )
    max_ejection_ms: f.Written[f.Duration] = Field(
        None, alias="max_ejection", description="How long at most; default 300s"
    )
    max_ejection_percent: f.Written[f.PercentOrZero] = Field(
        None,
        description="Share of the providers that is passed over at a time, but one at least and never all, 0 to 100;"
        " default 10",
    )


class BatchModel(NestedModel):
    """When requests that wait for each other leave."""

    key, policy_class, place = "batch", BatchPolicy, "switch"

    enabled: f.Written[f.Flag] = Field(None, description="false switches off the batch of a higher level; default true")
    max_bytes: f.Written[f.Size] = Field(None, description="Once they have as many bytes; default 1MiB")
    max_count: f.Written[f.BatchCount] = Field(None, description="Once there are as many, 1 to 1000000; default 1000")
    max_delay_ms: f.Written[f.Duration] = Field(
        None, alias="max_delay", description="As long after the first of them was queued; default 100ms"
    )


class CallModel(_Section):
    """Settings of calls, which every level may make; the lowest level wins."""

    is_async: f.Written[f.Async] = Field(
        None,
        alias="async",
        description="The call returns at once, its future is in RpcContext; lazy: what it returns becomes the answer "
        "at its first use; default false",
    )
    sent: f.Written[f.Flag] = Field(
        None, description="The call returns once the request is handed to the socket; default false"
    )
    returns: f.Written[f.Flag] = Field(
        None, alias="return", description="false drops the answer (one-way); default true"
    )
    timeout_ms: f.Written[f.Duration] = Field(
        None, alias="timeout", description='Longest time of one attempt: milliseconds, or "1.5s"; default 1000'
    )
    total_timeout_ms: f.Written[f.Duration] = Field(
        None,
        alias="total_timeout",
        description="Longest time of the whole call, retries included; default timeout x (retries + 1)",
    )
    retries: f.Written[f.Retries] = Field(None, description="Attempts after the first, 0 to 1000; default 2")
    idempotent: f.Written[f.Flag] = Field(
        None, description="The method may run twice, so an attempt in doubt is repeated; default false"
    )
    retry_on: f.Written[f.Errors] = Field(
        None, description="module:Class of exceptions after which an idempotent method is tried again; default none"
    )
    retry_backoff: f.Written[BackoffModel] = Field(
        None, description="Pauses between attempts, by chance and ever longer; default {base: 10ms, max: 1s}"
    )
    hedge: f.Written[HedgeModel] = Field(
        None, description="A further attempt of an idempotent method beside one that takes long; default none"
    )
    cluster: f.Written[f.Cluster] = Field(None, description="What to do when an attempt fails; default failover")
    forks: f.Written[f.Forks] = Field(
        None, description="Providers that cluster: forking asks at once, 0 (all) to 1000; default 2"
    )
    broadcast_fail_percent: f.Written[f.Percent] = Field(
        None,
        description="Share of providers whose failure ends a call of cluster: broadcast at once, 1 to 100; default 100",
    )
    failback_tasks: f.Written[f.Positive] = Field(
        None, description="Most failed calls that cluster: failback keeps for a method, 1 to 1000000; default 100"
    )
    failback_period_ms: f.Written[f.Duration] = Field(
        None, alias="failback_period", description="Its pause before the first repetition; default 5s"
    )
    merger: f.Written[f.Merger] = Field(
        None, description="What cluster: mergeable makes one answer with; default goes by their type"
    )
    loadbalance: f.Written[f.LoadBalance] = Field(None, description="How a provider is chosen; default random")
    actives: f.Written[f.Actives] = Field(None, description="Most calls of a method at once, 0 for no limit; default 0")
    when_full: f.Written[f.WhenFull] = Field(
        None,
        description="What a call does where actives or max_pending leave it no place: it is refused (reject), its"
        " thread waits (block), it waits aside (delay), or does so in place of the one that waits longest"
        " (shed_oldest); default reject",
    )
    max_delayed: f.Written[f.Delayed] = Field(
        None, description="Most calls that wait for one limit, 0 to 10000000; default 1000"
    )
    max_delayed_bytes: f.Written[f.Size] = Field(None, description="Most bytes of such calls; default 16MiB")
    interceptors: f.Written[f.Interceptors] = Field(
        None,
        description="Names or module:Class, after those of the levels above; -name removes one, -default all of them",
    )
    oninvoke: f.Written[f.Function] = Field(
        None, description="module:function called with the arguments before the call"
    )
    onreturn: f.Written[f.Function] = Field(None, description="module:function called with the value")
    onthrow: f.Written[f.Function] = Field(None, description="module:function called with the error")
    unobserved: f.Written[f.Unobserved] = Field(
        None, description="A failed future that nobody looked at: log, raise or ignore it; default log"
    )
    mock: f.Written[f.Mock] = Field(
        None,
        description='Answers made on this side: "force:return null" always, "fail:return empty" in place of a failure,'
        " or a mapping of classes of errors to what is done then",
    )
    validation: f.Written[f.Function] = Field(
        None, description="module:function called with the arguments, which refuses the call by raising"
    )
    cache: f.Written[f.CacheKind] = Field(
        None, description="lru keeps answers for equal requests, none does not; default none"
    )
    cache_size: f.Written[f.CacheSize] = Field(
        None, description="Most answers that a method keeps, 1 to 10000000; default 1000"
    )
    cache_ttl_ms: f.Written[f.DurationOrZero] = Field(
        None, alias="cache_ttl", description="How long an answer is kept, 0 for ever; default 180s"
    )
    sticky: f.Written[f.Flag] = Field(
        None, description="Calls go to the provider of the call before, as long as it is there; default false"
    )
    batch: Annotated[BatchModel | None, f.OrSwitch] = Field(
        None,
        description="One-way requests wait for each other, and leave together: true, false or a mapping; default false",
    )
    hash_nodes: f.Written[f.HashNodes] = Field(
        None, description="Points of each provider on the ring of consistenthash, 4 to 10000; default 160"
    )
    hash_arguments: f.Written[f.HashArguments] = Field(
        None, description="Arguments that consistenthash goes by: places from 0, or names; default 0"
    )
    attachments: dict[str, f.Parameter] | None = Field(
        None, alias="parameters", description="Sent with each call as attachments, merged key by key"
    )


class PendingModel(_Section):
    """Limits of all calls of just the level that sets them, whose other levels do not take them over."""

    max_pending: f.Written[f.Actives] = Field(
        None, description="Most calls of this level that have begun and not ended, 0 for no limit; default 0"
    )
    max_pending_bytes: f.Written[f.Size] = Field(None, description="Most bytes of their requests; default no limit")


class MethodModel(PendingModel, CallModel):
    """Settings of one method; they win over its reference's, and these over the consumer's."""

    parameter_types: f.Written[f.Words] = Field(None, description="Java types of the parameters, in order")


class InterfaceModel(CallModel):
    """Settings of references, which the consumer may make for all of them."""

    group: f.Written[f.Text] = Field(None, description='Dubbo group; default ""')
    version: f.Written[f.Text] = Field(None, description='Dubbo version, quoted ("1.0"); default ""')
    protocol: f.Written[f.Protocol] = Field(None, description="Transport; default: what url says, else tri")
    registries: f.Written[f.Words] = Field(
        None, alias="registry", description="Id of a registry, or a list of ids; default: all"
    )
    migration_step: f.Written[f.MigrationStep] = Field(
        None,
        description="Providers that are seen of a registry that knows applications (Dubbo 3): those of applications and"
        " of interfaces, or of one kind alone; default APPLICATION_FIRST",
    )
    check: f.Written[f.Flag] = Field(
        None, description="Making the reference fails when no provider is known; default true"
    )
    lazy: f.Written[f.Flag] = Field(
        None,
        description="false connects to the providers when the reference is made, not at its first call; default true",
    )
    ssl: Annotated[SslModel | None, f.OrSwitch] = Field(
        None, description="TLS: true, false or a mapping; default false"
    )
    tag: f.Written[f.Text] = Field(
        None, description='Calls go to providers with this tag, or else to those without any; default ""'
    )
    routers: f.Written[f.Routers] = Field(
        None, description="Rules in Dubbo's format by kind (condition, tag, mesh), each a mapping or a list of them"
    )
    connections: f.Written[f.Connections] = Field(
        None, description="0 shares one connection per address, n opens n of its own; default 0"
    )
    max_request_bytes: f.Written[f.Size] = Field(
        None, description='Largest request: bytes, "512KB", "8MiB"; default 8MiB'
    )
    max_response_bytes: f.Written[f.Size] = Field(
        None, description='Largest response: bytes, "512KB", "8MiB"; default 8MiB'
    )
    max_queued_requests: f.Written[f.Queued] = Field(
        None,
        description="Most requests of one connection that have begun and not ended, 1 to 10000000; default 200000",
    )
    max_queued_bytes: f.Written[f.Size] = Field(None, description="Most bytes of such requests; default 64MiB")
    connect_timeout_ms: f.Written[f.Duration] = Field(
        None, alias="connect_timeout", description="Longest time of one connection attempt; default 3s"
    )
    generic: f.Written[f.Flag] = Field(
        None, description="Calls go through Dubbo's $invoke, so that no types need to be known; default false"
    )
    serialization: f.Written[f.Serialization] = Field(
        None, description="How the values of a Java interface become bytes; default, and only one: hessian2"
    )
    outlier: f.Written[OutlierModel] = Field(
        None, description="When a provider that fails is passed over for a while; default {consecutive: 5}"
    )


class CallbackModel(NestedModel):
    """Which threads run callbacks."""

    key, policy_class, place, example = "callback_executor", CallbackPolicy, "empty", "write {threads: ...}"

    threads: f.Written[f.Threads] = Field(None, description="Most of them, 1 to 1000; default 4")
    queue: f.Written[f.CallbackQueue] = Field(
        None, description="Most callbacks that wait for one, 0 to 10000000, 0 for any number; default 0"
    )
    overflow: f.Written[f.Overflow] = Field(
        None,
        description="Beyond that a thread that begins a call waits first (block), or a callback is not run and is"
        " logged (reject); default block",
    )


class ConsumerModel(PendingModel, InterfaceModel):
    """Defaults of every reference, and what the whole consumer shares."""

    callback_executor: Annotated[CallbackModel, f.OrEmpty] = Field(
        default_factory=CallbackModel, description="Which threads run callbacks: a mapping"
    )


class ReferenceModel(PendingModel, InterfaceModel):
    """One remote service, by the id that Consumer.reference takes."""

    model_config = ConfigDict(json_schema_extra={"required": ["interface"]})

    interface: f.Written[f.Word] = Field(
        None, description="Full name of the service, such as com.alibaba.foo.FooService"
    )
    urls: f.Written[f.Urls] = Field(
        None, alias="url", description="Addresses of providers, several with ; between them or as a list"
    )
    provided_by: f.Written[f.Words] = Field(
        None,
        description="Name of the application that provides the interface, or a list of names; default: the registry's"
        " mapping says that",
    )
    stub: f.Written[f.Stub] = Field(
        None, description="module:Class of generated or annotated code that declares the methods"
    )
    methods: dict[str, Annotated[MethodModel, f.OrEmpty]] = Field(
        default_factory=dict, description="Settings of single methods, by name"
    )


class RegistryModel(_Section):
    """One place that knows where providers are."""

    model_config = ConfigDict(json_schema_extra={"required": ["address"]})

    address: f.Written[f.RegistryAddress] = Field(None, description="URL such as file:providers.yml or memory://shop")
    file: f.Written[f.Text] = Field(
        None,
        description="File that keeps the last good lists for a start while the registry is down; default none",
    )
    ssl: Annotated[SslModel | None, f.OrSwitch] = Field(
        None, description="TLS towards its servers: true, false or a mapping; default false"
    )
    preferred: f.Written[f.Flag] = Field(
        None, description="With cluster: zone-aware its providers go before those of other registries; default false"
    )
    zone: f.Written[f.Text] = Field(None, description='Where it is, likewise, as calls say their own; default ""')
    weight: f.Written[f.Weight] = Field(
        None, description="Its share of the calls among registries, likewise, 0 to 10000; default 100"
    )
    parameters: dict[str, f.Parameter] | None = Field(None, description="Anything that the registry itself takes")


class ApplicationModel(_Section):
    """This program."""

    name: f.Written[f.Text] = Field(None, description="Name of this program, as providers see it")
    shutdown_timeout_ms: f.Written[f.DurationOrZero] = Field(
        None,
        alias="shutdown_timeout",
        description="How long close, or the interpreter's exit, waits for pending calls; default 10s",
    )


class RootModel(_Section):
    """A callahead configuration."""

    application: Annotated[ApplicationModel, f.OrEmpty] = Field(
        default_factory=ApplicationModel, description="This program"
    )
    registries: Annotated[dict[str, Annotated[RegistryModel, f.OrEmpty]], f.OrEmpty] = Field(
        default_factory=dict, description="Places that know where providers are, by id"
    )
    consumer: Annotated[ConsumerModel, f.OrEmpty] = Field(
        default_factory=ConsumerModel, description="Defaults of every reference, and what the whole consumer shares"
    )
    references: Annotated[dict[str, Annotated[ReferenceModel, f.OrEmpty]], f.OrEmpty] = Field(
        default_factory=dict, description="Remote services, by the id that Consumer.reference takes"
    )


GROUPS: Mapping[str, type[NestedModel]] = {model.key: model for model in NestedModel.__subclasses__()}
"""By the key in the YAML."""


def yaml_keys(model: type[BaseModel]) -> dict[str, str]:
    """Map each field of *model* to its key in the YAML, in snake_case."""
    return {name: field.alias or name for name, field in model.model_fields.items()}
