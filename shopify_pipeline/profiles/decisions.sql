-- Decisions of people about links.

-- name: customer_exists
SELECT EXISTS (SELECT FROM public.shopify_customers WHERE shopify_customer_id = :customer)

-- name: profile_exists
SELECT EXISTS (SELECT FROM public.unified_profiles WHERE id = :profile)

-- name: withdraw_choice
-- One choice a customer: another profile, or none at all, takes the place of the one before.
DELETE FROM shopify_internal.profile_decisions
WHERE shopify_customer_id = :customer AND (verdict = 'link' OR profile_id IS NULL)

-- name: decide
WITH decided AS (
  INSERT INTO shopify_internal.profile_decisions (shopify_customer_id, profile_id, verdict, note)
  VALUES (:customer, :profile, :verdict, :note)
  ON CONFLICT (shopify_customer_id, profile_id) WHERE profile_id IS NOT NULL DO UPDATE
  SET verdict = excluded.verdict, note = excluded.note,
    decided_by = excluded.decided_by, decided_at = excluded.decided_at
  RETURNING shopify_customer_id, profile_id, verdict
)
INSERT INTO shopify_internal.profile_link_history (shopify_customer_id, profile_id, event, reason)
SELECT shopify_customer_id, profile_id, 'decided', verdict FROM decided

-- name: know_profile
-- A profile made since the last run has no keys yet: enough to link to, and due at the next run.
INSERT INTO shopify_internal.profile_keys (profile_id, fingerprint) VALUES (:profile, 0)
ON CONFLICT (profile_id) DO NOTHING

-- name: forget
WITH forgotten AS (
  DELETE FROM shopify_internal.profile_decisions WHERE shopify_customer_id = :customer
  RETURNING shopify_customer_id, profile_id
)
INSERT INTO shopify_internal.profile_link_history (shopify_customer_id, profile_id, event, reason)
SELECT shopify_customer_id, profile_id, 'decided', 'forgotten' FROM forgotten

-- name: conflicts
SELECT shopify_customer_id, profile_id::text, rule AS by, linked, found_at
FROM shopify_internal.profile_conflicts
WHERE shopify_customer_id IN (
  SELECT DISTINCT shopify_customer_id FROM shopify_internal.profile_conflicts
  ORDER BY shopify_customer_id LIMIT :limit
)
ORDER BY shopify_customer_id, profile_id

-- name: candidates
SELECT shopify_customer_id, profile_id::text, kind AS by, false AS linked, found_at
FROM shopify_internal.profile_candidates
WHERE shopify_customer_id IN (
  SELECT DISTINCT shopify_customer_id FROM shopify_internal.profile_candidates
  ORDER BY shopify_customer_id LIMIT :limit
)
ORDER BY shopify_customer_id, profile_id

-- name: link_history
SELECT happened_at, event, profile_id::text, rule, reason
FROM shopify_internal.profile_link_history
WHERE shopify_customer_id = :customer
ORDER BY id
