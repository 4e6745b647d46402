-- Creating profiles for customers that match none.

-- name: hold_off_writers
SET LOCAL lock_timeout = '10s';
LOCK TABLE public.unified_profiles IN SHARE ROW EXCLUSIVE MODE;
SET LOCAL lock_timeout = '60s'

-- name: find_unmatched
CREATE TEMP TABLE unmatched ON COMMIT DROP AS
SELECT DISTINCT ON (k.canonical) k.canonical, c.shopify_customer_id, c.email
FROM shopify_internal.customer_keys AS k
JOIN public.shopify_customers AS c USING (shopify_customer_id)
WHERE k.canonical IS NOT NULL
  AND c.deleted_at IS NULL
  AND NOT EXISTS (
    SELECT FROM shopify_internal.profile_links AS l
    WHERE l.shopify_customer_id = k.shopify_customer_id
  )
  AND NOT EXISTS (
    SELECT FROM shopify_internal.profile_conflicts AS x
    WHERE x.shopify_customer_id = k.shopify_customer_id
  )
  AND NOT EXISTS (
    SELECT FROM shopify_internal.profile_candidates AS x
    WHERE x.shopify_customer_id = k.shopify_customer_id
  )
  AND NOT EXISTS (
    SELECT FROM shopify_internal.profile_decisions AS d
    WHERE d.shopify_customer_id = k.shopify_customer_id
      AND (d.verdict = 'link' OR d.profile_id IS NULL)
  )
  AND NOT EXISTS (
    SELECT FROM shopify_internal.profile_keys AS p WHERE p.canonical = k.canonical
  )
ORDER BY k.canonical, c.shopify_customer_id

-- name: create
INSERT INTO public.unified_profiles (id, email)
SELECT shopify_internal.uuid7(), btrim(email, E' \t\r\n')
FROM unmatched
ORDER BY shopify_customer_id
LIMIT :limit
