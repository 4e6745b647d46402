-- Webhooks: the inbox that receivers write and workers empty, and what workers leave behind.
-- Plain SQL, forward only; can be applied by dbmate, psql or Supabase, and applied again unharmed.

-- migrate:up

SET LOCAL lock_timeout = '30s';

-- Receivers number deliveries themselves, from blocks of a thousand that they take here.
CREATE SEQUENCE IF NOT EXISTS shopify_internal.webhook_delivery_blocks AS bigint INCREMENT BY 1000;
COMMENT ON SEQUENCE shopify_internal.webhook_delivery_blocks IS 'First numbers of blocks of a thousand deliveries.';
SELECT shopify_internal.protect('shopify_internal.webhook_delivery_blocks');

-- One row a delivery, small and without personal data: it outlives the body and recognises repeats.
CREATE TABLE IF NOT EXISTS shopify_internal.webhook_inbox (
  id bigint NOT NULL,
  shop text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  webhook_id text COLLATE "C" NOT NULL,
  event_id text,
  api_version text,
  triggered_at timestamptz,
  received_at timestamptz NOT NULL DEFAULT now(),
  is_test boolean NOT NULL DEFAULT false,
  body_bytes integer NOT NULL,
  body_slot smallint NOT NULL,
  repeats integer NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'pending',
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  last_error text,
  entity text,
  shopify_id bigint,
  customer_id bigint,
  CONSTRAINT webhook_inbox_pkey PRIMARY KEY (id),
  CONSTRAINT webhook_inbox_delivery_key UNIQUE (shop, topic, webhook_id),
  CONSTRAINT webhook_inbox_state_check CHECK (state IN ('pending', 'done', 'skipped', 'dead'))
);
CREATE INDEX IF NOT EXISTS webhook_inbox_pending_idx ON shopify_internal.webhook_inbox (next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS webhook_inbox_dead_idx ON shopify_internal.webhook_inbox (id) WHERE state = 'dead';
CREATE INDEX IF NOT EXISTS webhook_inbox_customer_idx ON shopify_internal.webhook_inbox (customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS webhook_inbox_received_idx ON shopify_internal.webhook_inbox USING brin (received_at);
COMMENT ON TABLE shopify_internal.webhook_inbox IS 'Every webhook that was received and signed by Shopify, one row a delivery. Its body is in webhook_bodies.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.id IS 'Number of the delivery, roughly in order of arrival.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.shop IS 'The shop''s myshopify.com domain.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.topic IS 'X-Shopify-Topic.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.webhook_id IS 'X-Shopify-Webhook-Id: the same for repeats of one delivery.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.event_id IS 'X-Shopify-Event-Id: the same for all deliveries of one action of a merchant.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.api_version IS 'X-Shopify-API-Version: the version of the body.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.triggered_at IS 'X-Shopify-Triggered-At, never later than received_at; null where it was absent or unreadable.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.received_at IS 'When it was first stored.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.is_test IS 'Whether X-Shopify-Test said that it is a sample.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.body_bytes IS 'Size of the body as received.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.body_slot IS 'Partition of webhook_bodies that holds, or held, the body.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.repeats IS 'How often the same delivery came again.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.state IS 'pending, done, skipped (known not to concern us), or dead (failed too often).';
COMMENT ON COLUMN shopify_internal.webhook_inbox.attempts IS 'Attempts that failed since it came or was replayed.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.next_attempt_at IS 'When a worker may claim it.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.finished_at IS 'When it was done, skipped or found dead.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.last_error IS 'Why the last attempt failed or it was skipped, without personal data.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.entity IS 'Entity that the body was about, once known.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.shopify_id IS 'Shopify''s number of the object that the body was about, once known.';
COMMENT ON COLUMN shopify_internal.webhook_inbox.customer_id IS 'Shopify''s number of the customer whose personal data the body holds, once known.';
SELECT shopify_internal.protect('shopify_internal.webhook_inbox');

-- Bodies lie in a ring of 32 partitions, one a day of arrival, so that a day is pruned by emptying
-- its partition, and nothing is created while the pipeline runs.
CREATE TABLE IF NOT EXISTS shopify_internal.webhook_bodies (
  slot smallint NOT NULL,
  inbox_id bigint NOT NULL,
  body bytea NOT NULL,
  CONSTRAINT webhook_bodies_pkey PRIMARY KEY (slot, inbox_id)
) PARTITION BY LIST (slot);
COMMENT ON TABLE shopify_internal.webhook_bodies IS 'Raw bodies of webhooks, by day of arrival modulo 32. Holds personal data.';
COMMENT ON COLUMN shopify_internal.webhook_bodies.slot IS 'Days from 1970-01-01 to the day of arrival (UTC), modulo 32.';
COMMENT ON COLUMN shopify_internal.webhook_bodies.inbox_id IS 'The delivery in webhook_inbox.';
COMMENT ON COLUMN shopify_internal.webhook_bodies.body IS 'The body, byte for byte.';
SELECT shopify_internal.protect('shopify_internal.webhook_bodies');
DO $$
DECLARE
  partition text;
BEGIN
  FOR slot IN 0..31 LOOP
    partition := format('shopify_internal.webhook_bodies_%s', lpad(slot::text, 2, '0'));
    IF to_regclass(partition) IS NULL THEN
      EXECUTE format('CREATE TABLE %s PARTITION OF shopify_internal.webhook_bodies FOR VALUES IN (%s)', partition, slot);
      EXECUTE format('COMMENT ON TABLE %s IS %L', partition, format('Bodies whose slot is %s.', slot));
      BEGIN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN body SET COMPRESSION lz4', partition);
      EXCEPTION WHEN feature_not_supported THEN NULL;
      END;
    END IF;
    PERFORM shopify_internal.protect(partition::regclass);
  END LOOP;
END
$$;

CREATE TABLE IF NOT EXISTS shopify_internal.webhook_batches (
  id bigint GENERATED ALWAYS AS IDENTITY,
  applied_at timestamptz NOT NULL DEFAULT now(),
  relation text NOT NULL,
  deliveries integer NOT NULL,
  inserted integer NOT NULL,
  updated integer NOT NULL,
  unchanged integer NOT NULL,
  stale integer NOT NULL,
  deleted integer NOT NULL,
  slowest_seconds double precision,
  reported_at timestamptz,
  CONSTRAINT webhook_batches_pkey PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS webhook_batches_unreported_idx ON shopify_internal.webhook_batches (id) WHERE reported_at IS NULL;
COMMENT ON TABLE shopify_internal.webhook_batches IS 'What each batch of webhooks did to each table, until and after Dagster was told.';
COMMENT ON COLUMN shopify_internal.webhook_batches.id IS 'Number of the entry.';
COMMENT ON COLUMN shopify_internal.webhook_batches.applied_at IS 'When the batch was applied.';
COMMENT ON COLUMN shopify_internal.webhook_batches.relation IS 'The data table.';
COMMENT ON COLUMN shopify_internal.webhook_batches.deliveries IS 'Webhooks of the batch that were about the table or its parent.';
COMMENT ON COLUMN shopify_internal.webhook_batches.inserted IS 'Rows inserted.';
COMMENT ON COLUMN shopify_internal.webhook_batches.updated IS 'Rows updated.';
COMMENT ON COLUMN shopify_internal.webhook_batches.unchanged IS 'Rows that already said the same.';
COMMENT ON COLUMN shopify_internal.webhook_batches.stale IS 'Rows that already knew better.';
COMMENT ON COLUMN shopify_internal.webhook_batches.deleted IS 'Rows marked deleted.';
COMMENT ON COLUMN shopify_internal.webhook_batches.slowest_seconds IS 'Longest time from receiving a webhook of the batch to applying it.';
COMMENT ON COLUMN shopify_internal.webhook_batches.reported_at IS 'When it was reported to Dagster as part of an observation.';
SELECT shopify_internal.protect('shopify_internal.webhook_batches');

CREATE TABLE IF NOT EXISTS shopify_internal.webhook_workers (
  worker text NOT NULL,
  mode text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  beaten_at timestamptz NOT NULL DEFAULT now(),
  processed bigint NOT NULL DEFAULT 0,
  CONSTRAINT webhook_workers_pkey PRIMARY KEY (worker)
);
COMMENT ON TABLE shopify_internal.webhook_workers IS 'Signs of life of the workers that empty the inbox.';
COMMENT ON COLUMN shopify_internal.webhook_workers.worker IS 'Host, process and a random word.';
COMMENT ON COLUMN shopify_internal.webhook_workers.mode IS 'How it is woken: listen, or poll.';
COMMENT ON COLUMN shopify_internal.webhook_workers.started_at IS 'When it started.';
COMMENT ON COLUMN shopify_internal.webhook_workers.beaten_at IS 'Its last sign of life.';
COMMENT ON COLUMN shopify_internal.webhook_workers.processed IS 'Webhooks that it finished.';
SELECT shopify_internal.protect('shopify_internal.webhook_workers');

CREATE TABLE IF NOT EXISTS shopify_internal.webhook_notices (
  id bigint GENERATED ALWAYS AS IDENTITY,
  kind text NOT NULL,
  noticed_at timestamptz NOT NULL DEFAULT now(),
  detail jsonb NOT NULL DEFAULT '{}',
  alerted_at timestamptz,
  CONSTRAINT webhook_notices_pkey PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS webhook_notices_unalerted_idx ON shopify_internal.webhook_notices (id) WHERE alerted_at IS NULL;
COMMENT ON TABLE shopify_internal.webhook_notices IS 'What a person should hear of: the app uninstalled, its scopes changed, subscriptions dropped, requests about privacy.';
COMMENT ON COLUMN shopify_internal.webhook_notices.id IS 'Number of the notice.';
COMMENT ON COLUMN shopify_internal.webhook_notices.kind IS 'What happened, in words joined by underscores.';
COMMENT ON COLUMN shopify_internal.webhook_notices.noticed_at IS 'When it was noticed.';
COMMENT ON COLUMN shopify_internal.webhook_notices.detail IS 'Particulars, without personal data.';
COMMENT ON COLUMN shopify_internal.webhook_notices.alerted_at IS 'When an alert was sent.';
SELECT shopify_internal.protect('shopify_internal.webhook_notices');

CREATE TABLE IF NOT EXISTS shopify_internal.finished_bulk_operations (
  gid text NOT NULL,
  status text NOT NULL,
  error_code text,
  completed_at timestamptz,
  received_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT finished_bulk_operations_pkey PRIMARY KEY (gid)
);
COMMENT ON TABLE shopify_internal.finished_bulk_operations IS 'Bulk operations that Shopify said are over, so that who waits for one can look at once.';
COMMENT ON COLUMN shopify_internal.finished_bulk_operations.gid IS 'Global id of the operation.';
COMMENT ON COLUMN shopify_internal.finished_bulk_operations.status IS 'Shopify''s word, lower case.';
COMMENT ON COLUMN shopify_internal.finished_bulk_operations.error_code IS 'Shopify''s word, lower case; null where it did not fail.';
COMMENT ON COLUMN shopify_internal.finished_bulk_operations.completed_at IS 'When it was completed, by Shopify''s clock.';
COMMENT ON COLUMN shopify_internal.finished_bulk_operations.received_at IS 'When we were told.';
SELECT shopify_internal.protect('shopify_internal.finished_bulk_operations');

-- The ledger of requests about privacy: what was asked and done, never whose name or address it was.
CREATE TABLE IF NOT EXISTS shopify_internal.privacy_requests (
  id bigint GENERATED ALWAYS AS IDENTITY,
  kind text NOT NULL,
  delivery_id bigint NOT NULL,
  request_id bigint,
  customer_id bigint,
  order_ids bigint[] NOT NULL DEFAULT '{}',
  requested_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  done_at timestamptz,
  erased jsonb,
  CONSTRAINT privacy_requests_pkey PRIMARY KEY (id),
  CONSTRAINT privacy_requests_delivery_key UNIQUE (delivery_id)
);
CREATE INDEX IF NOT EXISTS privacy_requests_customer_idx ON shopify_internal.privacy_requests (customer_id);
COMMENT ON TABLE shopify_internal.privacy_requests IS 'Requests about privacy that Shopify passed on, and what was done.';
COMMENT ON COLUMN shopify_internal.privacy_requests.id IS 'Number of the request here.';
COMMENT ON COLUMN shopify_internal.privacy_requests.kind IS 'Topic: customers/data_request, customers/redact or shop/redact.';
COMMENT ON COLUMN shopify_internal.privacy_requests.delivery_id IS 'The webhook in webhook_inbox.';
COMMENT ON COLUMN shopify_internal.privacy_requests.request_id IS 'Shopify''s number of the request, where it gives one.';
COMMENT ON COLUMN shopify_internal.privacy_requests.customer_id IS 'Shopify''s number of the customer.';
COMMENT ON COLUMN shopify_internal.privacy_requests.order_ids IS 'Shopify''s numbers of the orders concerned.';
COMMENT ON COLUMN shopify_internal.privacy_requests.requested_at IS 'When Shopify sent it.';
COMMENT ON COLUMN shopify_internal.privacy_requests.due_at IS 'By when it must be answered.';
COMMENT ON COLUMN shopify_internal.privacy_requests.done_at IS 'When it was answered.';
COMMENT ON COLUMN shopify_internal.privacy_requests.erased IS 'How many rows of which relation were erased.';
SELECT shopify_internal.protect('shopify_internal.privacy_requests');

-- migrate:down
