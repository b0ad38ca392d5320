"""Answers of a classification in words; no Qt here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["answer_text", "chances_of", "headline", "lesson_text", "percent", "short_answer"]

_SHORT = {
    "category": "",
    "two of these": "unsure",
    "patches disagree": "mixed",
    "none of these": "none of these",
    "no micrograph": "no micrograph",
}
_MOST_NAMED = 4
_CHANCE = "p "


def percent(value: Any) -> str:
    """Write a probability; certainty is never claimed.

    Examples
    --------
    >>> percent(0.874), percent(0.9996), percent(None)
    ('87 %', '> 99 %', '')
    """
    if value is None or value != value:
        return ""
    return "> 99 %" if value > 0.995 else f"{100 * value:.0f} %"


def short_answer(answer: Any) -> str:
    """Write an answer in the width of a column; empty when there is no doubt."""
    return _SHORT.get(str(answer or ""), str(answer or ""))


def chances_of(row: Mapping[str, Any]) -> list[tuple[str, float]]:
    """List the categories of a row with their probabilities, the likeliest first.

    Examples
    --------
    >>> chances_of({"p wires": 0.2, "p films": 0.8, "answer": "category"})
    [('films', 0.8), ('wires', 0.2)]
    """
    found = [
        (str(name).removeprefix(_CHANCE), float(value))
        for name, value in row.items()
        if str(name).startswith(_CHANCE) and value == value and value is not None
    ]
    return sorted(found, key=lambda one: -one[1])


def headline(row: Mapping[str, Any]) -> str:
    """Say in two or three words what an image is.

    Examples
    --------
    >>> headline({"answer": "category", "category": "wires"})
    'wires'
    >>> headline({"answer": "two of these", "possible": ("wires", "fibres"), "category": "wires"})
    'wires or fibres'
    """
    possible = list(row.get("possible") or ())
    if row.get("answer") == "two of these" and 1 < len(possible) <= _MOST_NAMED:
        return _joined(possible, "or")
    return str(row.get("category") or "") or str(row.get("answer") or "").capitalize()


def answer_text(row: Mapping[str, Any]) -> str:
    """Say in sentences what was found, how sure it is, and what speaks against it.

    Parameters
    ----------
    row : mapping
        As `napari_sem_tools.classify` has it.

    Examples
    --------
    >>> answer_text({"answer": "category", "category": "wires", "confidence": 0.9,
    ...              "possible": ("wires",), "nearest": "a/b.tif"})
    'One category fits, with 90 %. The most alike example is b.tif.'
    """
    if row.get("error"):
        return str(row["error"])
    said = _SENTENCES.get(str(row.get("answer") or ""))
    parts = [said(row)] if said is not None else []
    nearest = str(row.get("nearest") or "")
    if nearest and row.get("answer") != "no micrograph":
        parts.append(f"The most alike example is {Path(nearest).name}.")
    return " ".join(parts)


def _one(row: Mapping[str, Any]) -> str:
    """Name the confidence, and what else cannot be ruled out."""
    others = [name for name in row.get("possible") or () if name != row.get("category")]
    sure = percent(row.get("confidence"))
    if not others:
        return f"One category fits, with {sure}."
    return f"The likeliest, with {sure}; it may also be {_joined(others, 'or')}."


def _two(row: Mapping[str, Any]) -> str:
    """Name what cannot be told apart."""
    possible = list(row.get("possible") or ())
    number = "Two" if len(possible) == 2 else "Several"
    return (
        f"{number} of these: {_joined(possible, 'and')} fit; "
        f"{row.get('category')} has {percent(row.get('confidence'))}."
    )


def _mixed(row: Mapping[str, Any]) -> str:
    """Say that parts of the image differ."""
    chances = dict(chances_of(row))
    likeliest = row.get("category") or next(iter(chances), "")
    return (
        "Patches disagree: parts of the image look like different categories; as a whole it is "
        f"nearest to {likeliest}."
    )


def _none(row: Mapping[str, Any]) -> str:
    """Say that it is far from all examples."""
    return (
        "None of these: it is further from all examples than they are from each other. Were it "
        f"one of them, it would be {next(iter(chances_of(row)), ('', 0))[0]}."
    )


def _no_micrograph(row: Mapping[str, Any]) -> str:
    """Say why it is no micrograph."""
    reason = str(row.get("reason") or "")
    return f"No micrograph: {reason}." if reason else "It does not look like a micrograph."


_SENTENCES = {
    "category": _one,
    "two of these": _two,
    "patches disagree": _mixed,
    "none of these": _none,
    "no micrograph": _no_micrograph,
}


def _joined(names: Sequence[str], word: str) -> str:
    """Join names as in a sentence.

    Examples
    --------
    >>> _joined(["a", "b", "c"], "or")
    'a, b or c'
    """
    shown = list(names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        shown.append(f"{len(names) - _MOST_NAMED} more")
    return f" {word} ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def lesson_text(report: Mapping[str, float], head: str, examples: int) -> str:
    """Say what left-out examples said about taught categories.

    Examples
    --------
    >>> lesson_text({"accuracy": 0.9}, "prototypes", 20)
    'Of 20 examples, each judged without itself, 90 % are named right (by prototypes).'
    """
    return (
        f"Of {examples} examples, each judged without itself, {100 * report['accuracy']:.0f} % "
        f"are named right (by {head})."
    )
