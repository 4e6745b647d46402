-- migrate:up

-- What checks and the reconciliation need: cheap access to recently written rows, and their memory.

SET LOCAL lock_timeout = '30s';

-- Block-range indexes: a few kilobytes, next to nothing at each write, and the hourly checks look
-- at the rows written since yesterday without reading the table.
CREATE INDEX IF NOT EXISTS shopify_products_synced_at_idx ON public.shopify_products
  USING brin (synced_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX IF NOT EXISTS shopify_product_variants_synced_at_idx ON public.shopify_product_variants
  USING brin (synced_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX IF NOT EXISTS shopify_customers_synced_at_idx ON public.shopify_customers
  USING brin (synced_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX IF NOT EXISTS shopify_orders_synced_at_idx ON public.shopify_orders
  USING brin (synced_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX IF NOT EXISTS shopify_order_items_synced_at_idx ON public.shopify_order_items
  USING brin (synced_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE IF NOT EXISTS shopify_internal.null_rates (
  table_name text NOT NULL,
  column_name text NOT NULL,
  day date NOT NULL,
  checked bigint NOT NULL,
  nulls bigint NOT NULL,
  CONSTRAINT null_rates_pkey PRIMARY KEY (table_name, column_name, day)
);
COMMENT ON TABLE shopify_internal.null_rates IS 'How many of the rows written by a day had no value, by column: what the next days are compared with.';
COMMENT ON COLUMN shopify_internal.null_rates.table_name IS 'The table.';
COMMENT ON COLUMN shopify_internal.null_rates.column_name IS 'The column.';
COMMENT ON COLUMN shopify_internal.null_rates.day IS 'The UTC day on which it was counted.';
COMMENT ON COLUMN shopify_internal.null_rates.checked IS 'Rows looked at.';
COMMENT ON COLUMN shopify_internal.null_rates.nulls IS 'Those without a value.';
SELECT shopify_internal.protect('shopify_internal.null_rates');

-- Unlogged: a sweep that a crash interrupts is made again.
CREATE UNLOGGED TABLE IF NOT EXISTS shopify_internal.swept (
  sweep uuid NOT NULL,
  shopify_id bigint NOT NULL,
  updated_at timestamptz NOT NULL,
  drifting text[] NOT NULL,
  children bigint[] NOT NULL,
  swept_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS swept_idx ON shopify_internal.swept (sweep, shopify_id);
COMMENT ON TABLE shopify_internal.swept IS 'What Shopify listed in a sweep of ids; emptied when it was compared.';
COMMENT ON COLUMN shopify_internal.swept.sweep IS 'The sweep.';
COMMENT ON COLUMN shopify_internal.swept.shopify_id IS 'Shopify''s number of the record.';
COMMENT ON COLUMN shopify_internal.swept.updated_at IS 'When Shopify last changed it.';
COMMENT ON COLUMN shopify_internal.swept.drifting IS 'Values of the columns that move without updated_at, as text.';
COMMENT ON COLUMN shopify_internal.swept.children IS 'How many children it says it has, by child table.';
COMMENT ON COLUMN shopify_internal.swept.swept_at IS 'When the row was put here.';
SELECT shopify_internal.protect('shopify_internal.swept');

CREATE TABLE IF NOT EXISTS shopify_internal.reconciliations (
  id uuid NOT NULL DEFAULT shopify_internal.uuid7(),
  entity text NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  windows_compared integer NOT NULL DEFAULT 0,
  windows_differing integer NOT NULL DEFAULT 0,
  counted_by_shopify bigint,
  counted_here bigint,
  swept_by text,
  ids_swept bigint,
  found bigint NOT NULL DEFAULT 0,
  repaired bigint NOT NULL DEFAULT 0,
  left_over bigint NOT NULL DEFAULT 0,
  was_right bigint NOT NULL DEFAULT 0,
  note text,
  CONSTRAINT reconciliations_pkey PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS reconciliations_entity_idx ON shopify_internal.reconciliations (entity, started_at);
COMMENT ON TABLE shopify_internal.reconciliations IS 'Reports of the reconciliation, one row an entity and run.';
COMMENT ON COLUMN shopify_internal.reconciliations.entity IS 'Entity: products, customers, orders, each with its children.';
COMMENT ON COLUMN shopify_internal.reconciliations.started_at IS 'When it began, on Shopify''s clock.';
COMMENT ON COLUMN shopify_internal.reconciliations.ended_at IS 'When it ended; null where it failed.';
COMMENT ON COLUMN shopify_internal.reconciliations.windows_compared IS 'Windows of created_at whose counts were compared.';
COMMENT ON COLUMN shopify_internal.reconciliations.windows_differing IS 'Those whose counts differed.';
COMMENT ON COLUMN shopify_internal.reconciliations.counted_by_shopify IS 'Shopify''s count of the records that should be here.';
COMMENT ON COLUMN shopify_internal.reconciliations.counted_here IS 'Rows here that live, of the same time.';
COMMENT ON COLUMN shopify_internal.reconciliations.swept_by IS 'pages, bulk, or null without a sweep.';
COMMENT ON COLUMN shopify_internal.reconciliations.ids_swept IS 'Records that the sweep listed.';
COMMENT ON COLUMN shopify_internal.reconciliations.found IS 'Divergences found, those that proved to be none not counted.';
COMMENT ON COLUMN shopify_internal.reconciliations.repaired IS 'Those that were repaired.';
COMMENT ON COLUMN shopify_internal.reconciliations.left_over IS 'Those that are still there.';
COMMENT ON COLUMN shopify_internal.reconciliations.was_right IS 'Suspicions that a second look did not confirm.';
COMMENT ON COLUMN shopify_internal.reconciliations.note IS 'What was not done, and why.';
SELECT shopify_internal.protect('shopify_internal.reconciliations');

CREATE TABLE IF NOT EXISTS shopify_internal.divergences (
  reconciliation uuid NOT NULL,
  entity text NOT NULL,
  shopify_id bigint NOT NULL,
  kind text NOT NULL,
  detail text,
  cause text,
  found_at timestamptz NOT NULL DEFAULT now(),
  outcome text,
  CONSTRAINT divergences_pkey PRIMARY KEY (reconciliation, entity, shopify_id, kind),
  CONSTRAINT divergences_reconciliation_fkey FOREIGN KEY (reconciliation)
    REFERENCES shopify_internal.reconciliations (id) ON DELETE CASCADE
);
COMMENT ON TABLE shopify_internal.divergences IS 'Rows that a reconciliation found to differ from the store.';
COMMENT ON COLUMN shopify_internal.divergences.reconciliation IS 'The report it belongs to.';
COMMENT ON COLUMN shopify_internal.divergences.entity IS 'Entity of the record.';
COMMENT ON COLUMN shopify_internal.divergences.shopify_id IS 'Shopify''s number of the record.';
COMMENT ON COLUMN shopify_internal.divergences.kind IS 'missing, extra, stale, ahead, drifted, children, revived, or the name of what looked wrong here.';
COMMENT ON COLUMN shopify_internal.divergences.detail IS 'What differs, without personal data.';
COMMENT ON COLUMN shopify_internal.divergences.cause IS 'How it arose, where that can be known.';
COMMENT ON COLUMN shopify_internal.divergences.found_at IS 'When it was found.';
COMMENT ON COLUMN shopify_internal.divergences.outcome IS 'repaired, deleted, left, or right: it was none.';
SELECT shopify_internal.protect('shopify_internal.divergences');

-- migrate:down
