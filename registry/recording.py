"""A listener for tests of registries and of what listens to them."""

from __future__ import annotations

from collections.abc import Callable

from .forking import fork_safe_condition
from .models import Snapshot


class RecordingListener:
    """Keeps every snapshot that it is told, and lets a test wait for the one that it is after.

    Attributes:
        snapshots: All so far, in order; read it from any thread.
    """

    def __init__(self) -> None:
        self._heard = fork_safe_condition()
        self.snapshots: list[Snapshot] = []

    def __call__(self, snapshot: Snapshot, /) -> None:
        """Keep *snapshot*."""
        with self._heard:
            self.snapshots.append(snapshot)
            self._heard.notify_all()

    @property
    def addresses(self) -> list[str]:
        """``host:port`` of each endpoint of the newest snapshot, sorted; empty before the first one too."""
        return sorted(endpoint.address for endpoint in self.snapshots[-1].endpoints) if self.snapshots else []

    def wait(self, wanted: Callable[[Snapshot], bool], timeout_s: float = 10.0) -> Snapshot:
        """Wait until the newest snapshot is *wanted*, and return it.

        Raises:
            TimeoutError: It did not come; the message shows the newest.
        """
        with self._heard:
            if not self._heard.wait_for(lambda: bool(self.snapshots) and wanted(self.snapshots[-1]), timeout_s):
                newest = self.snapshots[-1] if self.snapshots else "nothing"
                raise TimeoutError(f"after {timeout_s} s and {len(self.snapshots)} snapshots the newest is {newest}")
            return self.snapshots[-1]

    def wait_for(self, *addresses: str, timeout_s: float = 10.0) -> Snapshot:
        """Wait until the newest snapshot has exactly these ``host:port``, and return it.

        Raises:
            TimeoutError: It did not come; the message shows the newest.
        """
        return self.wait(lambda one: sorted(each.address for each in one.endpoints) == sorted(addresses), timeout_s)
