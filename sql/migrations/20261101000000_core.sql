-- The five tables of the store, the platform's profiles where absent, and the state of the pipeline.
-- Plain SQL, forward only; can be applied by dbmate, psql or Supabase, and applied again unharmed.

-- migrate:up

SET LOCAL lock_timeout = '30s';

CREATE SCHEMA IF NOT EXISTS shopify_internal;
COMMENT ON SCHEMA shopify_internal IS 'State of the Shopify pipeline: checkpoints, queues, heartbeats. Not for other readers.';

-- One generator of time-ordered UUIDs (version 7), the same on Postgres 15 to 18:
-- 48 bits of milliseconds laid over a random UUID, its version bits 0100 turned into 0111.
CREATE OR REPLACE FUNCTION shopify_internal.uuid7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
AS $$
  SELECT encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
          FROM 1 FOR 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid
$$;
COMMENT ON FUNCTION shopify_internal.uuid7() IS 'A UUID of version 7: ordered by the time of the call, in milliseconds.';

-- The reader of the tables. Where we may not create roles, an administrator can create it later
-- and call shopify_internal.protect() again.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'shopify_reader') THEN
    CREATE ROLE shopify_reader NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
  WHEN insufficient_privilege THEN
    RAISE NOTICE 'No right to create the role shopify_reader: left out';
END
$$;

CREATE OR REPLACE FUNCTION shopify_internal.protect(relation regclass, readable boolean DEFAULT false)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  outsider name;
  kind "char" := (SELECT relkind FROM pg_catalog.pg_class WHERE oid = relation);
BEGIN
  IF kind IN ('r', 'p') THEN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
  END IF;
  EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', relation);
  FOR outsider IN
    SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN ('anon', 'authenticated')
  LOOP
    EXECUTE format('REVOKE ALL ON %s FROM %I', relation, outsider);
  END LOOP;
  IF readable AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'shopify_reader') THEN
    EXECUTE format('GRANT SELECT ON %s TO shopify_reader', relation);
    IF kind IN ('r', 'p') AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_policy WHERE polrelid = relation AND polname = 'shopify_reader_reads'
    ) THEN
      EXECUTE format(
        'CREATE POLICY shopify_reader_reads ON %s FOR SELECT TO shopify_reader USING (true)', relation
      );
    END IF;
  END IF;
END
$$;
COMMENT ON FUNCTION shopify_internal.protect(regclass, boolean) IS
  'Closes a relation of ours to everyone but its owner: row-level security on, nothing granted. A readable one is opened to shopify_reader.';

-- The platform's profiles. Where the table exists it is left as it is.
DO $$
BEGIN
  IF to_regclass('public.unified_profiles') IS NULL THEN
    CREATE TABLE public.unified_profiles (
      id uuid NOT NULL DEFAULT shopify_internal.uuid7(),
      email text,
      CONSTRAINT unified_profiles_pkey PRIMARY KEY (id)
    );
    COMMENT ON TABLE public.unified_profiles IS 'People known to the platform. Belongs to the platform; made here only because it was absent. Holds personal data.';
    COMMENT ON COLUMN public.unified_profiles.id IS 'Identifies the person.';
    COMMENT ON COLUMN public.unified_profiles.email IS 'E-mail address, as the platform wrote it.';
    PERFORM shopify_internal.protect('public.unified_profiles');
  END IF;
END
$$;


CREATE TABLE IF NOT EXISTS public.shopify_products (
  id uuid NOT NULL DEFAULT shopify_internal.uuid7(),
  shopify_product_id bigint NOT NULL,
  title text,
  handle text,
  vendor text,
  product_type text,
  status text,
  tags text[],
  created_at timestamptz,
  updated_at timestamptz,
  published_at timestamptz,
  is_gift_card boolean,
  variants_count integer,
  deleted_at timestamptz,
  synced_at timestamptz DEFAULT now(),
  observed_at timestamptz,
  complete_at timestamptz,
  CONSTRAINT shopify_products_pkey PRIMARY KEY (id),
  CONSTRAINT shopify_products_shopify_product_id_key UNIQUE (shopify_product_id)
);
CREATE INDEX IF NOT EXISTS shopify_products_handle_idx ON public.shopify_products (handle);
CREATE INDEX IF NOT EXISTS shopify_products_not_whole_idx ON public.shopify_products (updated_at)
  WHERE deleted_at IS NULL AND (complete_at IS NULL OR complete_at < updated_at);
COMMENT ON TABLE public.shopify_products IS 'Products of the Shopify store, one row each; deleted ones are kept and marked.';
COMMENT ON COLUMN public.shopify_products.id IS 'Identifies the row here; UUID version 7.';
COMMENT ON COLUMN public.shopify_products.shopify_product_id IS 'Shopify''s number of the product.';
COMMENT ON COLUMN public.shopify_products.title IS 'Title.';
COMMENT ON COLUMN public.shopify_products.handle IS 'The part of the product''s address that names it.';
COMMENT ON COLUMN public.shopify_products.vendor IS 'Vendor.';
COMMENT ON COLUMN public.shopify_products.product_type IS 'Product type, free text.';
COMMENT ON COLUMN public.shopify_products.status IS 'active, archived, draft or unlisted; Shopify''s word in lower case.';
COMMENT ON COLUMN public.shopify_products.tags IS 'Tags.';
COMMENT ON COLUMN public.shopify_products.created_at IS 'When Shopify created it.';
COMMENT ON COLUMN public.shopify_products.updated_at IS 'When Shopify last changed it: the version of the row.';
COMMENT ON COLUMN public.shopify_products.published_at IS 'When it was published to the online store; null when it is not.';
COMMENT ON COLUMN public.shopify_products.is_gift_card IS 'Whether it is a gift card. Not carried by webhooks.';
COMMENT ON COLUMN public.shopify_products.variants_count IS 'Shopify''s own count of its variants. Not carried by webhooks.';
COMMENT ON COLUMN public.shopify_products.deleted_at IS 'When Shopify deleted it, as far as is known; null while it lives. Its values are kept.';
COMMENT ON COLUMN public.shopify_products.synced_at IS 'When this row was last written here.';
COMMENT ON COLUMN public.shopify_products.observed_at IS 'A time not later than the moment at which the source saw what the row says.';
COMMENT ON COLUMN public.shopify_products.complete_at IS 'The updated_at of the last complete read; a row with an older complete_at is not whole yet.';
SELECT shopify_internal.protect('public.shopify_products', readable => true);

CREATE TABLE IF NOT EXISTS public.shopify_product_variants (
  id uuid NOT NULL DEFAULT shopify_internal.uuid7(),
  shopify_variant_id bigint NOT NULL,
  product_id uuid,
  shopify_product_id bigint,
  title text,
  sku text,
  price numeric,
  compare_at_price numeric,
  barcode text,
  position integer,
  inventory_quantity integer,
  created_at timestamptz,
  updated_at timestamptz,
  deleted_at timestamptz,
  synced_at timestamptz DEFAULT now(),
  observed_at timestamptz,
  complete_at timestamptz,
  CONSTRAINT shopify_product_variants_pkey PRIMARY KEY (id),
  CONSTRAINT shopify_product_variants_shopify_variant_id_key UNIQUE (shopify_variant_id),
  CONSTRAINT shopify_product_variants_product_id_fkey FOREIGN KEY (product_id) REFERENCES public.shopify_products (id)
);
CREATE INDEX IF NOT EXISTS shopify_product_variants_product_id_idx ON public.shopify_product_variants (product_id);
CREATE INDEX IF NOT EXISTS shopify_product_variants_sku_idx ON public.shopify_product_variants (sku);
CREATE INDEX IF NOT EXISTS shopify_product_variants_product_id_unresolved_idx ON public.shopify_product_variants (shopify_product_id)
  WHERE product_id IS NULL AND shopify_product_id IS NOT NULL;
COMMENT ON TABLE public.shopify_product_variants IS 'Variants of the products, one row each; removed ones are kept and marked.';
COMMENT ON COLUMN public.shopify_product_variants.id IS 'Identifies the row here; UUID version 7.';
COMMENT ON COLUMN public.shopify_product_variants.shopify_variant_id IS 'Shopify''s number of the variant.';
COMMENT ON COLUMN public.shopify_product_variants.product_id IS 'The product''s row; null until that exists. Derived from shopify_product_id.';
COMMENT ON COLUMN public.shopify_product_variants.shopify_product_id IS 'Shopify''s number of the product.';
COMMENT ON COLUMN public.shopify_product_variants.title IS 'Title: the option values.';
COMMENT ON COLUMN public.shopify_product_variants.sku IS 'Stock keeping unit.';
COMMENT ON COLUMN public.shopify_product_variants.price IS 'Price, in the shop''s currency.';
COMMENT ON COLUMN public.shopify_product_variants.compare_at_price IS 'Price to compare with, in the shop''s currency.';
COMMENT ON COLUMN public.shopify_product_variants.barcode IS 'Barcode.';
COMMENT ON COLUMN public.shopify_product_variants.position IS 'Position among the product''s variants, from 1.';
COMMENT ON COLUMN public.shopify_product_variants.inventory_quantity IS 'Sellable quantity over all locations; can be negative.';
COMMENT ON COLUMN public.shopify_product_variants.created_at IS 'When Shopify created it.';
COMMENT ON COLUMN public.shopify_product_variants.updated_at IS 'When Shopify last changed it.';
COMMENT ON COLUMN public.shopify_product_variants.deleted_at IS 'When Shopify deleted it, as far as is known; null while it lives. Its values are kept.';
COMMENT ON COLUMN public.shopify_product_variants.synced_at IS 'When this row was last written here.';
COMMENT ON COLUMN public.shopify_product_variants.observed_at IS 'A time not later than the moment at which the source saw what the row says.';
COMMENT ON COLUMN public.shopify_product_variants.complete_at IS 'The updated_at of the last complete read; a row with an older complete_at is not whole yet.';
SELECT shopify_internal.protect('public.shopify_product_variants', readable => true);

CREATE TABLE IF NOT EXISTS public.shopify_customers (
  id uuid NOT NULL DEFAULT shopify_internal.uuid7(),
  shopify_customer_id bigint NOT NULL,
  unified_profile_id uuid,
  email text,
  phone text,
  first_name text,
  last_name text,
  accepts_marketing boolean,
  orders_count integer,
  total_spent numeric,
  total_spent_currency text,
  state text,
  tags text[],
  verified_email boolean,
  locale text,
  merged_into_shopify_customer_id bigint,
  created_at timestamptz,
  updated_at timestamptz,
  deleted_at timestamptz,
  synced_at timestamptz DEFAULT now(),
  observed_at timestamptz,
  complete_at timestamptz,
  CONSTRAINT shopify_customers_pkey PRIMARY KEY (id),
  CONSTRAINT shopify_customers_shopify_customer_id_key UNIQUE (shopify_customer_id),
  CONSTRAINT shopify_customers_unified_profile_id_fkey FOREIGN KEY (unified_profile_id)
    REFERENCES public.unified_profiles (id) ON DELETE SET NULL
);
CREATE INDEX IF NOT EXISTS shopify_customers_unified_profile_id_idx ON public.shopify_customers (unified_profile_id);
CREATE INDEX IF NOT EXISTS shopify_customers_email_idx ON public.shopify_customers (email);
CREATE INDEX IF NOT EXISTS shopify_customers_not_whole_idx ON public.shopify_customers (updated_at)
  WHERE deleted_at IS NULL AND (complete_at IS NULL OR complete_at < updated_at);
COMMENT ON TABLE public.shopify_customers IS 'Customers of the Shopify store, one row each; deleted and merged ones are kept and marked. Holds personal data.';
COMMENT ON COLUMN public.shopify_customers.id IS 'Identifies the row here; UUID version 7.';
COMMENT ON COLUMN public.shopify_customers.shopify_customer_id IS 'Shopify''s number of the customer.';
COMMENT ON COLUMN public.shopify_customers.unified_profile_id IS 'The person in unified_profiles; set by profile linking alone.';
COMMENT ON COLUMN public.shopify_customers.email IS 'Default e-mail address, as written in Shopify.';
COMMENT ON COLUMN public.shopify_customers.phone IS 'Default phone number.';
COMMENT ON COLUMN public.shopify_customers.first_name IS 'First name.';
COMMENT ON COLUMN public.shopify_customers.last_name IS 'Last name.';
COMMENT ON COLUMN public.shopify_customers.accepts_marketing IS 'Whether the e-mail address is subscribed to marketing; null without an address.';
COMMENT ON COLUMN public.shopify_customers.orders_count IS 'Shopify''s count of the customer''s orders; drifts without updated_at.';
COMMENT ON COLUMN public.shopify_customers.total_spent IS 'Shopify''s sum of what the customer spent, in total_spent_currency; drifts without updated_at.';
COMMENT ON COLUMN public.shopify_customers.total_spent_currency IS 'Currency of total_spent, ISO 4217.';
COMMENT ON COLUMN public.shopify_customers.state IS 'disabled, invited, enabled or declined: state of the customer''s account.';
COMMENT ON COLUMN public.shopify_customers.tags IS 'Tags.';
COMMENT ON COLUMN public.shopify_customers.verified_email IS 'Whether the e-mail address was verified.';
COMMENT ON COLUMN public.shopify_customers.locale IS 'Language of the customer. Not carried by webhooks.';
COMMENT ON COLUMN public.shopify_customers.merged_into_shopify_customer_id IS 'Shopify''s number of the customer into which this one was merged.';
COMMENT ON COLUMN public.shopify_customers.created_at IS 'When Shopify created it.';
COMMENT ON COLUMN public.shopify_customers.updated_at IS 'When Shopify last changed it: the version of the row.';
COMMENT ON COLUMN public.shopify_customers.deleted_at IS 'When Shopify deleted it, as far as is known; null while it lives. Its values are kept.';
COMMENT ON COLUMN public.shopify_customers.synced_at IS 'When this row was last written here.';
COMMENT ON COLUMN public.shopify_customers.observed_at IS 'A time not later than the moment at which the source saw what the row says.';
COMMENT ON COLUMN public.shopify_customers.complete_at IS 'The updated_at of the last complete read; a row with an older complete_at is not whole yet.';
SELECT shopify_internal.protect('public.shopify_customers', readable => true);

CREATE TABLE IF NOT EXISTS public.shopify_orders (
  id uuid NOT NULL DEFAULT shopify_internal.uuid7(),
  shopify_order_id bigint NOT NULL,
  customer_id uuid,
  shopify_customer_id bigint,
  order_number text,
  name text,
  email text,
  phone text,
  total_price numeric,
  subtotal_price numeric,
  total_tax numeric,
  total_discounts numeric,
  total_shipping numeric,
  current_total_price numeric,
  current_subtotal_price numeric,
  current_total_tax numeric,
  current_total_discounts numeric,
  total_refunded numeric,
  net_payment numeric,
  total_tip numeric,
  currency text,
  presentment_currency text,
  presentment_total_price numeric,
  financial_status text,
  fulfillment_status text,
  landing_site text,
  referring_site text,
  source_name text,
  tags text[],
  test boolean,
  confirmed boolean,
  edited boolean,
  taxes_included boolean,
  cancel_reason text,
  return_status text,
  created_at timestamptz,
  updated_at timestamptz,
  processed_at timestamptz,
  closed_at timestamptz,
  cancelled_at timestamptz,
  deleted_at timestamptz,
  synced_at timestamptz DEFAULT now(),
  observed_at timestamptz,
  complete_at timestamptz,
  CONSTRAINT shopify_orders_pkey PRIMARY KEY (id),
  CONSTRAINT shopify_orders_shopify_order_id_key UNIQUE (shopify_order_id),
  CONSTRAINT shopify_orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.shopify_customers (id)
);
CREATE INDEX IF NOT EXISTS shopify_orders_customer_id_idx ON public.shopify_orders (customer_id);
CREATE INDEX IF NOT EXISTS shopify_orders_email_idx ON public.shopify_orders (email);
CREATE INDEX IF NOT EXISTS shopify_orders_financial_status_idx ON public.shopify_orders (financial_status);
CREATE INDEX IF NOT EXISTS shopify_orders_created_at_idx ON public.shopify_orders (created_at);
CREATE INDEX IF NOT EXISTS shopify_orders_customer_id_unresolved_idx ON public.shopify_orders (shopify_customer_id)
  WHERE customer_id IS NULL AND shopify_customer_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS shopify_orders_not_whole_idx ON public.shopify_orders (updated_at)
  WHERE deleted_at IS NULL AND (complete_at IS NULL OR complete_at < updated_at);
COMMENT ON TABLE public.shopify_orders IS 'Orders of the Shopify store, one row each; deleted ones are kept and marked. Money is in the shop''s currency unless said. Holds personal data.';
COMMENT ON COLUMN public.shopify_orders.id IS 'Identifies the row here; UUID version 7.';
COMMENT ON COLUMN public.shopify_orders.shopify_order_id IS 'Shopify''s number of the order.';
COMMENT ON COLUMN public.shopify_orders.customer_id IS 'The customer''s row; null until that exists, and for orders without one. Derived from shopify_customer_id.';
COMMENT ON COLUMN public.shopify_orders.shopify_customer_id IS 'Shopify''s number of the customer.';
COMMENT ON COLUMN public.shopify_orders.order_number IS 'Number of the order, as text: 1001.';
COMMENT ON COLUMN public.shopify_orders.name IS 'Name of the order as people see it: #1001.';
COMMENT ON COLUMN public.shopify_orders.email IS 'E-mail address given with the order.';
COMMENT ON COLUMN public.shopify_orders.phone IS 'Phone number given with the order.';
COMMENT ON COLUMN public.shopify_orders.total_price IS 'Total at creation: lines, shipping, tax, less discounts.';
COMMENT ON COLUMN public.shopify_orders.subtotal_price IS 'Lines less discounts, at creation.';
COMMENT ON COLUMN public.shopify_orders.total_tax IS 'Tax, at creation.';
COMMENT ON COLUMN public.shopify_orders.total_discounts IS 'Discounts, at creation.';
COMMENT ON COLUMN public.shopify_orders.total_shipping IS 'Shipping, at creation.';
COMMENT ON COLUMN public.shopify_orders.current_total_price IS 'Total after edits and returns.';
COMMENT ON COLUMN public.shopify_orders.current_subtotal_price IS 'Subtotal after edits and returns.';
COMMENT ON COLUMN public.shopify_orders.current_total_tax IS 'Tax after edits and returns.';
COMMENT ON COLUMN public.shopify_orders.current_total_discounts IS 'Discounts after edits and returns.';
COMMENT ON COLUMN public.shopify_orders.total_refunded IS 'Sum of the refunds. Only from complete reads.';
COMMENT ON COLUMN public.shopify_orders.net_payment IS 'Received less refunded. Only from complete reads.';
COMMENT ON COLUMN public.shopify_orders.total_tip IS 'Tips received.';
COMMENT ON COLUMN public.shopify_orders.currency IS 'The shop''s currency, ISO 4217, that of every amount but the presentment ones.';
COMMENT ON COLUMN public.shopify_orders.presentment_currency IS 'Currency in which the customer paid, ISO 4217.';
COMMENT ON COLUMN public.shopify_orders.presentment_total_price IS 'Total at creation, in presentment_currency.';
COMMENT ON COLUMN public.shopify_orders.financial_status IS 'pending, authorized, partially_paid, paid, partially_refunded, refunded, voided or expired; Shopify''s word in lower case.';
COMMENT ON COLUMN public.shopify_orders.fulfillment_status IS 'unfulfilled, partially_fulfilled, fulfilled and others: Shopify''s display word in lower case.';
COMMENT ON COLUMN public.shopify_orders.landing_site IS 'Page of the last visit before the order. Only from complete reads.';
COMMENT ON COLUMN public.shopify_orders.referring_site IS 'Address that referred the last visit before the order. Only from complete reads.';
COMMENT ON COLUMN public.shopify_orders.source_name IS 'Channel of the order: web, pos and others.';
COMMENT ON COLUMN public.shopify_orders.tags IS 'Tags.';
COMMENT ON COLUMN public.shopify_orders.test IS 'Whether it is a test order.';
COMMENT ON COLUMN public.shopify_orders.confirmed IS 'Whether it is confirmed: its stock is reserved.';
COMMENT ON COLUMN public.shopify_orders.edited IS 'Whether its lines were edited. Only from complete reads.';
COMMENT ON COLUMN public.shopify_orders.taxes_included IS 'Whether prices include tax.';
COMMENT ON COLUMN public.shopify_orders.cancel_reason IS 'Why it was cancelled; Shopify''s word in lower case.';
COMMENT ON COLUMN public.shopify_orders.return_status IS 'State of its returns; Shopify''s word in lower case. Only from complete reads.';
COMMENT ON COLUMN public.shopify_orders.created_at IS 'When Shopify created it.';
COMMENT ON COLUMN public.shopify_orders.updated_at IS 'When Shopify last changed it: the version of the row.';
COMMENT ON COLUMN public.shopify_orders.processed_at IS 'When it was processed: for imported orders the date given by the import.';
COMMENT ON COLUMN public.shopify_orders.closed_at IS 'When it was closed.';
COMMENT ON COLUMN public.shopify_orders.cancelled_at IS 'When it was cancelled.';
COMMENT ON COLUMN public.shopify_orders.deleted_at IS 'When Shopify deleted it, as far as is known; null while it lives. Its values are kept.';
COMMENT ON COLUMN public.shopify_orders.synced_at IS 'When this row was last written here.';
COMMENT ON COLUMN public.shopify_orders.observed_at IS 'A time not later than the moment at which the source saw what the row says.';
COMMENT ON COLUMN public.shopify_orders.complete_at IS 'The updated_at of the last complete read; a row with an older complete_at is not whole yet.';
SELECT shopify_internal.protect('public.shopify_orders', readable => true);

CREATE TABLE IF NOT EXISTS public.shopify_order_items (
  id uuid NOT NULL DEFAULT shopify_internal.uuid7(),
  shopify_line_item_id bigint NOT NULL,
  order_id uuid,
  shopify_order_id bigint,
  product_id uuid,
  variant_id uuid,
  shopify_product_id bigint,
  shopify_variant_id bigint,
  title text,
  variant_title text,
  sku text,
  vendor text,
  quantity integer,
  current_quantity integer,
  price numeric,
  discounted_price numeric,
  total_discount numeric,
  is_gift_card boolean,
  taxable boolean,
  deleted_at timestamptz,
  synced_at timestamptz DEFAULT now(),
  observed_at timestamptz,
  complete_at timestamptz,
  CONSTRAINT shopify_order_items_pkey PRIMARY KEY (id),
  CONSTRAINT shopify_order_items_shopify_line_item_id_key UNIQUE (shopify_line_item_id),
  CONSTRAINT shopify_order_items_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.shopify_orders (id),
  CONSTRAINT shopify_order_items_product_id_fkey FOREIGN KEY (product_id) REFERENCES public.shopify_products (id),
  CONSTRAINT shopify_order_items_variant_id_fkey FOREIGN KEY (variant_id) REFERENCES public.shopify_product_variants (id)
);
CREATE INDEX IF NOT EXISTS shopify_order_items_order_id_idx ON public.shopify_order_items (order_id);
CREATE INDEX IF NOT EXISTS shopify_order_items_product_id_idx ON public.shopify_order_items (product_id);
CREATE INDEX IF NOT EXISTS shopify_order_items_variant_id_idx ON public.shopify_order_items (variant_id);
CREATE INDEX IF NOT EXISTS shopify_order_items_order_id_unresolved_idx ON public.shopify_order_items (shopify_order_id)
  WHERE order_id IS NULL AND shopify_order_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS shopify_order_items_product_id_unresolved_idx ON public.shopify_order_items (shopify_product_id)
  WHERE product_id IS NULL AND shopify_product_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS shopify_order_items_variant_id_unresolved_idx ON public.shopify_order_items (shopify_variant_id)
  WHERE variant_id IS NULL AND shopify_variant_id IS NOT NULL;
COMMENT ON TABLE public.shopify_order_items IS 'Line items of the orders, one row each; removed lines stay, with current_quantity 0. Money is in the currency of the order''s shop.';
COMMENT ON COLUMN public.shopify_order_items.id IS 'Identifies the row here; UUID version 7.';
COMMENT ON COLUMN public.shopify_order_items.shopify_line_item_id IS 'Shopify''s number of the line item.';
COMMENT ON COLUMN public.shopify_order_items.order_id IS 'The order''s row. Derived from shopify_order_id.';
COMMENT ON COLUMN public.shopify_order_items.shopify_order_id IS 'Shopify''s number of the order.';
COMMENT ON COLUMN public.shopify_order_items.product_id IS 'The product''s row; null until that exists, and for lines without one. Derived from shopify_product_id.';
COMMENT ON COLUMN public.shopify_order_items.variant_id IS 'The variant''s row; null until that exists, and for lines without one. Derived from shopify_variant_id.';
COMMENT ON COLUMN public.shopify_order_items.shopify_product_id IS 'Shopify''s number of the product; kept when Shopify forgets it.';
COMMENT ON COLUMN public.shopify_order_items.shopify_variant_id IS 'Shopify''s number of the variant; kept when Shopify forgets it.';
COMMENT ON COLUMN public.shopify_order_items.title IS 'Title of the product when it was ordered.';
COMMENT ON COLUMN public.shopify_order_items.variant_title IS 'Title of the variant when it was ordered.';
COMMENT ON COLUMN public.shopify_order_items.sku IS 'Stock keeping unit when it was ordered.';
COMMENT ON COLUMN public.shopify_order_items.vendor IS 'Vendor when it was ordered.';
COMMENT ON COLUMN public.shopify_order_items.quantity IS 'Quantity as ordered.';
COMMENT ON COLUMN public.shopify_order_items.current_quantity IS 'Quantity after edits and returns.';
COMMENT ON COLUMN public.shopify_order_items.price IS 'Price of one, before discounts.';
COMMENT ON COLUMN public.shopify_order_items.discounted_price IS 'Price of one after all discounts. Only from complete reads.';
COMMENT ON COLUMN public.shopify_order_items.total_discount IS 'Discounts of the line itself, not those of the order.';
COMMENT ON COLUMN public.shopify_order_items.is_gift_card IS 'Whether it is a gift card.';
COMMENT ON COLUMN public.shopify_order_items.taxable IS 'Whether it is taxed.';
COMMENT ON COLUMN public.shopify_order_items.deleted_at IS 'When Shopify deleted it, as far as is known; null while it lives. Its values are kept.';
COMMENT ON COLUMN public.shopify_order_items.synced_at IS 'When this row was last written here.';
COMMENT ON COLUMN public.shopify_order_items.observed_at IS 'A time not later than the moment at which the source saw what the row says.';
COMMENT ON COLUMN public.shopify_order_items.complete_at IS 'The updated_at of the last complete read; a row with an older complete_at is not whole yet.';
SELECT shopify_internal.protect('public.shopify_order_items', readable => true);

CREATE TABLE IF NOT EXISTS shopify_internal.checkpoints (
  entity text NOT NULL,
  checkpoint timestamptz NOT NULL,
  advanced_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT checkpoints_pkey PRIMARY KEY (entity)
);
COMMENT ON TABLE shopify_internal.checkpoints IS 'How far each entity was read completely.';
COMMENT ON COLUMN shopify_internal.checkpoints.entity IS 'Entity: products, customers, orders.';
COMMENT ON COLUMN shopify_internal.checkpoints.checkpoint IS 'Everything with an updated_at before this was read completely.';
COMMENT ON COLUMN shopify_internal.checkpoints.advanced_at IS 'When the checkpoint last moved.';
SELECT shopify_internal.protect('shopify_internal.checkpoints');

CREATE TABLE IF NOT EXISTS shopify_internal.refresh_queue (
  entity text NOT NULL,
  shopify_id bigint NOT NULL,
  reason text NOT NULL,
  urgent boolean NOT NULL DEFAULT false,
  queued_at timestamptz NOT NULL,
  first_queued_at timestamptz NOT NULL DEFAULT now(),
  due_at timestamptz NOT NULL DEFAULT now(),
  attempts integer NOT NULL DEFAULT 0,
  last_error text,
  CONSTRAINT refresh_queue_pkey PRIMARY KEY (entity, shopify_id)
);
CREATE INDEX IF NOT EXISTS refresh_queue_due_idx ON shopify_internal.refresh_queue (entity, urgent DESC, due_at);
COMMENT ON TABLE shopify_internal.refresh_queue IS 'Ids whose truth must be read again, one row an id.';
COMMENT ON COLUMN shopify_internal.refresh_queue.entity IS 'Entity: products, customers, orders.';
COMMENT ON COLUMN shopify_internal.refresh_queue.shopify_id IS 'Shopify''s number of the object.';
COMMENT ON COLUMN shopify_internal.refresh_queue.reason IS 'Why it must be read, the latest reason.';
COMMENT ON COLUMN shopify_internal.refresh_queue.urgent IS 'Whether it goes before those that are not.';
COMMENT ON COLUMN shopify_internal.refresh_queue.queued_at IS 'When it was last queued, on Shopify''s clock; a complete read observed later satisfies it.';
COMMENT ON COLUMN shopify_internal.refresh_queue.first_queued_at IS 'When it was first queued, on the database''s clock.';
COMMENT ON COLUMN shopify_internal.refresh_queue.due_at IS 'When it may be claimed, on the database''s clock; a lease or a delay puts it off.';
COMMENT ON COLUMN shopify_internal.refresh_queue.attempts IS 'How often it was claimed since it was last queued.';
COMMENT ON COLUMN shopify_internal.refresh_queue.last_error IS 'What went wrong the last time, without personal data.';
SELECT shopify_internal.protect('shopify_internal.refresh_queue');

CREATE TABLE IF NOT EXISTS shopify_internal.shop (
  only_row boolean NOT NULL DEFAULT true,
  shop_gid text NOT NULL,
  domain text NOT NULL,
  currency text,
  timezone text,
  shop_created_at timestamptz,
  scopes text[],
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT shop_pkey PRIMARY KEY (only_row),
  CONSTRAINT shop_only_row_check CHECK (only_row)
);
COMMENT ON TABLE shopify_internal.shop IS 'The one store that this database belongs to.';
COMMENT ON COLUMN shopify_internal.shop.only_row IS 'Keeps the table at one row.';
COMMENT ON COLUMN shopify_internal.shop.shop_gid IS 'Global id of the shop.';
COMMENT ON COLUMN shopify_internal.shop.domain IS 'Its myshopify.com domain.';
COMMENT ON COLUMN shopify_internal.shop.currency IS 'Its currency, ISO 4217.';
COMMENT ON COLUMN shopify_internal.shop.timezone IS 'Its time zone, IANA.';
COMMENT ON COLUMN shopify_internal.shop.shop_created_at IS 'When the shop was created.';
COMMENT ON COLUMN shopify_internal.shop.scopes IS 'Access scopes at the last run.';
COMMENT ON COLUMN shopify_internal.shop.first_seen_at IS 'When the first run stored it.';
COMMENT ON COLUMN shopify_internal.shop.last_seen_at IS 'When a run last met it.';
SELECT shopify_internal.protect('shopify_internal.shop');

CREATE TABLE IF NOT EXISTS shopify_internal.heartbeats (
  run_id text NOT NULL,
  what text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  beaten_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT heartbeats_pkey PRIMARY KEY (run_id)
);
COMMENT ON TABLE shopify_internal.heartbeats IS 'Signs of life of the runs in progress.';
COMMENT ON COLUMN shopify_internal.heartbeats.run_id IS 'The run.';
COMMENT ON COLUMN shopify_internal.heartbeats.what IS 'What it is doing.';
COMMENT ON COLUMN shopify_internal.heartbeats.started_at IS 'When its first beat was.';
COMMENT ON COLUMN shopify_internal.heartbeats.beaten_at IS 'When its last beat was.';
SELECT shopify_internal.protect('shopify_internal.heartbeats');

CREATE TABLE IF NOT EXISTS shopify_internal.state (
  key text NOT NULL,
  value jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT state_pkey PRIMARY KEY (key)
);
COMMENT ON TABLE shopify_internal.state IS 'Small facts kept between runs, such as the result of a probe.';
COMMENT ON COLUMN shopify_internal.state.key IS 'Name of the fact.';
COMMENT ON COLUMN shopify_internal.state.value IS 'The fact.';
COMMENT ON COLUMN shopify_internal.state.updated_at IS 'When it was last written.';
SELECT shopify_internal.protect('shopify_internal.state');

-- migrate:down
