-- Statements of webhooks, each under its name.

-- name: reserve
SELECT nextval('shopify_internal.webhook_delivery_blocks')

-- name: store
-- One group of deliveries to one shop, durably; the numbers of those that are new.
-- The caller sends each key once, in order, so that receivers don't lock each other out.
SELECT shopify_internal.store_webhooks(
  %(first)b::bigint, %(shop)b, %(topics)b, %(webhook_ids)b, %(event_ids)b, %(api_versions)b,
  %(triggered)b, %(tests)b, %(sizes)b, %(starts)b, %(bodies)b
)

-- name: count_repeats
-- Best effort: a row that a worker holds is passed over.
UPDATE shopify_internal.webhook_inbox AS i
SET repeats = repeats + found.times
FROM (
  SELECT known.id, s.times
  FROM unnest(%(shops)b::text[], %(topics)b::text[], %(webhook_ids)b::text[], %(times)b::integer[])
    AS s (shop, topic, webhook_id, times)
  JOIN shopify_internal.webhook_inbox AS known USING (shop, topic, webhook_id)
  FOR UPDATE OF known SKIP LOCKED
) AS found
WHERE i.id = found.id

-- name: backlog
SELECT
  (SELECT count(*) FROM shopify_internal.webhook_inbox WHERE state = 'pending') AS pending,
  (SELECT extract(epoch FROM now() - min(received_at))
   FROM shopify_internal.webhook_inbox WHERE state = 'pending')::float8 AS oldest_seconds,
  (SELECT count(*) FROM shopify_internal.webhook_inbox WHERE state = 'dead') AS dead,
  (SELECT count(*) FROM shopify_internal.webhook_workers
   WHERE beaten_at > now() - interval '30 seconds') AS workers

-- name: claim
SELECT id, shop, topic, received_at, triggered_at, is_test, attempts, body_slot, body_bytes
FROM shopify_internal.webhook_inbox
WHERE state = 'pending' AND next_attempt_at <= now()
ORDER BY next_attempt_at, id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED

-- name: claim_these
SELECT id, shop, topic, received_at, triggered_at, is_test, attempts, body_slot, body_bytes
FROM shopify_internal.webhook_inbox
WHERE state = 'pending' AND id = ANY(%(ids)s)
ORDER BY id
FOR UPDATE SKIP LOCKED

-- name: bodies
SELECT inbox_id, body
FROM shopify_internal.webhook_bodies
WHERE slot = %(slot)s AND inbox_id = ANY(%(ids)s)

-- name: finish
UPDATE shopify_internal.webhook_inbox AS i
SET
  state = f.state, finished_at = now(), last_error = f.why,
  entity = f.entity, shopify_id = f.shopify_id, customer_id = f.customer_id
FROM unnest(
  %(ids)s::bigint[], %(states)s::text[], %(whys)s::text[], %(entities)s::text[],
  %(shopify_ids)s::bigint[], %(customer_ids)s::bigint[]
) AS f (id, state, why, entity, shopify_id, customer_id)
WHERE i.id = f.id

-- name: fail
UPDATE shopify_internal.webhook_inbox
SET
  attempts = attempts + 1,
  last_error = %(why)s,
  state = CASE WHEN attempts + 1 >= %(most)s THEN 'dead' ELSE 'pending' END,
  finished_at = CASE WHEN attempts + 1 >= %(most)s THEN now() END,
  next_attempt_at = now() + least(2 ^ attempts, 3600) * interval '1 second',
  entity = %(entity)s, shopify_id = %(shopify_id)s, customer_id = %(customer_id)s
WHERE id = %(id)s AND state = 'pending'
RETURNING state

-- name: record_batch
INSERT INTO shopify_internal.webhook_batches
  (relation, deliveries, inserted, updated, unchanged, stale, deleted, slowest_seconds)
VALUES
  (%(relation)s, %(deliveries)s, %(inserted)s, %(updated)s, %(unchanged)s, %(stale)s, %(deleted)s,
   extract(epoch FROM clock_timestamp() - %(oldest)s::timestamptz)::float8)

-- name: finish_bulk_operation
INSERT INTO shopify_internal.finished_bulk_operations (gid, status, error_code, completed_at)
VALUES (%(gid)s, %(status)s, %(error_code)s, %(completed_at)s)
ON CONFLICT (gid) DO NOTHING

-- name: notice
INSERT INTO shopify_internal.webhook_notices (kind, detail) VALUES (%(kind)s, %(detail)s::jsonb)

-- name: lock_tags
SELECT tags, observed_at
FROM public.shopify_customers
WHERE shopify_customer_id = %(id)s
FOR NO KEY UPDATE

-- name: orders_of_customer
SELECT shopify_order_id FROM public.shopify_orders WHERE shopify_customer_id = ANY(%(ids)s)

-- name: record_privacy_request
INSERT INTO shopify_internal.privacy_requests
  (kind, delivery_id, request_id, customer_id, order_ids, requested_at, due_at, done_at, erased)
VALUES
  (%(kind)s, %(delivery_id)s, %(request_id)s, %(customer_id)s, %(order_ids)s, %(requested_at)s,
   %(due_at)s, CASE WHEN %(is_done)s THEN now() END, %(erased)s::jsonb)
ON CONFLICT (delivery_id) DO UPDATE SET
  done_at = coalesce(privacy_requests.done_at, excluded.done_at),
  erased = coalesce(privacy_requests.erased, excluded.erased)

-- name: redacted
SELECT customer_id, order_ids, requested_at
FROM shopify_internal.privacy_requests
WHERE kind = 'customers/redact'
  AND (customer_id = ANY(%(customer_ids)s) OR order_ids && %(order_ids)s::bigint[])

-- name: recent_redactions
SELECT customer_id, order_ids
FROM shopify_internal.privacy_requests
WHERE kind = 'customers/redact' AND done_at > now() - interval '2 days'

-- name: erase_bodies
-- What failed goes too, and is not tried again without its body; where nobody could read whom it
-- is about, it goes if the customer's number stands in it anywhere. Requests about privacy that
-- failed are still to be carried out. What another worker holds is left to `erase_again`.
WITH failed AS (
  SELECT i.id
  FROM shopify_internal.webhook_inbox AS i
  JOIN shopify_internal.webhook_bodies AS b ON b.slot = i.body_slot AND b.inbox_id = i.id
  WHERE i.state IN ('pending', 'dead') AND i.topic <> ALL(%(compliance)s)
    AND (
      i.customer_id = %(customer_id)s
      OR (i.entity = 'orders' AND i.shopify_id = ANY(%(order_ids)s))
      OR (
        i.attempts > 0 AND i.customer_id IS NULL AND i.entity IS DISTINCT FROM 'products'
        AND encode(b.body, 'escape') ~ format('\m%%s\M', %(customer_id)s::bigint)
      )
    )
  FOR UPDATE OF i SKIP LOCKED
),
skipped AS (
  UPDATE shopify_internal.webhook_inbox
  SET state = 'skipped', finished_at = now(), last_error = 'erased by customers/redact'
  WHERE id IN (SELECT id FROM failed)
)
DELETE FROM shopify_internal.webhook_bodies AS b
USING shopify_internal.webhook_inbox AS i
WHERE b.slot = i.body_slot AND b.inbox_id = i.id
  AND (
    i.id IN (SELECT id FROM failed)
    OR (
      i.state IN ('done', 'skipped')
      AND (
        i.customer_id = %(customer_id)s
        OR (i.entity = 'orders' AND i.shopify_id = ANY(%(order_ids)s))
      )
    )
  )

-- name: erase_these_bodies
DELETE FROM shopify_internal.webhook_bodies AS b
USING shopify_internal.webhook_inbox AS i
WHERE b.slot = i.body_slot AND b.inbox_id = i.id AND i.id = ANY(%(ids)s)

-- name: erase_links
WITH released AS (
  DELETE FROM shopify_internal.profile_links
  WHERE shopify_customer_id = %(customer_id)s
  RETURNING shopify_customer_id, rule
)
INSERT INTO shopify_internal.profile_link_history (shopify_customer_id, event, rule, reason)
SELECT shopify_customer_id, 'released', rule, 'customers/redact' FROM released

-- name: erase_link_column
UPDATE public.shopify_customers SET unified_profile_id = NULL
WHERE shopify_customer_id = %(customer_id)s AND unified_profile_id IS NOT NULL

-- name: erase_link_history
UPDATE shopify_internal.profile_link_history SET profile_id = NULL
WHERE shopify_customer_id = %(customer_id)s AND profile_id IS NOT NULL

-- name: erase_decision_notes
UPDATE shopify_internal.profile_decisions SET note = NULL
WHERE shopify_customer_id = %(customer_id)s AND note IS NOT NULL

-- name: erase_keys
DELETE FROM shopify_internal.customer_keys WHERE shopify_customer_id = %(customer_id)s

-- name: erase_candidates
DELETE FROM shopify_internal.profile_candidates WHERE shopify_customer_id = %(customer_id)s

-- name: erase_conflicts
DELETE FROM shopify_internal.profile_conflicts WHERE shopify_customer_id = %(customer_id)s

-- name: empty_bodies
DELETE FROM shopify_internal.webhook_bodies AS b
WHERE inbox_id <> %(delivery_id)s

-- name: empty_links
UPDATE public.shopify_customers SET unified_profile_id = NULL WHERE unified_profile_id IS NOT NULL

-- name: empty_link_history
UPDATE shopify_internal.profile_link_history SET profile_id = NULL WHERE profile_id IS NOT NULL

-- name: empty_decision_notes
UPDATE shopify_internal.profile_decisions SET note = NULL WHERE note IS NOT NULL

-- name: empty_profile_links
DELETE FROM shopify_internal.profile_links

-- name: empty_keys
DELETE FROM shopify_internal.customer_keys

-- name: empty_candidates
DELETE FROM shopify_internal.profile_candidates

-- name: empty_conflicts
DELETE FROM shopify_internal.profile_conflicts

-- name: empty_refresh_queue
DELETE FROM shopify_internal.refresh_queue

-- name: skip_pending
UPDATE shopify_internal.webhook_inbox
SET state = 'skipped', finished_at = now(), last_error = 'erased by shop/redact'
WHERE state IN ('pending', 'dead') AND id <> %(delivery_id)s

-- name: privacy_requests
SELECT id, kind, customer_id, order_ids, requested_at, due_at, done_at
FROM shopify_internal.privacy_requests
ORDER BY id

-- name: answer_data_requests
UPDATE shopify_internal.privacy_requests SET done_at = now()
WHERE kind = 'customers/data_request' AND customer_id = %(customer_id)s AND done_at IS NULL

-- name: orders_requested
SELECT DISTINCT unnest(order_ids)
FROM shopify_internal.privacy_requests
WHERE kind = 'customers/data_request' AND customer_id = %(customer_id)s

-- name: deliveries_of_customer
SELECT topic, received_at FROM shopify_internal.webhook_inbox
WHERE customer_id = %(customer_id)s ORDER BY received_at

-- name: beat
INSERT INTO shopify_internal.webhook_workers (worker, mode, processed)
VALUES (%(worker)s, %(mode)s, %(processed)s)
ON CONFLICT (worker) DO UPDATE
SET mode = excluded.mode, processed = excluded.processed, beaten_at = now()

-- name: leave
DELETE FROM shopify_internal.webhook_workers WHERE worker = %(worker)s

-- name: next_attempt
SELECT extract(epoch FROM min(next_attempt_at) - now())::float8
FROM shopify_internal.webhook_inbox
WHERE state = 'pending'

-- name: dead
SELECT id, topic, webhook_id, received_at, finished_at, attempts, last_error
FROM shopify_internal.webhook_inbox
WHERE state = 'dead'
ORDER BY id
LIMIT %(limit)s

-- name: replay
-- Requests about privacy only where they are dead: one that was carried out would erase what came
-- after it.
UPDATE shopify_internal.webhook_inbox AS i
SET state = 'pending', attempts = 0, next_attempt_at = now(), finished_at = NULL, last_error = NULL
FROM shopify_internal.webhook_bodies AS b
WHERE b.slot = i.body_slot AND b.inbox_id = i.id
  AND i.state = ANY(%(states)s) AND (i.state = 'dead' OR i.topic <> ALL(%(compliance)s))
  AND (%(ids)s::bigint[] IS NULL OR i.id = ANY(%(ids)s::bigint[]))

-- name: wake
SELECT pg_notify('shopify_webhooks', %(word)s)

-- name: slot_is_used
SELECT EXISTS (SELECT FROM shopify_internal.webhook_bodies WHERE slot = %(slot)s)

-- name: today_slot
SELECT mod(extract(epoch FROM now())::bigint / 86400, 32)::integer

-- name: keep_unfinished
WITH unfinished AS (
  UPDATE shopify_internal.webhook_inbox
  SET body_slot = %(today)s
  WHERE state IN ('pending', 'dead') AND body_slot = %(slot)s
  RETURNING id
)
UPDATE shopify_internal.webhook_bodies
SET slot = %(today)s
WHERE slot = %(slot)s AND inbox_id IN (SELECT id FROM unfinished)

-- name: prune_ledger
DELETE FROM shopify_internal.webhook_inbox
WHERE id IN (
  SELECT id FROM shopify_internal.webhook_inbox
  WHERE received_at < now() - %(days)s * interval '1 day' AND state IN ('done', 'skipped')
  LIMIT %(most)s
)

-- name: prune_batches
DELETE FROM shopify_internal.webhook_batches WHERE applied_at < now() - interval '7 days'

-- name: prune_workers
DELETE FROM shopify_internal.webhook_workers WHERE beaten_at < now() - interval '1 day'

-- name: prune_bulk_operations
DELETE FROM shopify_internal.finished_bulk_operations WHERE received_at < now() - interval '30 days'

-- name: claim_activity
-- Grouped by table; claimed at once, so that two who ask never report the same.
WITH claimed AS (
  UPDATE shopify_internal.webhook_batches
  SET reported_at = now()
  WHERE id IN (
    SELECT id FROM shopify_internal.webhook_batches WHERE reported_at IS NULL FOR UPDATE SKIP LOCKED
  )
  RETURNING *
)
SELECT
  relation, sum(deliveries)::integer AS deliveries, sum(inserted)::integer AS inserted,
  sum(updated)::integer AS updated, sum(unchanged)::integer AS unchanged,
  sum(stale)::integer AS stale, sum(deleted)::integer AS deleted,
  max(slowest_seconds) AS slowest_seconds, min(applied_at) AS first_at, max(applied_at) AS last_at
FROM claimed
GROUP BY relation
ORDER BY relation
