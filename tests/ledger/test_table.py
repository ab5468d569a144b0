"""The declared experiments, and the page that tells of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ledger.carriers import CARRIERS
from ledger.experiments.table import EXPERIMENTS
from ledger.rules import RULES

PAGE = Path(__file__).parents[2] / "docs" / "reliability.rst"


def test_the_numbers_are_those_of_a_list() -> None:
    """Each experiment has its own number for ever, from 1 on, and a name that no other has."""
    assert [one.number for one in EXPERIMENTS] == [*range(1, len(EXPERIMENTS) + 1)]
    assert len({one.name for one in EXPERIMENTS}) == len(EXPERIMENTS)


@pytest.mark.source
def test_the_page_has_every_experiment() -> None:
    """Its table has the numbers and names that are declared, in their order."""
    rows = re.findall(r"^   \* - (\d+)\n     - (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [(int(number), name) for number, name in rows] == [(one.number, one.name) for one in EXPERIMENTS]


@pytest.mark.source
def test_the_page_has_every_rule() -> None:
    """Its list of rules is the checker's."""
    assert re.findall(r"^(L\d) ", PAGE.read_text("utf-8"), re.MULTILINE) == list(RULES)


@pytest.mark.source
def test_the_page_says_what_does_not_apply() -> None:
    """Each column leaves out just what its transport has not, and no other."""
    said = {int(row[0]): [*map("does not apply".__eq__, row[3:])] for row in _rows()}
    declared = {one.number: [not one.applies_to(carrier) for carrier in CARRIERS.values()] for one in EXPERIMENTS}
    assert said == declared


def _rows() -> list[list[str]]:
    """The cells of each row of its table."""
    rows = re.findall(r"^   \* - \d+\n(?:     .+\n)+", PAGE.read_text("utf-8"), re.MULTILINE)
    return [
        [" ".join(cell.split()) for cell in re.split(r"^ +(?:\* )?- ", row, flags=re.MULTILINE)[1:]] for row in rows
    ]
