-- Judges the links of the customers in `affected` (temporary, made by keys.sql) and writes them.

-- name: create_judgement
CREATE TEMP TABLE rule_ranks (rank smallint NOT NULL, rule text NOT NULL) ON COMMIT DROP;
CREATE TEMP TABLE matches (
  shopify_customer_id bigint NOT NULL, profile_id uuid NOT NULL, rank smallint NOT NULL
) ON COMMIT DROP;
CREATE TEMP TABLE verdicts (
  shopify_customer_id bigint NOT NULL, profile_id uuid, rank smallint, best_rank smallint,
  ties integer NOT NULL, decided boolean NOT NULL, living boolean NOT NULL
) ON COMMIT DROP;
CREATE TEMP TABLE changed_links (
  shopify_customer_id bigint NOT NULL, old_profile_id uuid, old_rule text, new_profile_id uuid,
  new_rule text
) ON COMMIT DROP;
CREATE TEMP TABLE found_conflicts (
  shopify_customer_id bigint NOT NULL, profile_id uuid NOT NULL, rule text NOT NULL,
  linked boolean NOT NULL
) ON COMMIT DROP;
CREATE TEMP TABLE found_candidates (
  shopify_customer_id bigint NOT NULL, profile_id uuid NOT NULL, kind text NOT NULL
) ON COMMIT DROP;
CREATE TEMP TABLE mismatched (
  shopify_customer_id bigint NOT NULL, profile_id uuid, written_profile_id uuid
) ON COMMIT DROP

-- name: find_matches
-- Every pair that a rule matches, by its strongest rule, without the pairs that a person ruled out.
INSERT INTO matches
SELECT pair.*
FROM (
  SELECT k.shopify_customer_id, p.profile_id, CASE WHEN p.email = k.email THEN 1 ELSE 2 END AS rank
  FROM affected
  JOIN shopify_internal.customer_keys AS k USING (shopify_customer_id)
  JOIN shopify_internal.profile_keys AS p ON p.canonical = k.canonical
  UNION ALL
  SELECT k.shopify_customer_id, p.profile_id, 3
  FROM affected
  JOIN shopify_internal.customer_keys AS k USING (shopify_customer_id)
  JOIN shopify_internal.profile_keys AS p
    ON p.phone = k.phone AND p.canonical IS DISTINCT FROM k.canonical
) AS pair
WHERE NOT EXISTS (
  SELECT FROM shopify_internal.profile_decisions AS d
  WHERE d.verdict = 'never'
    AND d.shopify_customer_id = pair.shopify_customer_id
    AND d.profile_id = pair.profile_id
)

-- name: judge
-- In this order: a dead customer has no link; a person's decision, unless the customer was redacted
-- since; the link that there is, while
-- the rule that made it or a stronger one still holds; the strongest rule, if one profile matches.
WITH best AS (
  SELECT DISTINCT ON (shopify_customer_id)
    shopify_customer_id, profile_id, rank,
    count(*) OVER (PARTITION BY shopify_customer_id, rank) AS ties
  FROM matches
  ORDER BY shopify_customer_id, rank
),
held AS (
  SELECT l.shopify_customer_id, l.profile_id, m.rank
  FROM affected
  JOIN shopify_internal.profile_links AS l USING (shopify_customer_id)
  JOIN rule_ranks AS r ON r.rule = l.rule
  JOIN matches AS m
    ON m.shopify_customer_id = l.shopify_customer_id AND m.profile_id = l.profile_id
  WHERE m.rank <= r.rank
),
decided AS (
  SELECT d.shopify_customer_id, p.profile_id
  FROM shopify_internal.profile_decisions AS d
  LEFT JOIN shopify_internal.profile_keys AS p ON d.verdict = 'link' AND p.profile_id = d.profile_id
  WHERE (d.verdict = 'link' OR d.profile_id IS NULL)
    AND NOT EXISTS (
      SELECT FROM shopify_internal.privacy_requests AS r
      WHERE d.verdict = 'link' AND r.kind = 'customers/redact'
        AND r.customer_id = d.shopify_customer_id AND r.requested_at >= d.decided_at
    )
)
INSERT INTO verdicts
SELECT
  a.shopify_customer_id,
  CASE
    WHEN k.shopify_customer_id IS NULL THEN NULL
    WHEN d.shopify_customer_id IS NOT NULL THEN d.profile_id
    WHEN h.profile_id IS NOT NULL THEN h.profile_id
    WHEN b.ties = 1 THEN b.profile_id
  END,
  CASE WHEN d.shopify_customer_id IS NOT NULL THEN 0 ELSE coalesce(h.rank, b.rank) END,
  b.rank,
  coalesce(b.ties, 0),
  d.shopify_customer_id IS NOT NULL,
  k.shopify_customer_id IS NOT NULL
FROM affected AS a
LEFT JOIN shopify_internal.customer_keys AS k USING (shopify_customer_id)
LEFT JOIN decided AS d USING (shopify_customer_id)
LEFT JOIN held AS h USING (shopify_customer_id)
LEFT JOIN best AS b USING (shopify_customer_id)

-- name: find_changed_links
INSERT INTO changed_links
SELECT v.shopify_customer_id, l.profile_id, l.rule, v.profile_id, r.rule
FROM verdicts AS v
LEFT JOIN shopify_internal.profile_links AS l USING (shopify_customer_id)
LEFT JOIN rule_ranks AS r ON r.rank = v.rank AND v.profile_id IS NOT NULL
WHERE l.profile_id IS DISTINCT FROM v.profile_id OR l.rule IS DISTINCT FROM r.rule

-- name: write_released_history
INSERT INTO shopify_internal.profile_link_history (shopify_customer_id, profile_id, event, rule, reason)
SELECT x.shopify_customer_id, x.old_profile_id, 'released', x.old_rule,
  CASE
    WHEN g.reason IS NOT NULL THEN g.reason
    WHEN NOT EXISTS (
      SELECT FROM shopify_internal.profile_keys AS p WHERE p.profile_id = x.old_profile_id
    ) THEN 'profile_gone'
    WHEN v.decided OR EXISTS (
      SELECT FROM shopify_internal.profile_decisions AS d
      WHERE d.shopify_customer_id = x.shopify_customer_id AND d.profile_id = x.old_profile_id
    ) THEN 'decision'
    ELSE 'no_longer_matches'
  END
FROM changed_links AS x
JOIN verdicts AS v USING (shopify_customer_id)
LEFT JOIN gone_customers AS g USING (shopify_customer_id)
WHERE x.old_profile_id IS NOT NULL AND x.old_profile_id IS DISTINCT FROM x.new_profile_id
ORDER BY x.shopify_customer_id

-- name: write_linked_history
INSERT INTO shopify_internal.profile_link_history (shopify_customer_id, profile_id, event, rule, reason)
SELECT x.shopify_customer_id, x.new_profile_id,
  CASE WHEN x.old_profile_id = x.new_profile_id THEN 'rule_changed' ELSE 'linked' END,
  x.new_rule,
  CASE WHEN x.new_rule = 'manual' THEN 'decision' ELSE 'matched' END
FROM changed_links AS x
WHERE x.new_profile_id IS NOT NULL
ORDER BY x.shopify_customer_id

-- name: write_links
DELETE FROM shopify_internal.profile_links AS l USING changed_links AS x
WHERE l.shopify_customer_id = x.shopify_customer_id AND x.new_profile_id IS DISTINCT FROM x.old_profile_id;
UPDATE shopify_internal.profile_links AS l SET rule = x.new_rule
FROM changed_links AS x
WHERE l.shopify_customer_id = x.shopify_customer_id AND x.new_profile_id = x.old_profile_id;
INSERT INTO shopify_internal.profile_links (shopify_customer_id, profile_id, rule)
SELECT shopify_customer_id, new_profile_id, new_rule
FROM changed_links
WHERE new_profile_id IS NOT NULL AND new_profile_id IS DISTINCT FROM old_profile_id
ORDER BY shopify_customer_id

-- name: find_conflicts
-- Of an unlinked customer all profiles of its best rule; of a linked one those that match as well
-- as its own. Decisions end conflicts.
INSERT INTO found_conflicts
SELECT shopify_customer_id, profile_id, rule, linked
FROM (
  SELECT m.shopify_customer_id, m.profile_id, r.rule, v.profile_id IS NOT NULL AS linked,
    row_number() OVER (PARTITION BY m.shopify_customer_id ORDER BY m.rank, m.profile_id) AS position
  FROM verdicts AS v
  JOIN matches AS m USING (shopify_customer_id)
  JOIN rule_ranks AS r ON r.rank = m.rank
  WHERE v.living AND NOT v.decided
    AND CASE
      WHEN v.profile_id IS NULL THEN v.ties > 1 AND m.rank = v.best_rank
      ELSE m.profile_id <> v.profile_id AND m.rank <= v.rank
    END
) AS listed
WHERE position <= 20

-- name: find_typo_candidates
INSERT INTO found_candidates
SELECT shopify_customer_id, profile_id, 'domain_typo'
FROM (
  SELECT pair.*,
    row_number() OVER (PARTITION BY shopify_customer_id ORDER BY profile_id) AS position
  FROM (
    SELECT k.shopify_customer_id, p.profile_id
    FROM verdicts AS v
    JOIN shopify_internal.customer_keys AS k USING (shopify_customer_id)
    JOIN shopify_internal.profile_keys AS p ON p.canonical = k.near
    WHERE v.profile_id IS NULL AND v.ties = 0 AND NOT v.decided
    UNION
    SELECT k.shopify_customer_id, p.profile_id
    FROM verdicts AS v
    JOIN shopify_internal.customer_keys AS k USING (shopify_customer_id)
    JOIN shopify_internal.profile_keys AS p ON p.near = k.canonical
    WHERE v.profile_id IS NULL AND v.ties = 0 AND NOT v.decided
    UNION
    SELECT k.shopify_customer_id, p.profile_id
    FROM verdicts AS v
    JOIN shopify_internal.customer_keys AS k USING (shopify_customer_id)
    JOIN shopify_internal.profile_keys AS p ON p.near = k.near
    WHERE v.profile_id IS NULL AND v.ties = 0 AND NOT v.decided
  ) AS pair
  WHERE NOT EXISTS (
    SELECT FROM shopify_internal.profile_decisions AS d
    WHERE d.shopify_customer_id = pair.shopify_customer_id AND d.profile_id = pair.profile_id
  )
) AS listed
WHERE position <= 20

-- name: namesakes
-- A name that more than 20 profiles have says nothing.
SELECT k.shopify_customer_id, p.profile_id::text, c.email, u.email::text
FROM verdicts AS v
JOIN shopify_internal.customer_keys AS k USING (shopify_customer_id)
JOIN shopify_internal.profile_keys AS p ON p.name = k.name
JOIN public.shopify_customers AS c USING (shopify_customer_id)
JOIN public.unified_profiles AS u ON u.id = p.profile_id
WHERE v.profile_id IS NULL AND v.ties = 0 AND NOT v.decided
  AND k.name NOT IN (
    SELECT name FROM shopify_internal.profile_keys WHERE name IS NOT NULL GROUP BY name HAVING count(*) > 20
  )
  AND NOT EXISTS (
    SELECT FROM shopify_internal.profile_decisions AS d
    WHERE d.shopify_customer_id = k.shopify_customer_id AND d.profile_id = p.profile_id
  )

-- name: write_conflicts
DELETE FROM shopify_internal.profile_conflicts AS x
USING affected AS a
WHERE x.shopify_customer_id = a.shopify_customer_id
  AND NOT EXISTS (
    SELECT FROM found_conflicts AS f
    WHERE f.shopify_customer_id = x.shopify_customer_id AND f.profile_id = x.profile_id
  );
INSERT INTO shopify_internal.profile_conflicts AS x (shopify_customer_id, profile_id, rule, linked)
SELECT shopify_customer_id, profile_id, rule, linked FROM found_conflicts
ON CONFLICT (shopify_customer_id, profile_id) DO UPDATE
SET rule = excluded.rule, linked = excluded.linked
WHERE x.rule <> excluded.rule OR x.linked <> excluded.linked

-- name: write_candidates
DELETE FROM shopify_internal.profile_candidates AS x
USING affected AS a
WHERE x.shopify_customer_id = a.shopify_customer_id
  AND NOT EXISTS (
    SELECT FROM found_candidates AS f
    WHERE f.shopify_customer_id = x.shopify_customer_id AND f.profile_id = x.profile_id
  );
INSERT INTO shopify_internal.profile_candidates AS x (shopify_customer_id, profile_id, kind)
SELECT DISTINCT ON (shopify_customer_id, profile_id) shopify_customer_id, profile_id, kind
FROM found_candidates ORDER BY shopify_customer_id, profile_id, kind
ON CONFLICT (shopify_customer_id, profile_id) DO UPDATE SET kind = excluded.kind
WHERE x.kind <> excluded.kind

-- name: find_mismatched
INSERT INTO mismatched
SELECT c.shopify_customer_id, l.profile_id, c.unified_profile_id
FROM (
  SELECT shopify_customer_id FROM recent_customers
  UNION
  SELECT shopify_customer_id FROM changed_links
) AS looked_at
JOIN public.shopify_customers AS c USING (shopify_customer_id)
LEFT JOIN shopify_internal.profile_links AS l USING (shopify_customer_id)
WHERE l.profile_id IS DISTINCT FROM c.unified_profile_id

-- name: find_mismatched_besides
-- The same without the links that changed: of those it is known, and of a first load they are all.
INSERT INTO mismatched
SELECT c.shopify_customer_id, l.profile_id, c.unified_profile_id
FROM recent_customers
JOIN public.shopify_customers AS c USING (shopify_customer_id)
LEFT JOIN shopify_internal.profile_links AS l USING (shopify_customer_id)
WHERE l.profile_id IS DISTINCT FROM c.unified_profile_id
  AND NOT EXISTS (
    SELECT FROM changed_links AS x WHERE x.shopify_customer_id = c.shopify_customer_id
  )

-- name: write_restored_history
-- The column was changed by someone else, or cleared by the delete of a profile that is back.
INSERT INTO shopify_internal.profile_link_history (shopify_customer_id, profile_id, event, rule, reason)
SELECT w.shopify_customer_id, coalesce(w.profile_id, w.written_profile_id),
  CASE WHEN w.profile_id IS NULL THEN 'released' ELSE 'restored' END,
  l.rule,
  CASE
    WHEN w.profile_id IS NULL THEN 'not_linked_by_a_rule'
    WHEN w.written_profile_id IS NULL THEN 'reference_cleared'
    ELSE 'reference_overwritten'
  END
FROM mismatched AS w
LEFT JOIN shopify_internal.profile_links AS l USING (shopify_customer_id)
WHERE NOT EXISTS (
  SELECT FROM changed_links AS x WHERE x.shopify_customer_id = w.shopify_customer_id
)
  AND (w.profile_id IS NULL OR EXISTS (SELECT FROM public.unified_profiles AS p WHERE p.id = w.profile_id))

-- name: write_through_mismatched
UPDATE public.shopify_customers AS c
SET unified_profile_id = w.profile_id
FROM mismatched AS w
WHERE c.shopify_customer_id = w.shopify_customer_id
  AND (w.profile_id IS NULL OR EXISTS (SELECT FROM public.unified_profiles AS p WHERE p.id = w.profile_id))

-- name: ends_of_slices
SELECT shopify_customer_id
FROM (
  SELECT shopify_customer_id, row_number() OVER (ORDER BY shopify_customer_id) AS position
  FROM public.shopify_customers
) AS numbered
WHERE position % :size = 0
ORDER BY shopify_customer_id

-- name: release_slice
UPDATE public.shopify_customers AS c
SET unified_profile_id = NULL
WHERE c.shopify_customer_id > :after AND c.shopify_customer_id <= :upto
  AND c.unified_profile_id IS NOT NULL
  AND NOT EXISTS (
    SELECT FROM shopify_internal.profile_links AS l
    WHERE l.shopify_customer_id = c.shopify_customer_id
      AND l.shopify_customer_id > :after AND l.shopify_customer_id <= :upto
  )

-- name: link_slice
-- The slice is said of both sides, so that of each only the slice is read. The profile is looked up
-- by a scalar subquery, which is never turned into a hash of all profiles, once a slice.
UPDATE public.shopify_customers AS c
SET unified_profile_id = l.profile_id
FROM shopify_internal.profile_links AS l
WHERE l.shopify_customer_id = c.shopify_customer_id
  AND c.shopify_customer_id > :after AND c.shopify_customer_id <= :upto
  AND l.shopify_customer_id > :after AND l.shopify_customer_id <= :upto
  AND c.unified_profile_id IS DISTINCT FROM l.profile_id
  AND (SELECT true FROM public.unified_profiles AS p WHERE p.id = l.profile_id)

-- name: lost_links
-- Links released by what became of their profile, as far as neither the customer changed nor a
-- person decided so.
SELECT count(*)
FROM changed_links AS x
JOIN verdicts AS v USING (shopify_customer_id)
WHERE x.old_profile_id IS NOT NULL
  AND x.old_profile_id IS DISTINCT FROM x.new_profile_id
  AND NOT EXISTS (
    SELECT FROM staged_customers AS s WHERE s.shopify_customer_id = x.shopify_customer_id
  )
  AND NOT EXISTS (
    SELECT FROM gone_customers AS g WHERE g.shopify_customer_id = x.shopify_customer_id
  )
  AND NOT (
    EXISTS (SELECT FROM shopify_internal.profile_keys AS p WHERE p.profile_id = x.old_profile_id)
    AND (
      v.decided OR EXISTS (
        SELECT FROM shopify_internal.profile_decisions AS d
        WHERE d.shopify_customer_id = x.shopify_customer_id AND d.profile_id = x.old_profile_id
      )
    )
  )

-- name: totals
SELECT
  (SELECT count(*) FROM shopify_internal.profile_links) AS links,
  (SELECT count(*) FROM shopify_internal.customer_keys) AS customers,
  (SELECT count(*) FROM shopify_internal.profile_keys) AS profiles,
  (SELECT count(DISTINCT shopify_customer_id) FROM shopify_internal.profile_conflicts) AS conflicts,
  (SELECT count(DISTINCT shopify_customer_id) FROM shopify_internal.profile_candidates) AS candidates

-- name: changed_totals
SELECT
  count(*) FILTER (WHERE new_profile_id IS NOT NULL AND old_profile_id IS DISTINCT FROM new_profile_id) AS linked,
  count(*) FILTER (WHERE old_profile_id IS NOT NULL AND old_profile_id IS DISTINCT FROM new_profile_id) AS released,
  count(*) FILTER (WHERE old_profile_id = new_profile_id) AS rule_changed
FROM changed_links

-- name: analyze_judgement
ANALYZE affected

-- name: analyze_matches
ANALYZE matches

-- name: analyze_changes
ANALYZE verdicts, changed_links
