"""A text that Nacos keeps, such as a rule."""

from __future__ import annotations

from collections.abc import Mapping

from .errors import Refused
from .payload import Body
from .session import Session
from .settings import Settings
from .watched import Watched

MAX_CHARACTERS = 1024 * 1024
"""More than that no text has; Nacos' own limit is 10 MiB."""

_NO_SUCH_TEXT = 300


def read_text(group: str, key: str, settings: Settings, session: Session) -> str | None:
    """Read what stands there now; None where there is nothing.

    Raises:
        RegistryError: It cannot be asked for.
    """
    answer = _asked_for(session, _place(group, key, settings))
    return None if answer is None else str(answer.get("content"))


def _place(group: str, key: str, settings: Settings) -> Mapping[str, str]:
    return {"tenant": settings.namespace, "group": group, "dataId": key}


def _asked_for(session: Session, place: Mapping[str, str]) -> Body | None:
    try:
        return session.ask("ConfigQueryRequest", **place)
    except Refused as error:
        if error.code == _NO_SUCH_TEXT:
            return None
        raise


class Text(Watched):
    """What stands under one group and data id.

    After the connection was lost a text that is gone is asked for again, and taken for gone ``settle`` later: a server
    that has just started may not know its texts yet.

    Args:
        group: Of Nacos.
        key: Its data id.
        settings: Where in the servers it stands.

    Attributes:
        text: As it was read last; None where there is none.
    """

    def __init__(self, group: str, key: str, settings: Settings) -> None:
        super().__init__(settings.address, f"{group}/{key}")
        self.text: str | None = None
        self._settings = settings
        self._place = _place(group, key, settings)
        self._md5 = ""
        self._gone_since: float | None = None

    def read(self, session: Session, now: float) -> None:
        """Have changes told first, so that none is missed, and then ask."""
        session.ask("ConfigBatchListenRequest", listen=True, configListenContexts=[{**self._place, "md5": self._md5}])
        answer = _asked_for(session, self._place)
        if answer is None:
            self._take_none(now)
        else:
            self._take(answer, now)

    def renew(self) -> None:
        """Be read again, on another connection."""
        super().renew()
        self._gone_since = None

    def _take(self, answer: Body, now: float) -> None:
        text, md5 = answer.get("content"), answer.get("md5")
        if not isinstance(text, str):
            self.fail("the server said no text; the last one stays", now)
        elif len(text) > MAX_CHARACTERS:
            size = f"{len(text)} characters, more than the {MAX_CHARACTERS} that a text may have"
            self.fail(f"it has {size}; the last one stays", now)
        else:
            self._settle(text, str(md5))

    def _take_none(self, now: float) -> None:
        self._gone_since = self._gone_since or now
        if self.text is None or not self.is_guarded or now - self._gone_since >= self._settings.settle_s:
            self._settle(None, "")
        else:
            self.due_at = self._gone_since + self._settings.settle_s

    def _settle(self, text: str | None, md5: str) -> None:
        self.text, self._md5, self.problem = text, md5, ""
        self.is_known, self.is_guarded, self._gone_since = True, False, None
