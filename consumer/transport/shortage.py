"""What the system refuses while a call is prepared, such as a descriptor to import a module by, as our error."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import TransportError

_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def is_shortage(error: OSError) -> bool:
    """Tell whether *error* says that the system has no descriptor or no memory left."""
    return error.errno in _SHORT


@contextmanager
def preparing() -> Iterator[None]:
    """Raise `TransportError`, not sent, where the system has no descriptor or no memory left."""
    try:
        yield
    except OSError as error:
        if not is_shortage(error):
            raise
        raise TransportError(f"nothing can be prepared for the call: {error}", not_sent=True) from None
