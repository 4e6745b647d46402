-- Upkeep of the normalised keys of both sides. Temporary tables live for one transaction.

-- name: create_staging
CREATE TEMP TABLE recent_customers (shopify_customer_id bigint NOT NULL) ON COMMIT DROP;
CREATE TEMP TABLE staged_customers (
  shopify_customer_id bigint NOT NULL,
  fingerprint bigint NOT NULL, email uuid, canonical uuid, near uuid, phone uuid, name uuid
) ON COMMIT DROP;
CREATE TEMP TABLE staged_profiles (
  profile_id uuid NOT NULL,
  fingerprint bigint NOT NULL, email uuid, canonical uuid, near uuid, phone uuid, name uuid
) ON COMMIT DROP;
CREATE TEMP TABLE gone_customers (shopify_customer_id bigint NOT NULL, reason text NOT NULL) ON COMMIT DROP;
CREATE TEMP TABLE gone_profiles (profile_id uuid NOT NULL) ON COMMIT DROP;
CREATE TEMP TABLE affected (shopify_customer_id bigint NOT NULL) ON COMMIT DROP

-- name: transaction_horizon
-- Everything committed after this moment was written by a transaction with at least this number.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: find_all_customers
INSERT INTO recent_customers SELECT shopify_customer_id FROM public.shopify_customers

-- name: find_recent_customers
-- Row versions written by transactions that the last run could not see: exact, whatever the clocks.
INSERT INTO recent_customers
SELECT shopify_customer_id FROM public.shopify_customers
WHERE age(xmin) <= age(CAST(CAST(:horizon AS text) AS xid))

-- name: find_given_customers
INSERT INTO recent_customers SELECT DISTINCT unnest(CAST(:ids AS bigint[]))

-- name: lately_written
-- By time and number: what one transaction wrote has one time, and may be more than the limit. The
-- first condition is what the block-range index serves.
SELECT synced_at, shopify_customer_id
FROM public.shopify_customers
WHERE synced_at >= :synced_at
  AND (synced_at, shopify_customer_id) > (:synced_at, :shopify_customer_id)
ORDER BY synced_at, shopify_customer_id
LIMIT :limit

-- name: changed_customers
SELECT c.shopify_customer_id, c.email, u.phone, u.first_name, u.last_name, f.fingerprint
FROM recent_customers
JOIN public.shopify_customers AS c USING (shopify_customer_id)
CROSS JOIN LATERAL (
  SELECT
    CASE WHEN :with_phones THEN c.phone END AS phone,
    CASE WHEN :with_names THEN c.first_name END AS first_name,
    CASE WHEN :with_names THEN c.last_name END AS last_name
) AS u
CROSS JOIN LATERAL (
  SELECT hashtextextended(
    coalesce('=' || c.email, '') || E'\x1f' || coalesce('=' || u.phone, '')
    || E'\x1f' || coalesce('=' || u.first_name, '') || E'\x1f' || coalesce('=' || u.last_name, ''),
    :seed
  ) AS fingerprint
) AS f
LEFT JOIN shopify_internal.customer_keys AS k USING (shopify_customer_id)
WHERE c.deleted_at IS NULL
  AND c.merged_into_shopify_customer_id IS NULL
  AND k.fingerprint IS DISTINCT FROM f.fingerprint

-- name: find_gone_customers
INSERT INTO gone_customers
SELECT k.shopify_customer_id,
  CASE
    WHEN c.shopify_customer_id IS NULL THEN 'customer_gone'
    WHEN c.merged_into_shopify_customer_id IS NOT NULL THEN 'customer_merged'
    ELSE 'customer_deleted'
  END
FROM recent_customers
JOIN shopify_internal.customer_keys AS k USING (shopify_customer_id)
LEFT JOIN public.shopify_customers AS c USING (shopify_customer_id)
WHERE c.shopify_customer_id IS NULL
  OR c.deleted_at IS NOT NULL
  OR c.merged_into_shopify_customer_id IS NOT NULL

-- name: find_absent_customers
INSERT INTO gone_customers
SELECT k.shopify_customer_id, 'customer_gone'
FROM shopify_internal.customer_keys AS k
WHERE NOT EXISTS (
  SELECT FROM public.shopify_customers AS c WHERE c.shopify_customer_id = k.shopify_customer_id
)

-- name: find_gone_profiles
INSERT INTO gone_profiles
SELECT k.profile_id
FROM shopify_internal.profile_keys AS k
WHERE NOT EXISTS (SELECT FROM public.unified_profiles AS p WHERE p.id = k.profile_id)

-- name: find_affected
-- Whose link has to be judged again: customers that changed, those that share a key with a profile
-- that changed, by its keys before and after, and the few about whom something was decided. A key is
-- looked for, not joined: as many rows as share it on either side are no more work than there are.
WITH changed AS MATERIALIZED (
  SELECT profile_id FROM staged_profiles UNION ALL SELECT profile_id FROM gone_profiles
),
touched AS MATERIALIZED (
  SELECT canonical, near, phone, name FROM staged_profiles
  UNION ALL
  SELECT k.canonical, k.near, k.phone, k.name
  FROM changed JOIN shopify_internal.profile_keys AS k USING (profile_id)
),
-- Names that say nothing (`namesakes` in linking.sql) before and after, whatever changed.
common AS MATERIALIZED (
  SELECT k.name
  FROM shopify_internal.profile_keys AS k
  WHERE k.name IN (SELECT name FROM touched)
    AND NOT EXISTS (SELECT FROM changed AS c WHERE c.profile_id = k.profile_id)
  GROUP BY k.name
  HAVING count(*) > 20
)
INSERT INTO affected
SELECT shopify_customer_id FROM staged_customers
UNION SELECT shopify_customer_id FROM gone_customers
UNION SELECT l.shopify_customer_id FROM changed JOIN shopify_internal.profile_links AS l USING (profile_id)
UNION SELECT shopify_customer_id FROM shopify_internal.profile_decisions
UNION SELECT x.shopify_customer_id FROM changed JOIN shopify_internal.profile_conflicts AS x USING (profile_id)
UNION SELECT x.shopify_customer_id FROM changed JOIN shopify_internal.profile_candidates AS x USING (profile_id)
UNION SELECT shopify_customer_id FROM shopify_internal.customer_keys WHERE canonical IN (SELECT canonical FROM touched)
UNION SELECT shopify_customer_id FROM shopify_internal.customer_keys WHERE phone IN (SELECT phone FROM touched)
UNION SELECT shopify_customer_id FROM shopify_internal.customer_keys WHERE near IN (SELECT near FROM touched)
UNION SELECT shopify_customer_id FROM shopify_internal.customer_keys WHERE near IN (SELECT canonical FROM touched)
UNION SELECT shopify_customer_id FROM shopify_internal.customer_keys WHERE canonical IN (SELECT near FROM touched)
UNION SELECT shopify_customer_id FROM shopify_internal.customer_keys
WHERE name IN (
  SELECT t.name FROM touched AS t WHERE NOT EXISTS (SELECT FROM common AS c WHERE c.name = t.name)
)

-- name: take_given
INSERT INTO affected SELECT DISTINCT unnest(CAST(:ids AS bigint[]))

-- name: leave_out_vanished
-- Those whose link or match is a profile that is no longer there. Their keys stay as they are, so
-- that the next run still sees that they changed.
WITH looked_at AS (
  SELECT a.shopify_customer_id,
    CASE WHEN s.shopify_customer_id IS NULL THEN k.canonical ELSE s.canonical END AS canonical,
    CASE WHEN s.shopify_customer_id IS NULL THEN k.phone ELSE s.phone END AS phone
  FROM affected AS a
  LEFT JOIN staged_customers AS s USING (shopify_customer_id)
  LEFT JOIN gone_customers AS g USING (shopify_customer_id)
  LEFT JOIN shopify_internal.customer_keys AS k
    ON k.shopify_customer_id = a.shopify_customer_id AND g.shopify_customer_id IS NULL
),
left_out AS (
  SELECT c.shopify_customer_id
  FROM looked_at AS c
  WHERE EXISTS (
    SELECT FROM (
      SELECT p.profile_id FROM shopify_internal.profile_keys AS p WHERE p.canonical = c.canonical
      UNION ALL
      SELECT p.profile_id FROM shopify_internal.profile_keys AS p WHERE p.phone = c.phone
      UNION ALL
      SELECT l.profile_id FROM shopify_internal.profile_links AS l
      WHERE l.shopify_customer_id = c.shopify_customer_id
    ) AS known
    WHERE NOT EXISTS (SELECT FROM public.unified_profiles AS p WHERE p.id = known.profile_id)
  )
),
unstaged AS (
  DELETE FROM staged_customers AS s USING left_out AS x
  WHERE s.shopify_customer_id = x.shopify_customer_id
),
not_gone AS (
  DELETE FROM gone_customers AS g USING left_out AS x
  WHERE g.shopify_customer_id = x.shopify_customer_id
)
DELETE FROM affected AS a USING left_out AS x
WHERE a.shopify_customer_id = x.shopify_customer_id

-- name: write_keys
DELETE FROM shopify_internal.customer_keys AS k USING gone_customers AS g
WHERE k.shopify_customer_id = g.shopify_customer_id;
DELETE FROM shopify_internal.profile_keys AS k USING gone_profiles AS g
WHERE k.profile_id = g.profile_id;
-- Deleted and inserted, not upserted: as much work for the few that are there, half for a first load.
DELETE FROM shopify_internal.customer_keys AS k USING staged_customers AS s
WHERE k.shopify_customer_id = s.shopify_customer_id;
DELETE FROM shopify_internal.profile_keys AS k USING staged_profiles AS s
WHERE k.profile_id = s.profile_id;
INSERT INTO shopify_internal.customer_keys
  (shopify_customer_id, fingerprint, email, canonical, near, phone, name)
SELECT shopify_customer_id, fingerprint, email, canonical, near, phone, name
FROM staged_customers ORDER BY shopify_customer_id;
INSERT INTO shopify_internal.profile_keys
  (profile_id, fingerprint, email, canonical, near, phone, name)
SELECT profile_id, fingerprint, email, canonical, near, phone, name
FROM staged_profiles ORDER BY profile_id

-- name: analyze_recent
ANALYZE recent_customers

-- name: analyze_staging
ANALYZE staged_customers, staged_profiles, gone_customers, gone_profiles

-- name: analyze_keys
ANALYZE shopify_internal.customer_keys, shopify_internal.profile_keys
