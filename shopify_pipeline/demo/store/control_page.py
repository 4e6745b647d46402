"""The page that explains the control interface, for people at `GET /_store/`."""

from __future__ import annotations

from shopify_pipeline.demo.store.faults import KINDS as FAULT_KINDS

_PAGE = """\
The simulated store's control interface. Bodies are JSON; fields have GraphQL's names; times are
ISO 8601; money is decimal text; an id is a number or a gid.

GET    /_store/                         this page
GET    /_store/state                    clock, settings and number of records
POST   /_store/products                 {"title": "Tee", "variants": [{"sku": "A", "price": "9.50"}]}
POST   /_store/variants                 {"product": "gid://shopify/Product/1", "sku": "B"}
POST   /_store/customers                {"firstName": "A", "defaultEmailAddress": {"emailAddress": "A@example.com",
                                         "marketingState": "SUBSCRIBED"}, "defaultPhoneNumber": {"phoneNumber": "+1…"}}
                                        or short: {"email": "A@example.com", "phone": "+1…", "acceptsMarketing": true}
POST   /_store/orders                   {"email": "a@example.com", "customer": "gid://…", "tags": ["x"],
                                         "lineItems": [{"variant": "gid://…", "quantity": 2, "price": "5.00"}],
                                         "displayFinancialStatus": "PENDING", "updatedAt": "2026-…Z"}
POST   /_store/line_items               {"order": "gid://…", "variant": "gid://…", "quantity": 1}: added as by an edit,
                                        with "added": false as if it had been ordered at first
GET    /_store/<kind>/<id>              one record, as the truth has it
POST   /_store/<kind>/<id>              (or PUT, PATCH) changes fields; an order's lines are replaced by "lineItems"
DELETE /_store/<kind>/<id>              deletes; of line_items, takes the line out of its order (an edit's "remove"
                                        leaves it there with currentQuantity 0)
                                        kinds: products, variants (product_variants), customers, orders, line_items
                                        (order_items); <id> is a number or a gid, percent-encoded or not
POST   /_store/orders/<id>/<action>     refund {"lineItems": [{"id": …, "quantity": 1}]}, cancel {"reason": "FRAUD"},
                                        fulfill, pay, close, reopen, edit {"add": [{line}], "remove": [line ids]}
POST   /_store/customers/<id>/merge     {"into": <id>}
POST   /_store/mass-edit                {"kind": "products", "count": 10000}: one updatedAt for all
POST   /_store/drift                    {"count": 100}: inventory noise on products' updatedAt
POST   /_store/traffic                  {"rate": 5}: that many random changes a second, 0 stops;
                                        {"steps": 100}: so many at once; {"steps": 1, "action": "refund"}
POST   /_store/clock                    {"advance": seconds} | {"set": "2026-…Z"} | {"freeze": true} | {"resume": true}
POST   /_store/settings                 {"indexLag": 120, "scopes": ["read_orders"], "plan": "plus", "token": "…",
                                         "versions": ["2026-04", "2026-07"], "deniedFields": ["Customer.firstName"],
                                         "bucket": {"maximum": 2000, "restoreRate": 100, "level": 0}}
                                        with "afterCalls": 20 it happens in the middle of a run: a scope withdrawn,
                                        a version retired. With --data-dir the scopes and denied fields are kept,
                                        all other settings and the faults last as long as the process
POST   /_store/faults                   {"kind": "throttled", "count": 3, "match": "orders(", "skip": 1,
                                         "share": 0.1, "seed": 7, "start": "…", "end": "…",
                                         "target": "graphql|rest|token|file|bulk", …options of the kind}
POST   /_store/subscriptions            {"topics": ["ORDERS_CREATE"] | "all", "uri": "http://127.0.0.1:8000/webhooks/shopify"}
GET    /_store/subscriptions            every subscription;  DELETE removes all
POST   /_store/webhooks                 {"topic": "customers/redact", "body": {…}, "uri": "http://…"}: any delivery;
                                        {"repeat": 100}: the last ones again, under their ids
POST   /_store/delivery                 {"duplicate": 0.1, "reorder": 0.2, "drop": 0.0, "delay": 30, "corrupt": 0.0,
                                         "paused": true, "seed": 7, "secret": "…", "insecure": true,
                                         "routes": {"https://hooks.example.com": "http://127.0.0.1:8000"}}
                                        `paused` false lets a burst go; `insecure` allows http and local addresses in
                                        webhookSubscriptionCreate, `routes` sends a public address to a local one
GET    /_store/deliveries               the log: topic, webhook id, attempts, statuses
GET    /_store/faults                   kinds, waiting, met;  DELETE forgets those waiting
GET    /_store/stats                    calls and points, in all and by operation;  DELETE sets them to 0
GET    /_store/truth/<kind>             products, variants, customers, orders, line_items as JSON lines;
                                        /_store/truth/<kind>/<id> one of them

A field, an option or a word that isn't known is answered 400, with those that are known.

Every creation or change answers {"id": "gid://…", "updatedAt": …} and, for orders and products,
their line or variant ids, for a line its order. Fault kinds:
"""  # noqa: E501


def page() -> str:
    """The page, with every kind of fault."""
    kinds = "".join(f"  {name:<30} {text}\n" for name, text in FAULT_KINDS.items())
    return _PAGE + kinds
