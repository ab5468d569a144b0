"""The whole way of a configuration: text or mapping, tree, shape, models, policies; all that is wrong in one error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .check.shape import shape
from .check.validate import validate
from .policy import ConsumerConfig
from .read.loader import parse, read_text
from .read.mapping import from_mapping
from .read.report import Report
from .read.tree import Entry
from .resolve.policies import resolve


def load_file(path: str | os.PathLike[str]) -> ConsumerConfig:
    """See `callahead.config.load_file`."""
    report = Report(os.fspath(path))
    return _load(parse(read_text(path), report), Path(path).parent, report)


def load_text(text: str, source: str) -> ConsumerConfig:
    """See `callahead.config.load_text`."""
    report = Report(source)
    return _load(parse(text, report), Path(), report)


def load_mapping(mapping: Mapping[str, Any], source: str) -> ConsumerConfig:
    """See `callahead.config.load_mapping`."""
    report = Report(source)
    return _load(from_mapping(mapping, report), Path(), report)


def _load(tree: Entry, folder: Path, report: Report) -> ConsumerConfig:
    shaped = shape(tree, report)
    config = resolve(validate(shaped, report), shaped, folder, report)
    report.close()
    return config
