"""The keywords of the main job, named once for all functions that take them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypedDict, TypeVar

from napari_sem_tools.settings import Settings

__all__ = ["Wishes", "takes_wishes"]

_P = ParamSpec("_P")
_Result = TypeVar("_Result")


class Wishes(TypedDict, total=False):
    """What can be wished of an analysis; `analyze` says what each keyword does."""

    method: str | None
    settings: Settings | dict[str, Any] | None
    measure_settings: Settings | dict[str, Any] | None
    statistics_settings: Settings | dict[str, Any] | None
    page: int | str | None
    pixel_size: float | tuple[float, float] | None
    width: float | str | None
    roi: Any
    roi_exclude: Any
    exports: str | Iterable[str] | None
    limit: int | None
    workers: int | None
    shard: str | tuple[int, int] | None


def takes_wishes(function: Callable[_P, _Result]) -> Callable[_P, _Result]:
    """Name the wishes among the keywords of a function, for help and completion.

    Parameters
    ----------
    function : callable
        With ``**wishes``.

    Returns
    -------
    callable
        The function; keywords that are no wish are refused as Python refuses them.

    Examples
    --------
    >>> @takes_wishes
    ... def run(inputs, **wishes):
    ...     return sorted(wishes)
    >>> run("a.tif", page=2)
    ['page']
    >>> "pixel_size" in str(inspect.signature(run))
    True
    """
    plain = inspect.signature(function)
    own = [p for p in plain.parameters.values() if p.kind is not p.VAR_KEYWORD]
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in Wishes.__annotations__.items()
    ]
    first = sum(p.kind is not p.KEYWORD_ONLY for p in own)
    signature = plain.replace(parameters=[*own[:first], *named, *own[first:]])

    @functools.wraps(function)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _Result:
        signature.bind(*args, **kwargs)
        return function(*args, **kwargs)

    checked.__signature__ = signature  # type: ignore[attr-defined]
    return checked
