"""A model's card as a person reads it; no Qt here, and nothing of a card is trusted."""

from __future__ import annotations

import html
from collections.abc import Iterable

from napari_sem_tools.models.card import InputSpec, ModelCard, Score
from napari_sem_tools.models.store import Entry

__all__ = ["ORIGINS", "card_html", "readable_size", "score_text"]

ORIGINS = {"packaged": "with the suite", "user": "yours", "shared": "shared folder"}
_NORMALISATION = {
    "range": "scaled so that the clip limits are 0 and 1",
    "standard": "zero mean, unit standard deviation",
    "fixed": "scaled, then by fixed mean and deviation",
    "none": "as they are",
}
_STEP = 1024


def readable_size(size_bytes: int) -> str:
    """Return a size with three digits and its unit.

    Parameters
    ----------
    size_bytes : int

    Returns
    -------
    str

    Examples
    --------
    >>> readable_size(0), readable_size(2_500_000)
    ('0 B', '2.38 MiB')
    """
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB"):
        if size < _STEP:
            return f"{size:.3g} {unit}"
        size /= _STEP
    return f"{size:.3g} GiB"


def score_text(score: Score) -> str:
    """Return a score with its interval, data set and split.

    Parameters
    ----------
    score : Score

    Returns
    -------
    str

    Examples
    --------
    >>> score_text(Score("AP@0.5", 0.81, "emps", "test", 0.78, 0.84))
    'AP@0.5 = 0.81 [0.78, 0.84] on emps, test'
    """
    interval = (
        "" if score.low is None or score.high is None else f" [{score.low:g}, {score.high:g}]"
    )
    return f"{score.metric} = {score.value:g}{interval} on {score.data_set}, {score.split}"


def card_html(entry: Entry) -> str:
    """Return the card of a model as HTML without colours, every text of it escaped.

    Parameters
    ----------
    entry : Entry

    Returns
    -------
    str
    """
    card = entry.card
    rows = [
        ("Task", card.task),
        ("Network", card.architecture),
        ("Input", _input(card.input)),
        ("Learned from", _trained(card.input)),
        ("Outputs", _lines(_output(card, n) for n in range(len(card.outputs)))),
        ("Classes", _lines(html.escape(one.name) for one in card.classes)),
        ("Licence", card.licence),
        ("Training data", _lines(_data(card, n) for n in range(len(card.training_data)))),
        ("Scores", _lines(html.escape(score_text(score)) for score in card.scores)),
        ("Made", f"{card.created} {card.code_version and 'with version ' + card.code_version}"),
        ("Weights", f"{readable_size(card.weights.size_bytes)}, SHA-256 {card.weights.sha256}"),
        ("Lies in", str(entry.folder)),
    ]
    ready = {"Outputs", "Classes", "Training data", "Scores"}  # escaped line by line
    body = "".join(
        f"<tr><td><b>{name}</b>&nbsp;</td>"
        f"<td>{text if name in ready else html.escape(text)}</td></tr>"
        for name, text in rows
        if text.strip()
    )
    described = f"<p>{html.escape(card.description)}</p>" if card.description else ""
    return f"<h3>{html.escape(card.key)}</h3>{described}<table cellspacing='3'>{body}</table>"


def _lines(texts: Iterable[str]) -> str:
    """Put escaped texts below each other."""
    return "<br>".join(texts)


def _input(spec: InputSpec) -> str:
    """Say what the network is given."""
    channels = "1 channel" if spec.channels == 1 else f"{spec.channels} channels"
    clip = (
        ""
        if (spec.clip_low_percent, spec.clip_high_percent) == (0, 100)
        else f", clipped at {spec.clip_low_percent:g} and {spec.clip_high_percent:g} %"
    )
    return f"{channels}, grey values {_NORMALISATION[spec.normalisation]}{clip}"


def _trained(spec: InputSpec) -> str:
    """Say at which pixel and object size the network learned."""
    parts = []
    if spec.object_size_px is not None:
        parts.append(f"objects of about {spec.object_size_px:g} px")
    if spec.pixel_size_nm is not None:
        parts.append(f"pixels of {spec.pixel_size_nm:g} nm")
    return ", ".join(parts)


def _output(card: ModelCard, number: int) -> str:
    """Return name and meaning of an output channel, escaped."""
    channel = card.outputs[number]
    return html.escape(f"{channel.name}: {channel.meaning}" if channel.meaning else channel.name)


def _data(card: ModelCard, number: int) -> str:
    """Return a data set with its licence, as a link where it is an address of the web."""
    data = card.training_data[number]
    name = html.escape(data.name)
    if data.source.startswith(("https://", "http://")):
        name = f'<a href="{html.escape(data.source, quote=True)}">{name}</a>'
    elif data.source:
        name = f"{name}, {html.escape(data.source)}"
    return f"{name} ({html.escape(data.licence)})"
