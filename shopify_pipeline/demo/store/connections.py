"""How a connection answers: nodes, edges, cursors, page info, and what a page costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from graphql import FieldNode, GraphQLObjectType, SelectionNode, get_named_type

from shopify_pipeline.demo.store.cost import connection_cost
from shopify_pipeline.demo.store.execution import Completer, Execution, FieldError, Run, Source
from shopify_pipeline.demo.store.paging import Page
from shopify_pipeline.demo.store.selections import collect

if TYPE_CHECKING:
    from shopify_pipeline.demo.store.compiler import Compiler


def connection_of(
    compiler: Compiler,
    wanted: GraphQLObjectType,
    selections: Sequence[SelectionNode],
    arguments: dict[str, Any],
) -> tuple[Completer, int]:
    """Completes a page of a connection; its cost, asked and real, follows the page's size."""
    groups: dict[str, list[FieldNode]] = {}
    collect(compiler.execution, wanted, selections, groups)
    parts: list[tuple[str, Callable[[Page, Execution], Any]]] = []
    child = 0
    for key, nodes in groups.items():
        name = nodes[0].name.value
        inner = [one for n in nodes if n.selection_set for one in n.selection_set.selections]
        if name == "nodes":
            node_type = get_named_type(wanted.fields["nodes"].type)
            complete, requested = compiler.complete(node_type, inner, {})
            child += max(1, requested)
            parts.append((key, _nodes(complete)))
        elif name == "edges":
            edge, requested = _edge(compiler, wanted, inner)
            child += requested
            parts.append((key, edge))
        elif name == "pageInfo":
            info = cast("GraphQLObjectType", get_named_type(wanted.fields["pageInfo"].type))
            parts.append((key, _page_info(compiler.selection(info, inner).run)))
        elif name == "__typename":
            parts.append((key, lambda *_: wanted.name))
        else:
            one = compiler.field(wanted, key, nodes)
            parts.append((key, _extra(one.run)))
    size = arguments.get("first")
    if size is None:
        size = arguments.get("last")
    pairs = tuple(parts)

    def run(page: Page | None, source: Source, execution: Execution) -> Any:
        if page is None:
            return None
        before = execution.cost
        answer = {key: one(page, execution) for key, one in pairs}
        count = len(page.items)
        each = (execution.cost - before) / count if count else 0
        each = max(each, 1 if child else 0)
        execution.cost = before + connection_cost(max(count, 1), each)
        return answer

    return run, int(connection_cost(size, child))


def _edge(
    compiler: Compiler, wanted: GraphQLObjectType, selections: Sequence[SelectionNode]
) -> tuple[Callable[[Page, Execution], Any], int]:
    edge = cast("GraphQLObjectType", get_named_type(wanted.fields["edges"].type))
    groups: dict[str, list[FieldNode]] = {}
    collect(compiler.execution, edge, selections, groups)
    parts: list[tuple[str, Callable[[Any, Page, Execution], Any]]] = []
    child = 0
    for key, nodes in groups.items():
        name = nodes[0].name.value
        inner = [one for n in nodes if n.selection_set for one in n.selection_set.selections]
        if name == "node":
            complete, requested = compiler.complete(
                get_named_type(edge.fields["node"].type), inner, {}
            )
            child += max(1, requested)
            parts.append((key, _edge_node(complete)))
        elif name == "cursor":
            parts.append((key, lambda item, page, _execution: page.cursor(item)))
        else:
            parts.append((key, lambda *_: edge.name))

    def run(page: Page, execution: Execution) -> list[dict[str, Any]]:
        return _indexed(
            page.items,
            lambda item: {key: one(item, page, execution) for key, one in parts},
            execution,
        )

    return run, child


def _edge_node(complete: Completer) -> Callable[[Any, Page, Execution], Any]:
    def run(item: Any, page: Page, execution: Execution) -> Any:
        before = len(execution.errors)
        value = complete(item, page.extra, execution)
        for error in execution.errors[before:]:
            error.path.append("node")
        return value

    return run


def _nodes(complete: Completer) -> Callable[[Page, Execution], Any]:
    def run(page: Page, execution: Execution) -> list[Any]:
        before = len(execution.errors)
        answer = _indexed(page.items, lambda item: complete(item, page.extra, execution), execution)
        for error in execution.errors[before:]:
            error.path.append("nodes")
        return answer

    return run


def _indexed(items: Sequence[Any], each: Callable[[Any], Any], execution: Execution) -> list[Any]:
    answer = []
    errors = execution.errors
    for index, item in enumerate(items):
        before = len(errors)
        try:
            answer.append(each(item))
        except FieldError as error:
            error.path.append(index)
            raise
        if len(errors) > before:
            for one in errors[before:]:
                one.path.append(index)
    return answer


def _page_info(run: Run) -> Callable[[Page, Execution], Any]:
    def page_info(page: Page, execution: Execution) -> Any:
        return run(
            {
                "hasNextPage": page.has_next,
                "hasPreviousPage": page.has_previous,
                "startCursor": page.cursor(page.items[0]) if page.items else None,
                "endCursor": page.cursor(page.items[-1]) if page.items else None,
            },
            execution,
        )

    return page_info


def _extra(run: Run) -> Callable[[Page, Execution], Any]:
    return lambda page, execution: run(page.extra, execution)
