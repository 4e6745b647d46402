-- Views for those who analyse: orders with their profile, revenue by day, customers over their life.

-- migrate:up

SET LOCAL lock_timeout = '30s';

CREATE OR REPLACE VIEW public.shopify_orders_with_profiles WITH (security_invoker = true) AS
SELECT
  o.id AS order_id,
  o.shopify_order_id,
  o.name AS order_name,
  o.customer_id,
  o.shopify_customer_id,
  c.unified_profile_id,
  o.created_at,
  o.processed_at,
  o.cancelled_at,
  CASE
    WHEN coalesce(o.test, false) THEN 'test'
    WHEN o.cancelled_at IS NOT NULL THEN 'cancelled'
    ELSE 'regular'
  END AS kind,
  o.financial_status,
  o.fulfillment_status,
  o.source_name,
  o.currency,
  o.presentment_currency,
  i.gross_sales,
  coalesce(o.total_discounts, 0) AS discounts,
  coalesce(o.total_shipping, 0) AS shipping,
  coalesce(o.total_tax, 0) AS tax,
  o.total_price,
  o.current_total_price,
  coalesce(o.total_refunded, 0) AS refunds,
  o.total_price - coalesce(o.total_refunded, 0) AS net_of_refunds,
  o.net_payment,
  i.items_ordered,
  i.items_kept
FROM public.shopify_orders AS o
LEFT JOIN public.shopify_customers AS c ON c.id = o.customer_id
LEFT JOIN LATERAL (
  SELECT
    coalesce(sum(l.price * l.quantity), 0) AS gross_sales,
    coalesce(sum(l.quantity), 0) AS items_ordered,
    coalesce(sum(coalesce(l.current_quantity, l.quantity)), 0) AS items_kept
  FROM public.shopify_order_items AS l
  WHERE l.order_id = o.id AND l.deleted_at IS NULL
) AS i ON true
WHERE o.deleted_at IS NULL;
COMMENT ON VIEW public.shopify_orders_with_profiles IS 'One row an order that is not deleted, with the person it belongs to and its money. Amounts are in currency, the shop''s; nothing of the customer but ids.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.order_id IS 'The row in shopify_orders.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.shopify_order_id IS 'Shopify''s number of the order.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.order_name IS 'Name of the order as people see it: #1001.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.customer_id IS 'The row in shopify_customers; null for an order without a customer.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.shopify_customer_id IS 'Shopify''s number of the customer.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.unified_profile_id IS 'The person in unified_profiles, by the customer''s link; null while there is none. Joins the platform''s own tables.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.created_at IS 'When Shopify created the order.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.processed_at IS 'When the order was placed; for imported orders the date given by the import. Days of revenue go by it.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.cancelled_at IS 'When it was cancelled.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.kind IS 'regular, cancelled or test. A cancelled test order is a test.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.financial_status IS 'Shopify''s word in lower case: paid, refunded and others.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.fulfillment_status IS 'Shopify''s display word in lower case: fulfilled, unfulfilled and others.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.source_name IS 'Channel: web, pos and others.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.currency IS 'The shop''s currency, ISO 4217: that of every amount here.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.presentment_currency IS 'Currency in which the customer paid, ISO 4217.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.gross_sales IS 'Lines as ordered: price by quantity, before discounts; with tax where the shop''s prices include it.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.discounts IS 'All discounts, those of lines and those of the order.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.shipping IS 'Shipping charged, at creation.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.tax IS 'Tax, at creation, whether it is included in the prices or added to them.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.total_price IS 'What the customer was to pay, at creation: lines, shipping, tax and tips, less discounts.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.current_total_price IS 'The same after edits and returns.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.refunds IS 'Sum of the refunds until now, of whatever day.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.net_of_refunds IS 'total_price less refunds.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.net_payment IS 'Received less refunded, by Shopify''s own account.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.items_ordered IS 'Pieces as ordered.';
COMMENT ON COLUMN public.shopify_orders_with_profiles.items_kept IS 'Pieces after edits and returns.';
SELECT shopify_internal.protect('public.shopify_orders_with_profiles', readable => true);

CREATE OR REPLACE VIEW public.shopify_revenue_by_day WITH (security_invoker = true) AS
SELECT
  (coalesce(processed_at, created_at) AT TIME ZONE 'UTC')::date AS day,
  currency,
  kind,
  count(*) AS orders,
  count(DISTINCT shopify_customer_id) AS customers,
  sum(items_ordered) AS items,
  sum(gross_sales) AS gross_sales,
  sum(discounts) AS discounts,
  sum(shipping) AS shipping,
  sum(tax) AS tax,
  sum(total_price) AS total_sales,
  sum(refunds) AS refunds,
  sum(total_price - refunds) AS net_of_refunds,
  sum(total_price - tax) AS net_sales
FROM public.shopify_orders_with_profiles
GROUP BY 1, 2, 3;
COMMENT ON VIEW public.shopify_revenue_by_day IS 'Revenue by the day (UTC) on which orders were placed and by currency; regular, cancelled and test orders apart. Each currency is a row of its own: never add them up.';
COMMENT ON COLUMN public.shopify_revenue_by_day.day IS 'Day (UTC) of processed_at, or of created_at where that is missing.';
COMMENT ON COLUMN public.shopify_revenue_by_day.currency IS 'The shop''s currency, ISO 4217: that of every amount in the row.';
COMMENT ON COLUMN public.shopify_revenue_by_day.kind IS 'regular, cancelled or test; revenue is what regular orders make.';
COMMENT ON COLUMN public.shopify_revenue_by_day.orders IS 'Number of orders.';
COMMENT ON COLUMN public.shopify_revenue_by_day.customers IS 'Number of different customers among them.';
COMMENT ON COLUMN public.shopify_revenue_by_day.items IS 'Pieces ordered.';
COMMENT ON COLUMN public.shopify_revenue_by_day.gross_sales IS 'Lines as ordered, before discounts.';
COMMENT ON COLUMN public.shopify_revenue_by_day.discounts IS 'All discounts.';
COMMENT ON COLUMN public.shopify_revenue_by_day.shipping IS 'Shipping charged.';
COMMENT ON COLUMN public.shopify_revenue_by_day.tax IS 'Tax, included in prices or added.';
COMMENT ON COLUMN public.shopify_revenue_by_day.total_sales IS 'What customers were to pay: total_price, at creation.';
COMMENT ON COLUMN public.shopify_revenue_by_day.refunds IS 'Refunds until now of this day''s orders, not the refunds made on this day.';
COMMENT ON COLUMN public.shopify_revenue_by_day.net_of_refunds IS 'total_sales less refunds.';
COMMENT ON COLUMN public.shopify_revenue_by_day.net_sales IS 'total_sales less tax: goods, shipping and tips, after discounts, before refunds.';
SELECT shopify_internal.protect('public.shopify_revenue_by_day', readable => true);

CREATE OR REPLACE VIEW public.shopify_customer_lifetime WITH (security_invoker = true) AS
SELECT
  c.id AS customer_id,
  c.shopify_customer_id,
  c.unified_profile_id,
  o.currency,
  count(o.order_id) AS orders,
  coalesce(sum(o.items_ordered), 0) AS items,
  coalesce(sum(o.total_price), 0) AS total_sales,
  coalesce(sum(o.refunds), 0) AS refunds,
  coalesce(sum(o.total_price - o.refunds), 0) AS net_of_refunds,
  round(avg(o.total_price), 2) AS average_order,
  min(coalesce(o.processed_at, o.created_at)) AS first_order_at,
  max(coalesce(o.processed_at, o.created_at)) AS last_order_at,
  c.orders_count AS shopify_orders_count,
  c.total_spent AS shopify_total_spent,
  c.total_spent_currency AS shopify_total_spent_currency
FROM public.shopify_customers AS c
LEFT JOIN public.shopify_orders_with_profiles AS o ON o.customer_id = c.id AND o.kind = 'regular'
WHERE c.deleted_at IS NULL
GROUP BY c.id, o.currency;
COMMENT ON VIEW public.shopify_customer_lifetime IS 'One row a living customer and currency of its orders, computed from regular orders (no test, none cancelled); a customer without orders has one row without currency.';
COMMENT ON COLUMN public.shopify_customer_lifetime.customer_id IS 'The row in shopify_customers.';
COMMENT ON COLUMN public.shopify_customer_lifetime.shopify_customer_id IS 'Shopify''s number of the customer.';
COMMENT ON COLUMN public.shopify_customer_lifetime.unified_profile_id IS 'The person in unified_profiles; null while there is none.';
COMMENT ON COLUMN public.shopify_customer_lifetime.currency IS 'Currency of the amounts, ISO 4217; null without orders.';
COMMENT ON COLUMN public.shopify_customer_lifetime.orders IS 'Number of regular orders.';
COMMENT ON COLUMN public.shopify_customer_lifetime.items IS 'Pieces ordered.';
COMMENT ON COLUMN public.shopify_customer_lifetime.total_sales IS 'Sum of total_price.';
COMMENT ON COLUMN public.shopify_customer_lifetime.refunds IS 'Sum of the refunds until now.';
COMMENT ON COLUMN public.shopify_customer_lifetime.net_of_refunds IS 'total_sales less refunds.';
COMMENT ON COLUMN public.shopify_customer_lifetime.average_order IS 'Average total_price, rounded to hundredths.';
COMMENT ON COLUMN public.shopify_customer_lifetime.first_order_at IS 'When the first was placed.';
COMMENT ON COLUMN public.shopify_customer_lifetime.last_order_at IS 'When the last was placed.';
COMMENT ON COLUMN public.shopify_customer_lifetime.shopify_orders_count IS 'Shopify''s own count, which includes other orders and drifts.';
COMMENT ON COLUMN public.shopify_customer_lifetime.shopify_total_spent IS 'Shopify''s own sum, in shopify_total_spent_currency; drifts.';
COMMENT ON COLUMN public.shopify_customer_lifetime.shopify_total_spent_currency IS 'Currency of shopify_total_spent.';
SELECT shopify_internal.protect('public.shopify_customer_lifetime', readable => true);

-- migrate:down
