"""What references of ``python`` may set."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, ClassVar, Final

from callahead.config.settings import Arguments, Conflict, Target, TransportSettings, Word, choice, count, setting

# What every reference may set, and has no meaning where nothing leaves the process.
_OF_THE_WIRE: Final = (
    *("group", "version", "lazy", "ssl", "connections", "connect_timeout_ms", "max_request_bytes"),
    *("max_response_bytes", "stub", "generic", "serialization", "attachments"),
)
_OF_CONNECTIONS: Final = ("max_queued_requests", "max_queued_bytes")


class PythonSettings(TransportSettings):
    """Whose methods are called, and by how many threads."""

    is_local: ClassVar[bool] = True
    knows_sent: ClassVar[str] = "once a thread has begun the method"

    target: Target | None = setting(
        None,
        "what makes the client, such as boto3:client, or is it; a module too; default: what Consumer.wrap is given",
        after="stub",
        in_consumer=False,
    )
    arguments: Arguments = setting(
        (), "of target: a mapping of keywords, or a list; default none", in_consumer=False, is_shown=False
    )
    clients: Annotated[str, *choice("one", "per_thread")] = setting(
        "one", "one client for all threads, or one for each; default one", in_consumer=False
    )
    close: Word | None = setting(
        None, "method that ends a client, called when the consumer is closed; default none", in_consumer=False
    )
    threads: Annotated[int, *count(1, 1000)] = setting(
        10, "most threads of a reference, each for one call at a time, 1 to 1000; default 10"
    )
    queue: Annotated[int, *count(0, 1_000_000)] = setting(
        1000, "most calls that wait for a thread, 0 to 1000000; default 1000"
    )

    def conflicts(self, own: Collection[str]) -> Iterator[Conflict]:
        """Say what does nothing alone, or nothing at all."""
        if self.target is None and "arguments" in own:
            yield Conflict("arguments", "needs target beside it")
        if self.target is None and self.clients == "per_thread":
            yield Conflict("clients", "needs a target that makes one for each thread")
        for attribute in _OF_THE_WIRE:
            if attribute in own:
                yield Conflict(attribute, "has no meaning where the provider is in this process", "remove it")
        for attribute in _OF_CONNECTIONS:
            if attribute in own:
                yield Conflict(attribute, "is of connections, and there is none", "set queue")
