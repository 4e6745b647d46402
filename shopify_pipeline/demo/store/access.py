"""What the app may see: scopes by type, and fields that are denied or protected."""

from __future__ import annotations

from graphql import GraphQLField, get_named_type

from shopify_pipeline.demo.store.execution import FieldError

_SCOPES = "https://shopify.dev/api/usage/access-scopes"

_NEEDED = {
    "Product": (("read_products",), "`read_products` access scope."),
    "ProductVariant": (("read_products",), "`read_products` access scope."),
    "Customer": (("read_customers",), "`read_customers` access scope."),
    "Order": (
        ("read_orders", "read_marketplace_orders", "read_quick_sale"),
        (
            "`read_orders` access scope, `read_marketplace_orders` access scope or "
            "`read_quick_sale` access scope."
        ),
    ),
    "LineItem": (
        ("read_orders", "read_marketplace_orders"),
        "`read_orders` access scope or `read_marketplace_orders` access scope.",
    ),
    "InventoryItem": (
        ("read_inventory", "read_products"),
        "`read_inventory` access scope or `read_products` access scope.",
    ),
}
_COUNTS = {
    "productsCount": "Product",
    "productVariantsCount": "ProductVariant",
    "customersCount": "Customer",
    "ordersCount": "Order",
}


def denied_message(field: str, needed: str) -> FieldError:
    """The error of a field that the app lacks the scope for."""
    return FieldError(
        f"Access denied for {field} field. Required access: {needed}",
        code="ACCESS_DENIED",
        documentation=_SCOPES,
        requiredAccess=needed,
    )


def protected_message(field: str) -> FieldError:
    """The error of a protected customer field that the app is not approved for."""
    return FieldError(
        f"This app is not approved to access the {field} field. See "
        "https://shopify.dev/docs/apps/launch/protected-customer-data for more details.",
        code="ACCESS_DENIED",
        documentation="https://shopify.dev/docs/apps/launch/protected-customer-data",
    )


class Access:
    """The decision for one request."""

    def __init__(
        self, scopes: list[str], *, denied: frozenset[str], protected: frozenset[str]
    ) -> None:
        self._scopes = frozenset(scopes)
        self._denied = denied
        self._protected = protected

    def __call__(self, parent: str, name: str, definition: GraphQLField) -> FieldError | None:
        """The error of a field, or None when it may be read."""
        spelled = f"{parent}.{name}"
        if spelled in self._protected:
            return protected_message(name)
        if spelled in self._denied:
            return denied_message(name, "`read_more` access scope.")
        wanted = _COUNTS.get(name) or get_named_type(definition.type).name
        wanted = wanted.removesuffix("Connection")
        if wanted in _NEEDED:
            scopes, text = _NEEDED[wanted]
            if not self._scopes.intersection(scopes):
                return denied_message(name, text)
        return None
