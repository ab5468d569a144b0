"""The head of a method's chain: what a call gives back, by ``async``, ``return`` and ``sent``.

===== ====== ===== ======================== ================== ============================= =========================
async return sent  the call gives           RpcContext future  failure before it is written  later failure
===== ====== ===== ======================== ================== ============================= =========================
false true   any   the value                cleared            raised                        raised
true  true   false None, at once            this call's        in the future                 in the future
true  true   true  None, once written       this call's        raised, and in the future     in the future
lazy  true   false an object, at once       this call's        raised at its first use       raised at its first use
lazy  true   true  an object, once written  this call's        raised at the call            raised at its first use
any   false  false None, at once            cleared            counted, logged, ``on_drop``  the same
any   false  true  None, once written       cleared            raised                        counted, logged, on_drop
===== ====== ===== ======================== ================== ============================= =========================

The object becomes the answer at its first use. "Written" is handed to this machine's transport, never "the provider has
it". Source: Dubbo ``DubboInvoker`` and ``AbstractInvoker``; differs: ``sent`` is false unless set and means the same at
every level and in every mode.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from callahead.config.policy import LAZY, MethodPolicy

from ..call import plain
from ..call.context import RpcContext
from ..call.current import current_ahead, current_collector, enter_call, enter_future, take_attachments
from ..call.future import InvocationFuture
from ..call.invocation import NO_ATTACHMENTS, CallRecord, Invocation, Outcome, Stage
from ..cluster.api import Cluster, Counting
from ..interceptor.metrics import CallMetrics, MethodCounts
from ..runtime.loops import running_loop
from ..transport.api import MethodTransport
from .ending import DropEnding, Ending, FutureEnding, Runtime, WrittenEnding
from .given_up import closed_error
from .stalled import warn_of_loop

_ASYNC_CALL = RpcContext.async_call.__code__  # calls methods for its caller, whose line is wanted


@dataclass(frozen=True, slots=True)
class Chain:
    """What a method obeys, and what its calls run through; made together, and swapped together.

    Attributes:
        policy: Of the method.
        stage: The CALL chain and all beneath it.
        cluster: What makes the attempts of its calls; None for a stream.
    """

    policy: MethodPolicy
    stage: Stage
    cluster: Cluster | None = None


class MethodBinding:
    """One method of one reference, however it is reached: what all who call it share.

    Attributes:
        runtime: Shared by all callers of the consumer.
        name: Of the method, as the provider spells it.
        metrics: Counts its calls.
        chain: What its next call obeys; replaced whole, by a single assignment.
    """

    __slots__ = ("chain", "metrics", "name", "runtime")

    def __init__(self, runtime: Runtime, name: str, metrics: CallMetrics, chain: Chain) -> None:
        self.runtime = runtime
        self.name = name
        self.metrics = metrics
        self.chain = chain

    @property
    def policy(self) -> MethodPolicy:
        """What its next call obeys."""
        return self.chain.policy

    def counts(self) -> MethodCounts:
        """Return what was counted of its calls, by its cluster too."""
        cluster = self.chain.cluster
        return replace(self.metrics.counts(), cluster=cluster.counts() if isinstance(cluster, Counting) else {})

    def begin(
        self,
        chain: Chain,
        carrier: MethodTransport,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: Any = None,
        *,
        blocking: bool,
        timeout: float | None = None,
    ) -> Invocation:
        """Begin a call of any kind, streams included: the one place where calls come into being.

        The attachments are, the first of a name going before, those of the call's own options, of the context, and of
        the configuration.

        Args:
            chain: The binding's, read once for the whole call, or one with a policy that overrides it.
            carrier: By which the caller knows the method.
            args: Positional arguments.
            kwargs: Keyword arguments.
            options: What only the carrier understands, or None.
            blocking: The calling thread waits for the end.
            timeout: Seconds for the whole call, infinity for no bound; None is the policy's total.

        Raises:
            ConsumerClosed: The consumer is closed.
            concurrent.futures.CancelledError: The scope that the call would belong to was given up.
        """
        runtime, policy = self.runtime, chain.policy
        if runtime.closed and runtime.refuses():
            raise closed_error(policy, self.name)
        collector = current_collector() or runtime.everywhere
        needed: Sequence[CallRecord] = ()
        if plain.lazy_kind is not None:  # before the call begins, whose timeout is not that of another
            if collector is not None:
                needed = plain.records_of(args, kwargs)
            args, kwargs = plain.plain_arguments(args, kwargs)
        attachments, kept = take_attachments(), policy
        if policy.attachments:
            attachments = {**policy.attachments, **attachments, **policy.call_attachments}
            kept = self._kept(policy)
        now = runtime.clock()
        ends = now + (policy.total_timeout_ms / 1000 if timeout is None else timeout)
        record = CallRecord(kept, self.name, now)
        invocation = Invocation(
            policy, self.name, args, kwargs, attachments, ends, runtime.clock, record, blocking, carrier
        )
        if options is not None:
            invocation.options = options
        if collector is not None:
            record.collected = collector.collect(self, chain, invocation, needed)
        return invocation

    def _kept(self, policy: MethodPolicy) -> MethodPolicy:
        """Return what of *policy* may outlive the call: all but the attachments of its own options."""
        if not policy.call_attachments:
            return policy
        return replace(policy, attachments=self.chain.policy.attachments, call_attachments=NO_ATTACHMENTS)

    def __repr__(self) -> str:
        return f"<MethodBinding of {self.policy.reference}.{self.name}>"


class Caller:
    """Calls one method of one reference, in any mode.

    Args:
        binding: What all callers of the method share.
        carrier: By which this one knows it.
        future_class: Class of the futures it makes.
    """

    __slots__ = ("_future_class", "binding", "carrier")

    def __init__(
        self,
        binding: MethodBinding,
        carrier: MethodTransport,
        future_class: type[InvocationFuture] = InvocationFuture,
    ) -> None:
        self.binding = binding
        self.carrier = carrier
        self._future_class = future_class

    def call(
        self,
        chain: Chain,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        frame: FrameType,
        options: Any = None,
    ) -> Any:
        """Call as the policy of *chain* says; see the table of this module. *frame* is the call site's."""
        policy = chain.policy
        if frame.f_code is _ASYNC_CALL and frame.f_back is not None:
            frame = frame.f_back
        if not policy.returns:
            return self._one_way(chain, args, kwargs, frame, options)
        if policy.is_async:
            future = self.future(chain, args, kwargs, frame, options, held=True)
            return None if policy.is_async is True else _lazy(future)
        ahead = current_ahead()
        if ahead is not None and ahead.is_here:
            with ahead.apart():
                self.future(chain, args, kwargs, frame, options, held=True)
            return None
        return self.sync(chain, args, kwargs, options)

    def sync(
        self,
        chain: Chain,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: Any = None,
        view: str = "",
    ) -> Any:
        """Call, wait, and return the value or raise the error."""
        outcome = self.outcome(chain, args, kwargs, options, view)
        if outcome.error is None:
            return outcome.value
        try:
            raise outcome.error
        finally:
            del outcome  # it would tie the error to its own traceback

    def outcome(
        self,
        chain: Chain,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: Any = None,
        view: str = "",
    ) -> Outcome:
        """Call, wait, and return how it ended; what broke into the waiting thread is raised."""
        invocation = self.binding.begin(chain, self.carrier, args, kwargs, options, blocking=True)
        record = invocation.record
        if view:
            record.view = view
        if running_loop() is not None:  # `runs_loop` would be one call more of each
            warn_of_loop(record)
        record.thread = threading.get_ident()
        binding = self.binding
        try:
            record.waiter = ending = Ending(binding.runtime, binding.metrics, record)
            chain.stage(invocation, ending)
            if ending.outcome is None:
                ending.wait(invocation.ends, for_sent=False)
        except BaseException as error:  # Ctrl-C: the call must not go on without its caller, however little was begun
            binding.runtime.give_up(record, error)
            raise
        finally:
            record.waiter = None  # which refers back to the record
            enter_call(record)
        outcome = ending.outcome
        assert outcome is not None
        return outcome

    def future(
        self,
        chain: Chain,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        frame: FrameType,
        options: Any = None,
        *,
        held: bool = False,
        one_way: bool = False,
    ) -> InvocationFuture:
        """Call and return the future, which is the context's too; with ``sent`` once the request is written.

        The context keeps a future that is *held* until somebody asks for it; else the caller decides its life. Where
        the call is *one_way* the future ends as soon as the request is written.
        """
        invocation = self.binding.begin(chain, self.carrier, args, kwargs, options, blocking=False)
        record = invocation.record
        record._site = (frame.f_code, frame.f_lasti)
        # Before the future copies the context: the copy must not keep the future of the call before alive.
        enter_call(record)
        binding = self.binding
        runtime = binding.runtime
        future = self._future_class(invocation, runtime.callbacks)
        try:
            kind = WrittenEnding if one_way else FutureEnding
            ending = future._ending = kind(runtime, binding.metrics, record, future)
            if one_way:
                invocation.one_way, record.on_sent = True, ending.sent
            if record.collected is not None:
                record.collected.hold(future, is_lazy=held and chain.policy.is_async == LAZY)
            enter_future(future, held=held)
            error = self._start(chain, invocation, ending)
        except BaseException as broken:  # as in sync()
            future._when_settled(_told)
            runtime.give_up(record, broken)
            del future
            raise
        if error is None:
            return future
        future._when_settled(_told)
        del future, ending  # they would tie the error to its own traceback
        try:
            raise error
        finally:
            del error

    def _one_way(
        self, chain: Chain, args: tuple[Any, ...], kwargs: Mapping[str, Any], frame: FrameType, options: Any
    ) -> None:
        invocation = self.binding.begin(chain, self.carrier, args, kwargs, options, blocking=False)
        record = invocation.record
        invocation.one_way = True
        record._site = (frame.f_code, frame.f_lasti)
        enter_call(record)
        runtime = self.binding.runtime
        try:
            ending = DropEnding(runtime, self.binding.metrics, invocation, chain.policy.sent)
            error = self._start(chain, invocation, ending)
        except BaseException as broken:  # as in sync()
            runtime.give_up(record, broken)
            raise
        if error is not None:
            del ending, invocation  # as above
            try:
                raise error
            finally:
                del error

    def _start(self, chain: Chain, invocation: Invocation, ending: Ending) -> BaseException | None:
        """Begin the call; with ``sent``, return what went wrong before the request was written."""
        wait = chain.policy.sent
        if wait:
            invocation.record.on_sent = ending.sent
        watchdog = self.binding.runtime.watchdog
        if invocation.ends < watchdog.next_end:
            watchdog.expect(invocation.ends)
        chain.stage(invocation, ending)
        if not wait:
            return None
        if ending.outcome is None and not ending.is_sent:
            ending.wait(invocation.ends, for_sent=True)
        outcome = ending.outcome
        return None if outcome is None or ending.is_sent else outcome.error


def _lazy(future: InvocationFuture) -> Any:
    from ..call.lazy import LazyResult  # which imports wrapt

    return LazyResult(future)


def _told(outcome: Outcome) -> None:
    """Look at a failure that the caller is told of by raising it."""
