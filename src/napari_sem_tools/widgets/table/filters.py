"""Which rows of a particle table are shown: an expression, a range, a preset; no Qt here.

An expression is parsed and worked out here, node by node, from a short list of what is
allowed; nothing that a user types or pastes is ever run as Python.
"""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FUNCTIONS", "PRESETS", "flag", "range_text", "rows_matching", "rows_where"]

_LONGEST = 1000  # characters
_COMPARES = frozenset("<>=")
_HINT = "For example: ecd_nm > 50 and circularity < 0.9"

PRESETS: dict[str, Callable[[Any], NDArray[np.bool_]]] = {
    "all particles": lambda table: np.ones(len(table), bool),
    "doubtful": lambda table: flag(table, "doubtful"),
    "left out": lambda table: ~flag(table, "included", True),
    "counted": lambda table: flag(table, "included", True),
    "cut by the edge": lambda table: flag(table, "edge"),
    "decided by hand": lambda table: _text(table, "by_hand") != "",
}
"""Name of a preset -> the rows that it shows."""


def flag(table: pd.DataFrame, name: str, missing: bool = False) -> NDArray[np.bool_]:
    """Return a column of True and False; a constant where the table has none."""
    if name not in table:
        return np.full(len(table), missing, bool)
    return table[name].to_numpy(bool)


def _text(table: pd.DataFrame, name: str) -> NDArray[Any]:
    """Return a column of text; empty where the table has none."""
    if name not in table:
        return np.full(len(table), "", object)
    return table[name].to_numpy(object)


def range_text(name: str, low: float, high: float) -> str:
    """Write a range as an expression.

    Examples
    --------
    >>> range_text("ecd_nm", 20.0, 51.5)
    '20 <= ecd_nm <= 51.5'
    """
    return f"{low:.6g} <= {name} <= {high:.6g}"


def rows_matching(
    text: str, table: Callable[[], pd.DataFrame], words: Callable[[], Iterable[str]]
) -> NDArray[np.bool_]:
    """Say which rows a filter lets through: an expression where it compares, else words.

    Parameters
    ----------
    text : str
    table : callable
        Gives the table for an expression.
    words : callable
        Gives what a filter of words looks at, a text a row.

    Raises
    ------
    InvalidSettings
        The expression cannot be understood.

    Examples
    --------
    >>> rows_matching("two A", dict, lambda: ["A: one", "A: two"])
    array([False,  True])
    """
    if _COMPARES & set(text):
        return rows_where(table(), text.strip())
    wanted = text.lower().split()
    return np.array([all(word in one.lower() for word in wanted) for one in words()], bool)


def _contains(texts: Any, part: Any) -> Any:
    """Say where a column of text contains a part, whatever the case."""
    if not isinstance(part, str):
        raise _refused("contains() needs a text in quotes as its second argument.")
    wanted = part.lower()
    return np.array([wanted in str(text).lower() for text in np.atleast_1d(texts)], bool)


FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "abs": (np.abs, 1),
    "sqrt": (np.sqrt, 1),
    "log": (np.log, 1),
    "log10": (np.log10, 1),
    "exp": (np.exp, 1),
    "missing": (lambda values: ~np.isfinite(values), 1),
    "mean": (np.nanmean, 1),
    "median": (np.nanmedian, 1),
    "quantile": (lambda values, share: np.nanquantile(values, np.clip(share, 0, 1)), 2),
    "contains": (_contains, 2),
}
"""Name of a function that an expression may call -> the function and its arguments."""

_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.true_divide,
    ast.Pow: np.float_power,
    ast.Mod: np.mod,
}
_COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def rows_where(table: pd.DataFrame, expression: str) -> NDArray[np.bool_]:
    """Say for which particles an expression holds.

    Parameters
    ----------
    table : DataFrame
        As `measure` returns it; the index counts as the column ``label``.
    expression : str
        Columns, numbers, texts in quotes, ``< <= > >= == !=``, ``and or not``, ``in``,
        ``+ - * / ** %`` and the functions of `FUNCTIONS`.  Empty: all particles.

    Returns
    -------
    bool array (n,)
        What is missing makes a comparison False.

    Raises
    ------
    InvalidSettings
        The expression is no such expression, or names a column that is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"ecd_nm": [20.0, 60.0], "doubt_reason": ["", "merged"]})
    >>> rows_where(table, "ecd_nm > 50 and contains(doubt_reason, 'merged')")
    array([False,  True])
    >>> try:
    ...     rows_where(table, "__import__('os').remove('x')")
    ... except InvalidSettings as error:
    ...     print(str(error)[:24])
    Only abs, contains, exp,
    """
    text = expression.strip()
    if not text:
        return np.ones(len(table), bool)
    if len(text) > _LONGEST:
        raise _refused(f"The expression is longer than {_LONGEST} characters.")
    try:
        tree = ast.parse(text, mode="eval")
        with np.errstate(all="ignore"):
            result = _Reader(table).value(tree.body)
    except SyntaxError as error:
        raise _refused(f"'{text}' is no complete expression.") from error
    except (TypeError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise _refused(f"'{text}' compares or combines what does not go together.") from error
    result = np.asarray(result)
    if result.dtype != bool:
        raise _refused(f"'{text}' is a value, not something that holds or does not.")
    return np.broadcast_to(result, (len(table),)).copy()


def _refused(sentence: str) -> InvalidSettings:
    """Make the error of an expression."""
    return InvalidSettings(sentence, hint=_HINT)


class _Reader:
    """Works an expression out over the columns of a table."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table

    def value(self, node: ast.AST) -> Any:
        """Return the value of a node: an array, a number or a text."""
        read = _NODES.get(type(node))
        if read is None:
            raise _refused("Only columns, numbers, texts, comparisons and arithmetic are allowed.")
        return read(self, node)

    def constant(self, node: Any) -> Any:
        """Return a number (as float, so that no power runs away), a truth or a text."""
        if isinstance(node.value, bool | str):
            return node.value
        if isinstance(node.value, int | float):
            return float(node.value)
        raise _refused(f"'{ast.unparse(node)}' is neither a number nor a text.")

    def name(self, node: Any) -> Any:
        """Return a column."""
        if node.id in self._table:
            column = self._table[node.id].to_numpy()
        elif node.id == "label":
            column = self._table.index.to_numpy()
        else:
            known = [*map(str, self._table.columns), "label"]
            close = difflib.get_close_matches(node.id, known, 1, 0.5)
            hint = f"Do you mean {close[0]}?" if close else _HINT
            raise InvalidSettings(f"There is no column '{node.id}'.", hint=hint)
        return column.astype(float) if column.dtype.kind in "iuf" else column

    def operation(self, node: Any) -> Any:
        """Return a sum, a difference, a product, a quotient, a power or a remainder."""
        combine = _ARITHMETIC.get(type(node.op))
        if combine is None and isinstance(node.op, ast.BitAnd | ast.BitOr):
            join = np.logical_and if isinstance(node.op, ast.BitAnd) else np.logical_or
            return join(self._truth(node.left), self._truth(node.right))
        if combine is None:
            raise _refused("Of arithmetic, only + - * / ** % are allowed.")
        return combine(self._number(node.left), self._number(node.right))

    def unary(self, node: Any) -> Any:
        """Return minus, plus or not."""
        if isinstance(node.op, ast.Not | ast.Invert):
            return np.logical_not(self._truth(node.operand))
        number = self._number(node.operand)
        return -number if isinstance(node.op, ast.USub) else number

    def logic(self, node: Any) -> Any:
        """Return and, or."""
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        result = self._truth(node.values[0])
        for part in node.values[1:]:
            result = join(result, self._truth(part))
        return result

    def comparison(self, node: Any) -> Any:
        """Return a comparison, chained ones too."""
        result: Any = True
        left = self.value(node.left)
        for relation, right_node in zip(node.ops, node.comparators, strict=True):
            if isinstance(relation, ast.In | ast.NotIn):
                within = self._within(left, right_node)
                holds = ~within if isinstance(relation, ast.NotIn) else within
                right: Any = None
            else:
                compare = _COMPARISONS.get(type(relation))
                if compare is None:
                    raise _refused("Of comparisons, only < <= > >= == != in are allowed.")
                right = self.value(right_node)
                _same_kind(left, right)
                holds = compare(left, right)
            result = np.logical_and(result, holds)
            left = right
        return result

    def call(self, node: Any) -> Any:
        """Return what one of the functions gives."""
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name not in FUNCTIONS or node.keywords:
            raise _refused(f"Only {', '.join(sorted(FUNCTIONS))} can be called.")
        function, count = FUNCTIONS[name]
        if len(node.args) != count:
            raise _refused(f"{name}() takes {count} argument{'s' if count > 1 else ''}.")
        first = self.value if name == "contains" else self._number
        return function(first(node.args[0]), *(self.value(one) for one in node.args[1:]))

    def _within(self, left: Any, node: ast.AST) -> NDArray[np.bool_]:
        """Say where a column is one of some values, in brackets."""
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            raise _refused("After 'in' come values in brackets, e.g. label in [3, 17].")
        values = [self.value(one) for one in node.elts]
        if any(np.ndim(value) for value in values):
            raise _refused("The brackets after 'in' hold numbers or texts.")
        return np.isin(np.asarray(left), np.asarray(values, np.asarray(left).dtype))

    def _number(self, node: ast.AST) -> Any:
        """Return a value that can be reckoned with."""
        value = self.value(node)
        if np.asarray(value).dtype.kind not in "fb":
            raise _refused(f"'{ast.unparse(node)}' is a text, not a number.")
        return value

    def _truth(self, node: ast.AST) -> Any:
        """Return a value that holds or does not."""
        value = np.asarray(self.value(node))
        if value.dtype == object and all(isinstance(one, bool | np.bool_) for one in value.flat):
            value = value.astype(bool)
        if value.dtype != bool:
            raise _refused(f"'{ast.unparse(node)}' is a value, not something that holds or not.")
        return value


def _same_kind(left: Any, right: Any) -> None:
    """Refuse to compare texts with numbers, which Python would quietly call unequal."""
    text = [np.asarray(side).dtype.kind in "OUST" for side in (left, right)]
    if text[0] != text[1]:
        raise _refused("A text is compared with a number; put quotes around texts alone.")


_NODES: dict[type[ast.AST], Callable[[_Reader, Any], Any]] = {
    ast.Constant: _Reader.constant,
    ast.Name: _Reader.name,
    ast.BinOp: _Reader.operation,
    ast.UnaryOp: _Reader.unary,
    ast.BoolOp: _Reader.logic,
    ast.Compare: _Reader.comparison,
    ast.Call: _Reader.call,
}
