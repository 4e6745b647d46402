-- What profile linking keeps: normalised keys, links, their history, decisions, what to review.

-- migrate:up

SET LOCAL lock_timeout = '30s';

CREATE TABLE IF NOT EXISTS shopify_internal.customer_keys (
  shopify_customer_id bigint NOT NULL,
  fingerprint bigint NOT NULL,
  email uuid,
  canonical uuid,
  near uuid,
  phone uuid,
  name uuid,
  CONSTRAINT customer_keys_pkey PRIMARY KEY (shopify_customer_id)
);
-- No index on the keys of customers: only the run that compares all profiles looks them up, and
-- reading this narrow table once is cheaper for it than keeping indexes of random values.
COMMENT ON TABLE shopify_internal.customer_keys IS 'What each living customer is matched by: digests (BLAKE2b, 128 bits) of normalised values, no address in clear.';
COMMENT ON COLUMN shopify_internal.customer_keys.shopify_customer_id IS 'Shopify''s number of the customer.';
COMMENT ON COLUMN shopify_internal.customer_keys.fingerprint IS 'Hash of what the keys were made from and of the rules'' version: tells whether they are due again.';
COMMENT ON COLUMN shopify_internal.customer_keys.email IS 'Digest of the exact e-mail address.';
COMMENT ON COLUMN shopify_internal.customer_keys.canonical IS 'Digest of the canonical e-mail address.';
COMMENT ON COLUMN shopify_internal.customer_keys.near IS 'Digest of the canonical address that was probably meant, where the domain looks like a typo.';
COMMENT ON COLUMN shopify_internal.customer_keys.phone IS 'Digest of the phone number in E.164.';
COMMENT ON COLUMN shopify_internal.customer_keys.name IS 'Digest of the full name.';
SELECT shopify_internal.protect('shopify_internal.customer_keys');

CREATE TABLE IF NOT EXISTS shopify_internal.profile_keys (
  profile_id uuid NOT NULL,
  fingerprint bigint NOT NULL,
  email uuid,
  canonical uuid,
  near uuid,
  phone uuid,
  name uuid,
  CONSTRAINT profile_keys_pkey PRIMARY KEY (profile_id)
);
-- These are looked up for every batch of customers.
CREATE INDEX IF NOT EXISTS profile_keys_canonical_idx ON shopify_internal.profile_keys (canonical);
CREATE INDEX IF NOT EXISTS profile_keys_near_idx ON shopify_internal.profile_keys (near) WHERE near IS NOT NULL;
CREATE INDEX IF NOT EXISTS profile_keys_phone_idx ON shopify_internal.profile_keys (phone) WHERE phone IS NOT NULL;
CREATE INDEX IF NOT EXISTS profile_keys_name_idx ON shopify_internal.profile_keys (name) WHERE name IS NOT NULL;
COMMENT ON TABLE shopify_internal.profile_keys IS 'What each profile is matched by: digests (BLAKE2b, 128 bits) of normalised values, no address in clear.';
COMMENT ON COLUMN shopify_internal.profile_keys.profile_id IS 'The row of unified_profiles.';
COMMENT ON COLUMN shopify_internal.profile_keys.fingerprint IS 'Hash of what the keys were made from and of the rules'' version: tells whether they are due again.';
COMMENT ON COLUMN shopify_internal.profile_keys.email IS 'Digest of the exact e-mail address.';
COMMENT ON COLUMN shopify_internal.profile_keys.canonical IS 'Digest of the canonical e-mail address.';
COMMENT ON COLUMN shopify_internal.profile_keys.near IS 'Digest of the canonical address that was probably meant, where the domain looks like a typo.';
COMMENT ON COLUMN shopify_internal.profile_keys.phone IS 'Digest of the phone number in E.164.';
COMMENT ON COLUMN shopify_internal.profile_keys.name IS 'Digest of the full name.';
SELECT shopify_internal.protect('shopify_internal.profile_keys');

CREATE TABLE IF NOT EXISTS shopify_internal.profile_links (
  shopify_customer_id bigint NOT NULL,
  profile_id uuid NOT NULL,
  rule text NOT NULL,
  linked_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT profile_links_pkey PRIMARY KEY (shopify_customer_id)
);
COMMENT ON TABLE shopify_internal.profile_links IS 'Which customer is which profile, and by which rule. shopify_customers.unified_profile_id is written from it.';
COMMENT ON COLUMN shopify_internal.profile_links.shopify_customer_id IS 'Shopify''s number of the customer.';
COMMENT ON COLUMN shopify_internal.profile_links.profile_id IS 'The row of unified_profiles.';
COMMENT ON COLUMN shopify_internal.profile_links.rule IS 'The strongest rule that holds: manual, exact_email, canonical_email or phone.';
COMMENT ON COLUMN shopify_internal.profile_links.linked_at IS 'When this profile was linked.';
SELECT shopify_internal.protect('shopify_internal.profile_links');

CREATE TABLE IF NOT EXISTS shopify_internal.profile_link_history (
  id bigint GENERATED ALWAYS AS IDENTITY,
  shopify_customer_id bigint NOT NULL,
  profile_id uuid,
  event text NOT NULL,
  rule text,
  reason text NOT NULL,
  happened_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT profile_link_history_pkey PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS profile_link_history_customer_idx ON shopify_internal.profile_link_history (shopify_customer_id, id);
COMMENT ON TABLE shopify_internal.profile_link_history IS 'Everything that happened to links; only ever added to.';
COMMENT ON COLUMN shopify_internal.profile_link_history.id IS 'Order of the events.';
COMMENT ON COLUMN shopify_internal.profile_link_history.shopify_customer_id IS 'Shopify''s number of the customer.';
COMMENT ON COLUMN shopify_internal.profile_link_history.profile_id IS 'The profile linked, released or restored.';
COMMENT ON COLUMN shopify_internal.profile_link_history.event IS 'linked, released, rule_changed, restored or decided.';
COMMENT ON COLUMN shopify_internal.profile_link_history.rule IS 'The rule that holds after the event; of a released link the rule it had.';
COMMENT ON COLUMN shopify_internal.profile_link_history.reason IS 'Why: matched, decision, customer_deleted, customer_merged, customer_redacted, customer_gone, profile_gone, no_longer_matches, reference_cleared and others.';
COMMENT ON COLUMN shopify_internal.profile_link_history.happened_at IS 'When.';
SELECT shopify_internal.protect('shopify_internal.profile_link_history');

CREATE TABLE IF NOT EXISTS shopify_internal.profile_decisions (
  id bigint GENERATED ALWAYS AS IDENTITY,
  shopify_customer_id bigint NOT NULL,
  profile_id uuid,
  verdict text NOT NULL,
  note text,
  decided_by text NOT NULL DEFAULT current_user,
  decided_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT profile_decisions_pkey PRIMARY KEY (id),
  CONSTRAINT profile_decisions_verdict_check CHECK (verdict = 'never' OR (verdict = 'link' AND profile_id IS NOT NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS profile_decisions_pair_idx ON shopify_internal.profile_decisions (shopify_customer_id, profile_id)
  WHERE profile_id IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS profile_decisions_one_idx ON shopify_internal.profile_decisions (shopify_customer_id)
  WHERE verdict = 'link' OR profile_id IS NULL;
CREATE INDEX IF NOT EXISTS profile_decisions_profile_idx ON shopify_internal.profile_decisions (profile_id);
COMMENT ON TABLE shopify_internal.profile_decisions IS 'What people decided about links; outranks every rule and outlives reloads of either side.';
COMMENT ON COLUMN shopify_internal.profile_decisions.id IS 'Order of the decisions.';
COMMENT ON COLUMN shopify_internal.profile_decisions.shopify_customer_id IS 'Shopify''s number of the customer.';
COMMENT ON COLUMN shopify_internal.profile_decisions.profile_id IS 'The profile decided about; null for every profile.';
COMMENT ON COLUMN shopify_internal.profile_decisions.verdict IS 'link: the customer is this profile. never: it is not.';
COMMENT ON COLUMN shopify_internal.profile_decisions.note IS 'Why, in the words of who decided.';
COMMENT ON COLUMN shopify_internal.profile_decisions.decided_by IS 'Who decided.';
COMMENT ON COLUMN shopify_internal.profile_decisions.decided_at IS 'When.';
SELECT shopify_internal.protect('shopify_internal.profile_decisions');

CREATE TABLE IF NOT EXISTS shopify_internal.profile_conflicts (
  shopify_customer_id bigint NOT NULL,
  profile_id uuid NOT NULL,
  rule text NOT NULL,
  linked boolean NOT NULL,
  found_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT profile_conflicts_pkey PRIMARY KEY (shopify_customer_id, profile_id)
);
COMMENT ON TABLE shopify_internal.profile_conflicts IS 'Customers that match several profiles, with up to 20 of those profiles each.';
COMMENT ON COLUMN shopify_internal.profile_conflicts.shopify_customer_id IS 'Shopify''s number of the customer.';
COMMENT ON COLUMN shopify_internal.profile_conflicts.profile_id IS 'A profile that it matches and is not linked to.';
COMMENT ON COLUMN shopify_internal.profile_conflicts.rule IS 'The rule by which the two match.';
COMMENT ON COLUMN shopify_internal.profile_conflicts.linked IS 'Whether the customer keeps an older link all the same.';
COMMENT ON COLUMN shopify_internal.profile_conflicts.found_at IS 'When the conflict was first seen.';
SELECT shopify_internal.protect('shopify_internal.profile_conflicts');

CREATE TABLE IF NOT EXISTS shopify_internal.profile_candidates (
  shopify_customer_id bigint NOT NULL,
  profile_id uuid NOT NULL,
  kind text NOT NULL,
  found_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT profile_candidates_pkey PRIMARY KEY (shopify_customer_id, profile_id)
);
COMMENT ON TABLE shopify_internal.profile_candidates IS 'Near misses for a person to review; never linked by themselves.';
COMMENT ON COLUMN shopify_internal.profile_candidates.shopify_customer_id IS 'Shopify''s number of the customer, which has no link.';
COMMENT ON COLUMN shopify_internal.profile_candidates.profile_id IS 'The profile that it could be.';
COMMENT ON COLUMN shopify_internal.profile_candidates.kind IS 'domain_typo: equal but for a one-edit typo of a common domain. name_and_local_part: the same name, local parts one edit apart.';
COMMENT ON COLUMN shopify_internal.profile_candidates.found_at IS 'When it was first seen.';
SELECT shopify_internal.protect('shopify_internal.profile_candidates');

-- migrate:down
