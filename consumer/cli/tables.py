"""Tables on terminals of any width, and in pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Width of a table where no terminal sets one; a pipe should not fold long names.
_WIDTH = 200


def console() -> Console:
    """Make what prints them."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH
    return Console(width=width, markup=False, highlight=False)


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], whole: Iterable[str] = ()) -> Table:
    """Make a table; columns whose headings are among *whole* are never folded."""
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title, title_justify="left")
    for heading in headings:
        made.add_column(heading, overflow="fold", no_wrap=heading in whole)
    for row in rows:
        made.add_row(*map(Text, row))
    return made
