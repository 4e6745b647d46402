-- Comments that were left out.
-- Plain SQL, forward only; can be applied by dbmate, psql or Supabase, and applied again unharmed.

-- migrate:up

SET LOCAL lock_timeout = '30s';

COMMENT ON COLUMN shopify_internal.bulk_claims.id IS 'Identifies the claim; UUID version 7.';
COMMENT ON COLUMN shopify_internal.reconciliations.id IS 'Identifies the report; UUID version 7.';

-- migrate:down
