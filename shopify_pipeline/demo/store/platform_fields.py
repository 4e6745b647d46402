"""Root fields, and what describes the shop, the app and the API itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shopify_pipeline.demo.store import (
    catalogue_fields,
    customer_fields,
    event_fields,
    fulfillment_fields,
    line_fields,
    money_fields,
    order_fields,
    payment_fields,
)
from shopify_pipeline.demo.store.catalogue_fields import (
    LOCATION,
    inventory_item,
    inventory_level,
    location,
    paged,
)
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, FieldError, Resolver, Source
from shopify_pipeline.demo.store.identifiers import parse_gid
from shopify_pipeline.demo.store.listings import list_of, resolve_count, resolve_list
from shopify_pipeline.demo.store.lookups import KIND_OF, by_id, found
from shopify_pipeline.demo.store.paging import Page


def _node(gid: str, execution: Execution) -> Document | None:  # noqa: PLR0911
    parsed = parse_gid(gid)
    if parsed is None:
        raise FieldError(f"Invalid global id '{gid}'", code="argumentLiteralsIncompatible")
    wanted, identity = parsed
    store = execution.store
    if wanted in KIND_OF:
        document = found(KIND_OF[wanted], identity, execution)
        return None if document is None else {**document, "__typename": wanted}
    if wanted == "LineItem":
        order = store.order_of_line(identity)
        if order is None or (order["createdAt"] < store.visible_from() and not execution.trusted):
            return None
        line = next(one for one in line_fields.lines_of(order) if one["id"] == identity)
        return {**line, "__typename": "LineItem"}
    if wanted == "InventoryItem":
        variant = found("variants", identity - 2_000_000_000_000, execution)
        return None if variant is None else inventory_item(variant)
    if wanted == "Location":
        return location(execution) if identity == LOCATION else None
    if wanted == "Shop":
        return _shop({}, FieldCall("shop", "shop", {}, frozenset()), execution)
    extra: Resolver | None = execution.memory.get("node_resolver")
    if extra is not None:
        call = FieldCall("node", "node", {}, frozenset())
        other: Document | None = extra({"type": wanted, "id": identity}, call, execution)
        return other
    return None


def _one_node(source: Source, call: FieldCall, execution: Execution) -> Document | None:
    return _node(call.arguments["id"], execution)


def _many_nodes(source: Source, call: FieldCall, execution: Execution) -> list[Document | None]:
    gids = call.arguments["ids"]
    if len(gids) > 250:
        raise FieldError(
            f"The input array size of {len(gids)} is greater than the maximum allowed of 250.",
            code="MAX_INPUT_SIZE_EXCEEDED",
        )
    return [_node(gid, execution) for gid in gids]


def _shop(source: Source, call: FieldCall, execution: Execution) -> Document:
    settings = execution.store.settings
    local = datetime.now(UTC).astimezone(settings.zone)
    offset = local.utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    url = f"https://{settings.domain}"
    domain = {
        "id": f"gid://shopify/Domain/{settings.shop_id + 1}",
        "host": settings.domain,
        "url": url,
        "sslEnabled": True,
    }
    address = {
        "id": f"gid://shopify/ShopAddress/{settings.shop_id + 2}",
        "address1": "Demo Street 1",
        "city": "Toronto",
        "country": "Canada",
        "countryCodeV2": "CA",
        "zip": "M5H 2M9",
        "coordinatesValidated": False,
        "formatted": ["Demo Street 1", "Toronto"],
    }
    return {
        "__typename": "Shop",
        "id": settings.shop_id,
        "name": settings.shop.removesuffix(".myshopify.com").replace("-", " ").title(),
        "email": "owner@example.com",
        "contactEmail": "owner@example.com",
        "shopOwnerName": "Demo Owner",
        "myshopifyDomain": settings.domain,
        "currencyCode": settings.currency,
        "enabledPresentmentCurrencies": sorted({settings.currency, "CAD", "EUR", "JPY", "KWD"}),
        "ianaTimezone": settings.timezone,
        "timezoneAbbreviation": local.tzname() or "UTC",
        "timezoneOffset": f"{sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}",
        "timezoneOffsetMinutes": minutes,
        "createdAt": settings.created_at,
        "updatedAt": settings.created_at,
        "url": url,
        "primaryDomain": domain,
        "domains": [domain],
        "shopAddress": address,
        "billingAddress": address,
        "plan": {
            "displayName": settings.plan.title(),
            "publicDisplayName": settings.plan.title(),
            "partnerDevelopment": False,
            "shopifyPlus": settings.plan == "plus",
        },
        "currencyFormats": {
            "moneyFormat": "${{amount}}",
            "moneyWithCurrencyFormat": f"${{{{amount}}}} {settings.currency}",
            "moneyInEmailsFormat": "${{amount}}",
            "moneyWithCurrencyInEmailsFormat": f"${{{{amount}}}} {settings.currency}",
        },
        "orderNumberFormatPrefix": "#",
        "orderNumberFormatSuffix": "",
        "unitSystem": "METRIC_SYSTEM",
        "weightUnit": "KILOGRAMS",
        "description": None,
    }


def _installation(source: Source, call: FieldCall, execution: Execution) -> Document:
    scopes = execution.store.settings.scopes
    return {
        "id": "gid://shopify/AppInstallation/654321",
        "launchUrl": "https://example.com/app",
        "accessScopes": [
            {"handle": scope, "description": scope.replace("_", " ").capitalize()}
            for scope in scopes
        ],
        "app": {
            "id": "gid://shopify/App/123456",
            "title": "Demo App",
            "handle": "demo-app",
            "apiKey": execution.store.settings.client_id,
        },
    }


def _versions(source: Source, call: FieldCall, execution: Execution) -> list[Document]:
    supported = execution.store.settings.versions
    listed = [{"handle": one, "displayName": one, "supported": True} for one in supported]
    if listed:
        listed[-1]["displayName"] = f"{supported[-1]} (Latest)"
    return [
        *listed,
        {"handle": "2027-01", "displayName": "2027-01 (Release candidate)", "supported": False},
        {"handle": "unstable", "displayName": "unstable", "supported": False},
    ]


def _locations(source: Source, call: FieldCall, execution: Execution) -> Page:
    return paged([location(execution)], call, lambda one: one["id"])


def _inventory(source: Source, call: FieldCall, execution: Execution) -> Page:
    found = list_of("variants", call, execution)
    items = {item["id"]: item for item in found.items}
    made = [inventory_item(item) for item in found.items]
    return replace(found, items=made, cursor=lambda one: found.cursor(items[one["_variant"]["id"]]))


def _stocked(source: Source, call: FieldCall, execution: Execution) -> Page:
    items = _inventory(source, call, execution)
    levels = [inventory_level(item, execution) for item in items.items]
    return replace(items, items=levels, cursor=lambda one: items.cursor(one["_item"]))


def _identified(kind: str, gid_type: str) -> Resolver:
    columns = {"emailAddress": "email", "phoneNumber": "phone", "handle": "handle"}

    def resolve(source: Source, call: FieldCall, execution: Execution) -> Document | None:
        given = call.arguments["identifier"]
        if given.get("id"):
            parsed = parse_gid(given["id"])
            if parsed is None or parsed[0] != gid_type:
                raise FieldError(f"Invalid id: {given['id']}", code="RESOURCE_NOT_FOUND")
            return found(kind, parsed[1], execution)
        for name, column in columns.items():
            if given.get(name):
                sql = f"SELECT id FROM {kind}_index WHERE LOWER({column}) = LOWER(?)"  # noqa: S608
                return found(kind, execution.store.database.value(sql, (given[name],)), execution)
        return None

    return resolve


def _no_payments(source: Source, call: FieldCall, execution: Execution) -> None:
    needed = "the `read_shopify_payments` or the `read_shopify_payments_accounts` access scope."
    raise FieldError(
        f"Access denied for shopifyPaymentsAccount field. Required access: {needed}",
        code="ACCESS_DENIED",
        documentation="https://shopify.dev/api/usage/access-scopes",
        requiredAccess=needed,
    )


def _nested_node(type_name: str) -> Resolver:
    def resolve(source: Source, call: FieldCall, execution: Execution) -> Document | None:
        gid = call.arguments.get("id")
        if gid is None:
            return location(execution) if type_name == "Location" else None
        parsed = parse_gid(gid)
        if parsed is None or parsed[0] != type_name:
            raise FieldError(f"Invalid id: {gid}", code="RESOURCE_NOT_FOUND")
        return _node(gid, execution)

    return resolve


RESOLVERS: dict[str, Resolver] = {
    **catalogue_fields.RESOLVERS,
    **customer_fields.RESOLVERS,
    **money_fields.RESOLVERS,
    **order_fields.RESOLVERS,
    **line_fields.RESOLVERS,
    **payment_fields.RESOLVERS,
    **fulfillment_fields.RESOLVERS,
    **event_fields.RESOLVERS,
    "QueryRoot.shop": _shop,
    "QueryRoot.currentAppInstallation": _installation,
    "QueryRoot.appInstallation": _installation,
    "QueryRoot.publicApiVersions": _versions,
    "QueryRoot.node": _one_node,
    "QueryRoot.nodes": _many_nodes,
    "QueryRoot.product": by_id("Product"),
    "QueryRoot.productVariant": by_id("ProductVariant"),
    "QueryRoot.customer": by_id("Customer"),
    "QueryRoot.order": by_id("Order"),
    "QueryRoot.productByIdentifier": _identified("products", "Product"),
    "QueryRoot.productVariantByIdentifier": _identified("variants", "ProductVariant"),
    "QueryRoot.customerByIdentifier": _identified("customers", "Customer"),
    "QueryRoot.orderByIdentifier": _identified("orders", "Order"),
    "QueryRoot.products": resolve_list("products"),
    "QueryRoot.productVariants": resolve_list("variants"),
    "QueryRoot.customers": resolve_list("customers"),
    "QueryRoot.orders": resolve_list("orders"),
    "QueryRoot.productsCount": resolve_count("products"),
    "QueryRoot.productVariantsCount": resolve_count("variants", "variants_count"),
    "QueryRoot.customersCount": resolve_count("customers", "customers_count"),
    "QueryRoot.ordersCount": resolve_count("orders"),
    "QueryRoot.inventoryItems": _inventory,
    "Location.inventoryLevels": _stocked,
    "QueryRoot.inventoryItem": _nested_node("InventoryItem"),
    "QueryRoot.location": _nested_node("Location"),
    "QueryRoot.locations": _locations,
    "QueryRoot.shopifyPaymentsAccount": _no_payments,
}
