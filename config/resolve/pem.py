"""What a PEM file holds, by its labels: enough to tell a key from a certificate without reading either."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from ..settings import unreadable

_LABEL: Final = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*(CERTIFICATE|PRIVATE KEY)-----")
_ENCRYPTED: Final = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")  # the second in older files
_NAMES: Final = {"ca": "certificate", "cert": "certificate", "key": "private key"}
# Behind as much text nobody would look for the first label either.
_MOST_BYTES: Final = 256 * 1024


def misfit(setting: str, path: Path) -> tuple[str, str]:
    """Say what makes the file at *path* no ``ca``, ``cert`` or ``key``, and what to do; "" for nothing."""
    wrong = unreadable(path)
    if wrong:
        return wrong, ""
    with path.open("rb") as file:
        start = file.read(_MOST_BYTES)
    labels = {label[1].decode().lower() for label in _LABEL.finditer(start)}
    if not labels and len(start) == _MOST_BYTES:
        return "", ""
    wanted = _NAMES[setting]
    if wanted not in labels:
        return _missing(wanted, path, labels, is_empty=not start.strip())
    if setting == "key" and any(mark in start for mark in _ENCRYPTED):
        return f"{path} holds a private key that is encrypted", "there is nowhere to give a passphrase"
    return "", ""


def _missing(wanted: str, path: Path, labels: set[str], *, is_empty: bool) -> tuple[str, str]:
    if is_empty:
        return f"{path} is empty", f"a {wanted} in PEM form is wanted"
    if labels:
        return f"{path} holds a {labels.pop()} and no {wanted}", ""
    return f"{path} holds no {wanted} in PEM form", ""
