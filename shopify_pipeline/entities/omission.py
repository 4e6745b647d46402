"""Which columns may be left out (SHOPIFY_OMIT_COLUMNS), and which of them a GraphQL path is."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from shopify_pipeline.entities.entity import Entity


def kept_columns(entity: Entity) -> frozenset[str]:
    """The columns that a read always carries: what rows are known by, and by what they are newer.

    A column that no read carries is told by webhooks alone, and can't be left out either.
    """
    carried = set(entity.read_columns())
    needed = {entity.key, entity.row.owner_column(), "updated_at"}
    return frozenset(n for n in entity.row.model_fields if n in needed or n not in carried)


def wrong_omissions(entities: Mapping[str, Entity], columns: Iterable[str]) -> Sequence[str]:
    """Say of each `entity.column` that is none, or can't be left out, what is wrong with it."""
    wrong = []
    for column in sorted(columns):
        name, _, field = column.partition(".")
        entity = entities.get(name)
        if entity is None:
            wrong.append(f"`{column}` names no entity{_meant(name, sorted(entities))}")
        elif field not in entity.row.model_fields:
            there = sorted(entity.row.model_fields)
            wrong.append(f"`{column}` is no column{_meant(field, there)}")
        elif field in kept_columns(entity):
            wrong.append(f"`{column}` can't be left out (it tells which row or version it is)")
    return wrong


def columns_at(entities: Iterable[Entity], operation: str, path: str) -> Sequence[str]:
    """The `entity.column` that are read at, above or below a path, and may be left out.

    The path is that of an answer, without positions (`customers.nodes.defaultEmailAddress`). Where
    it doesn't tell the entity, the operation's name may: `Refresh_customers`.
    """
    *before, last = path.split("nodes.")
    steps = last.split(".")
    known = list(entities)
    names = {_lists(entity): entity for entity in known}
    listed = [names[step] for part in before for step in part.split(".") if step in names]
    named = [entity for entity in known if operation.endswith(f"_{entity.name}")]
    meant = listed[-1:] or named or known
    return tuple(
        f"{entity.name}.{column}"
        for entity in meant
        for column, read in entity.row.read_paths().items()
        if column not in kept_columns(entity) and _leads_to(steps, read)
    )


def _lists(entity: Entity) -> str:
    """The field whose nodes are the entity's."""
    if entity.owner is not None:
        return entity.owner.field
    return entity.connection.field if entity.connection else entity.name


def _leads_to(steps: Sequence[str], read: Sequence[str]) -> bool:
    """Whether one of both begins with the other."""
    common = min(len(steps), len(read))
    return tuple(steps[:common]) == tuple(read[:common])


def _meant(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word.removeprefix("shopify_"), known, n=1, cutoff=0.6)
    return f" ({near[0]} is meant?)" if near else f" (there are {', '.join(known)})"
