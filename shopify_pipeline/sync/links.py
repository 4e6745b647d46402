"""Sets foreign keys whose parent has arrived, and queues the parents that have not."""

from shopify_pipeline.entities import ENTITIES, Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.warehouse import refresh_queue
from shopify_pipeline.warehouse.relink import missing_parents, relink_all

MOST = 10_000
"""Missing parents queued at once; the next pull goes on."""


def resolve_links(sync: SyncContext, entity: Entity) -> tuple[int, int]:
    """Relink the rows that the entity's family points to or is pointed to by.

    Returns how many links were set, and how many missing parents were queued for a read.
    """
    tables = [other.table for other in ENTITIES.values()]
    set_now = relink_all(sync.database, tables)
    queued = 0
    names = {member.table_name: member.name for member in ENTITIES.values()}
    with sync.database.transaction() as connection:
        for member in entity.family:
            for table, ids in missing_parents(connection, member.table, limit=MOST).items():
                refresh_queue.enqueue(
                    connection,
                    names[table],
                    ids,
                    reason=f"parent of {member.name}",
                    queued_at=sync.api.now(),
                )
                queued += len(ids)
    return set_now, queued
