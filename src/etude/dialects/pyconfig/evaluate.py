"""Python configs evaluated over their syntax tree: nothing is executed, imported or opened.

What is understood is what configs are made of: assignments, `del`, loops and conditions, over expressions of literals, names,
arithmetic, f-strings, comprehensions, functions that only make values (`dict`, `range`, `copy.deepcopy`, ...) and methods of
mappings, lists and texts. Anything else is refused with its file and line.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from .calls import method
from .expressions import Expressions, LeavingError
from .operators import combined, iterate, live, text, times
from .values import Budget, Opaque, RefusedError


class _BreakError(LeavingError):
    pass


class _ContinueError(LeavingError):
    pass


class Evaluator(Expressions):
    """One file on its way to its names.

    Args:
        where: The file, for messages.
        names: The names that it finds, and those that it makes.
        budget: What it may use up.
        imported: What an import statement binds.
    """

    def __init__(
        self,
        where: str,
        names: dict[str, Any],
        budget: Budget,
        imported: Callable[[ast.Import | ast.ImportFrom], Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(where, names, budget)
        self.imported = imported

    def run(self, body: list[ast.stmt]) -> None:
        """Evaluate statements one after the other."""
        for node in body:
            try:
                self._entered()
                found = getattr(self, f"_do_{type(node).__name__.lower()}", None)
                if found is None:
                    raise RefusedError(f"a {type(node).__name__} statement")
                found(node)
            except Exception as error:
                raise self._told(node, error) from None
            finally:
                self.depth -= 1

    def _do_assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self._bind(target, value)

    def _do_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._bind(node.target, self.value(node.value))

    def _do_augassign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._bind(node.target, self._added(self.value(node.target), node))
        else:
            held, key = self._place(node.target)
            self._put(held, key, self._added(self._item(held, key), node))

    def _added(self, held: Any, node: ast.AugAssign) -> Any:
        """Return what an augmented assignment makes of a value: lists and mappings stay what they are, and grow."""
        value = self.value(node.value)
        if isinstance(node.op, ast.Add) and isinstance(held, list):
            held.extend(iterate(value, self.budget))
        elif isinstance(node.op, ast.Mult) and isinstance(held, list):
            held[:] = times(held, value, self.budget)
        elif isinstance(node.op, ast.BitOr) and isinstance(held, dict | set):
            method(held, "update", (value,), {}, self.budget)
        else:
            held = combined(node.op, held, value, self.budget)
        return held

    def _do_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._deleted(target)

    def _deleted(self, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            if target.id not in self.names:
                raise NameError(f"name {target.id!r} is not defined")
            del self.names[target.id]
        elif isinstance(target, ast.Tuple | ast.List):
            for one in target.elts:
                self._deleted(one)
        else:
            held, key = self._place(target)
            if not isinstance(held, dict | list):
                raise TypeError(f"{type(held).__name__!r} object does not support item deletion")
            self.budget.make(10 + len(held) // 50)
            del held[key]

    def _do_if(self, node: ast.If) -> None:
        self.run(node.body if self.value(node.test) else node.orelse)

    def _do_for(self, node: ast.For) -> None:
        for item in live(self.value(node.iter), self.budget):
            self._bind(node.target, item)
            if not self._round(node.body):
                return
        self.run(node.orelse)

    def _do_while(self, node: ast.While) -> None:
        while self.value(node.test):
            if not self._round(node.body):
                return
        self.run(node.orelse)

    def _round(self, body: list[ast.stmt]) -> bool:
        """Evaluate the body of a loop once; False where it breaks out."""
        try:
            self.run(body)
        except _ContinueError:
            pass
        except _BreakError:
            return False
        return True

    def _do_break(self, node: ast.Break) -> None:
        raise _BreakError

    def _do_continue(self, node: ast.Continue) -> None:
        raise _ContinueError

    def _do_assert(self, node: ast.Assert) -> None:
        if not self.value(node.test):
            raise AssertionError(text(self.value(node.msg), self.budget, conversion="s") if node.msg else ast.unparse(node.test))

    def _do_expr(self, node: ast.Expr) -> None:
        self.value(node.value)

    def _do_pass(self, node: ast.Pass) -> None:
        pass

    def _do_functiondef(self, node: ast.FunctionDef) -> None:
        if node.decorator_list:
            raise RefusedError("a decorated function")
        self.names[node.name] = Opaque(f"the function {node.name}", function=True)

    def _do_import(self, node: ast.Import | ast.ImportFrom) -> None:
        if self.imported is None:
            raise RefusedError("an import")
        self.names.update(self.imported(node))

    _do_importfrom = _do_import

    def _do_with(self, node: ast.With) -> None:
        call = node.items[0].context_expr
        if len(node.items) > 1 or not (
            isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "read_base"
        ):
            raise RefusedError("a with that is not read_base()")
        self.run(node.body)
