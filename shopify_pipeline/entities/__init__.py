"""The entities: one module each, found by being there.

A module of this package that defines `ENTITY` is one; nothing else has to know of it.
"""

import importlib
import pkgutil
from functools import partial
from graphlib import TopologicalSorter

from shopify_pipeline.entities.entity import Connection, Entity, Owner, Parent
from shopify_pipeline.entities.omission import wrong_omissions
from shopify_pipeline.entities.row import MalformedRecordError, Row
from shopify_pipeline.settings import OMISSION_JUDGES

__all__ = [
    "ENTITIES",
    "ROOTS",
    "Connection",
    "Entity",
    "MalformedRecordError",
    "Owner",
    "Parent",
    "Row",
]

_MACHINERY = {"entity", "line_pattern", "line_reader", "omission", "row", "types"}


def _discover() -> dict[str, Entity]:
    """Import every module here; return the entities in an order that puts parents first."""
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _MACHINERY:
            importlib.import_module(f"{__name__}.{module.name}")
    needs = {
        name: {
            *(p.entity for p in entity.parents),
            *((entity.owner.entity,) if entity.owner else ()),
        }
        for name, entity in Entity.registry.items()
    }
    return {name: Entity.registry[name] for name in TopologicalSorter(needs).static_order()}


ENTITIES = _discover()
"""Every entity by its name, parents before those that point to them."""

ROOTS = tuple(entity for entity in ENTITIES.values() if entity.connection is not None)
"""The entities that Shopify lists by themselves; the others come with their owners."""

OMISSION_JUDGES.append(partial(wrong_omissions, ENTITIES))
