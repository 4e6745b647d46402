-- Webhooks stored at less cost: bodies as they came, and the insert planned once a session.
-- Plain SQL, forward only; can be applied by dbmate, psql or Supabase, and applied again unharmed.

-- migrate:up

SET LOCAL lock_timeout = '30s';

-- Bodies are kept for days only: to compress them costs every insert more than the space is worth.
-- Those that fit a page stay in their row. A partition made later has the parent's storage.
DO $$
DECLARE
  partition regclass;
BEGIN
  IF EXISTS (
    SELECT FROM pg_catalog.pg_attribute
    WHERE attrelid = 'shopify_internal.webhook_bodies'::regclass AND attname = 'body' AND attstorage <> 'e'
  ) THEN
    ALTER TABLE shopify_internal.webhook_bodies ALTER COLUMN body SET STORAGE EXTERNAL;
  END IF;
  FOR partition IN
    SELECT inhrelid FROM pg_catalog.pg_inherits
    WHERE inhparent = 'shopify_internal.webhook_bodies'::regclass
    ORDER BY inhrelid
  LOOP
    EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = 8160)', partition);
  END LOOP;
END
$$;

-- One group of deliveries, durably, and a word to the workers; returns the numbers of those that are
-- new, and leaves repeats as they are. A function because a session keeps its plan, also behind a
-- pooler. Values come as few long ones, cut here: an array is built and copied value by value.
CREATE OR REPLACE FUNCTION shopify_internal.store_webhooks(
  first bigint, shop text, topics text, webhook_ids text, event_ids text, api_versions text,
  triggered text, tests text, sizes text, starts text, bodies bytea
) RETURNS bigint[]
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
  body_starts CONSTANT integer[] := starts::integer[];
  this_slot CONSTANT smallint := mod(extract(epoch FROM now())::bigint / 86400, 32);
  numbers bigint[];
BEGIN
  WITH stored AS (
    INSERT INTO shopify_internal.webhook_inbox
      (id, shop, topic, webhook_id, event_id, api_version, triggered_at, is_test, body_bytes, body_slot)
    SELECT
      store_webhooks.first + s.place - 1, store_webhooks.shop, s.topic, s.webhook_id, s.event_id, s.api_version,
      CASE WHEN s.triggered_at IS NOT NULL THEN least(to_timestamp(s.triggered_at), now()) END,
      s.is_test, s.body_bytes, this_slot
    FROM unnest(
      string_to_array(topics, E'\n'), string_to_array(webhook_ids, E'\n'),
      string_to_array(event_ids, E'\n', ''), string_to_array(api_versions, E'\n', ''),
      triggered::float8[], tests::boolean[], sizes::integer[]
    ) WITH ORDINALITY
      AS s (topic, webhook_id, event_id, api_version, triggered_at, is_test, body_bytes, place)
    ON CONFLICT (shop, topic, webhook_id) DO NOTHING
    RETURNING id, body_bytes
  ),
  kept AS (
    INSERT INTO shopify_internal.webhook_bodies (slot, inbox_id, body)
    SELECT
      this_slot, id,
      substring(bodies FROM body_starts[id - store_webhooks.first + 1] FOR body_bytes)
    FROM stored
  )
  SELECT array_agg(id) INTO numbers FROM stored;
  -- A 200 promises that the delivery is on disk, whatever the server's default says.
  IF current_setting('synchronous_commit') IN ('off', 'local') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  PERFORM pg_notify('shopify_webhooks', '');
  RETURN coalesce(numbers, '{}');
END
$$;
COMMENT ON FUNCTION shopify_internal.store_webhooks(bigint, text, text, text, text, text, text, text, text, text, bytea) IS
  'Stores a group of deliveries to one shop, whose texts are joined by line feeds; returns the numbers of the new ones.';

-- migrate:down
