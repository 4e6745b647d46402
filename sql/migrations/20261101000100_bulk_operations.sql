-- migrate:up

-- Bulk operations that a pull has claimed, and the lines of their files that had to be put aside.

CREATE TABLE IF NOT EXISTS shopify_internal.bulk_claims (
  id uuid NOT NULL DEFAULT shopify_internal.uuid7(),
  entity text NOT NULL,
  purpose text NOT NULL,
  window_start timestamptz NOT NULL,
  window_end timestamptz NOT NULL,
  asked_end timestamptz NOT NULL,
  query_hash text NOT NULL,
  claimed_at timestamptz NOT NULL,
  gid text,
  ended_at timestamptz,
  outcome text,
  CONSTRAINT bulk_claims_pkey PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS bulk_claims_open_idx ON shopify_internal.bulk_claims (entity, purpose)
  WHERE ended_at IS NULL;
COMMENT ON TABLE shopify_internal.bulk_claims IS 'Bulk operations, each claimed before it is submitted, so that a crash between the two loses none.';
COMMENT ON COLUMN shopify_internal.bulk_claims.entity IS 'Entity: products, customers, orders.';
COMMENT ON COLUMN shopify_internal.bulk_claims.purpose IS 'What the window is of: updated, created, sweep.';
COMMENT ON COLUMN shopify_internal.bulk_claims.window_start IS 'Start of the window that is read.';
COMMENT ON COLUMN shopify_internal.bulk_claims.window_end IS 'End of the window that is read.';
COMMENT ON COLUMN shopify_internal.bulk_claims.asked_end IS 'End of the window that was asked for; later than window_end where that was cut at now.';
COMMENT ON COLUMN shopify_internal.bulk_claims.query_hash IS 'SHA-256 of the query.';
COMMENT ON COLUMN shopify_internal.bulk_claims.claimed_at IS 'When it was claimed, on Shopify''s clock.';
COMMENT ON COLUMN shopify_internal.bulk_claims.gid IS 'Shopify''s id of the operation; null until it was submitted.';
COMMENT ON COLUMN shopify_internal.bulk_claims.ended_at IS 'When its result was merged, or given up.';
COMMENT ON COLUMN shopify_internal.bulk_claims.outcome IS 'merged, or why it was given up.';
SELECT shopify_internal.protect('shopify_internal.bulk_claims');

-- Unlogged: after a crash of the server the file is read again anyway.
CREATE UNLOGGED TABLE IF NOT EXISTS shopify_internal.bulk_parked (
  reader uuid NOT NULL,
  owner_id bigint NOT NULL,
  is_owner boolean NOT NULL,
  line text NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS bulk_parked_reader_idx ON shopify_internal.bulk_parked (reader, owner_id);
COMMENT ON TABLE shopify_internal.bulk_parked IS 'Lines of a bulk file whose family was not together yet; emptied when the file was read to its end.';
COMMENT ON COLUMN shopify_internal.bulk_parked.reader IS 'Who reads the file.';
COMMENT ON COLUMN shopify_internal.bulk_parked.owner_id IS 'Shopify''s number of the record that owns the line.';
COMMENT ON COLUMN shopify_internal.bulk_parked.is_owner IS 'Whether the line is that record itself.';
COMMENT ON COLUMN shopify_internal.bulk_parked.line IS 'The line, JSON.';
COMMENT ON COLUMN shopify_internal.bulk_parked.parked_at IS 'When it was put here.';
SELECT shopify_internal.protect('shopify_internal.bulk_parked');

-- migrate:down
