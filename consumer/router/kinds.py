"""The kinds of rules that callahead has itself, as entry points name them; importing them imports pydantic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .api import Router
from .condition_router import ConditionRouter
from .mesh_router import Mesh, MeshRouter
from .mesh_rules import MeshRule
from .rules import ConditionRule, TagRule
from .tag_router import TagRouter


class ConditionKind:
    """``condition``: where calls may go."""

    rule = ConditionRule
    order = 140

    @staticmethod
    def routers(rule: ConditionRule, caller: Mapping[str, str], origin: str) -> Sequence[Router]:
        """Make a router of each condition that speaks of *caller*; see `RouterKind.routers`."""
        if not (rule.enabled and rule.valid):
            return ()
        spoken = [condition for condition in rule.conditions if condition.when.is_of(caller)]
        return [ConditionRouter(one, caller, force=rule.force, origin=origin) for one in spoken]


class TagKind:
    """``tag``: which providers have which tags."""

    rule = TagRule
    order = 100

    @staticmethod
    def routers(rule: TagRule, caller: Mapping[str, str], origin: str) -> Sequence[Router]:
        """Make the router of a rule; see `RouterKind.routers`."""
        return [TagRouter(rule, caller, origin)] if rule.enabled and rule.valid and rule.tags else ()


class MeshKind:
    """``mesh``: which calls go to which subsets of an application's providers."""

    rule = MeshRule
    order = -50

    @staticmethod
    def routers(rule: MeshRule, caller: Mapping[str, str], origin: str) -> Sequence[Router]:
        """Make the router of a rule; see `RouterKind.routers`."""
        return [MeshRouter([Mesh(rule, caller, origin)])]
