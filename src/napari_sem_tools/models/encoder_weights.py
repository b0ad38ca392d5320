"""Encoders that have seen other images already: ImageNet, MicroNet, or a lab's own.

Given by address and SHA-256, loaded through `download.fetch`, read as safetensors or, in a
process of its own, as a state dict of torch.  Either all of the encoder fits, or nothing is
changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_sem_tools.errors import MissingExtra, ModelNotFound, UntrustedModel
from napari_sem_tools.models.card import MAX_WEIGHTS_BYTES
from napari_sem_tools.models.download import fetch
from napari_sem_tools.models.pickles import converted
from napari_sem_tools.models.weights import open_regular, read_header
from napari_sem_tools.tasks import Cancel, Progress

__all__ = [
    "EncoderReport",
    "downloads",
    "load_encoder_file",
    "load_encoder_weights",
    "read_tensors",
]

_WRAPPERS = ("module.", "encoder.", "backbone.", "model.")
_HEADS = ("fc", "classifier", "head", "last_linear", "logits")
_COUNTER = "num_batches_tracked"  # absent in old files, and of no use to a fixed momentum
_COLOURS = 3
_MOST_NAMED = 3


@dataclasses.dataclass(frozen=True)
class EncoderReport:
    """What became of the tensors of a file.

    Attributes
    ----------
    loaded : int
        Tensors of the encoder that were set.
    adapted : str
        The first convolution, where its colours were added up to the network's channels;
        empty when nothing was changed.
    left_out : tuple of str
        Tensors of the file that the encoder has no place for, e.g. its classifier.
    untouched : tuple of str
        Tensors of the network's head that keep their first values.
    """

    loaded: int
    adapted: str
    left_out: tuple[str, ...]
    untouched: tuple[str, ...]

    def __str__(self) -> str:
        """Return the report as one sentence."""
        parts = [f"{self.loaded} tensors of the encoder were loaded"]
        if self.adapted:
            parts.append(f"the colours of {self.adapted} were added up")
        if self.left_out:
            parts.append(f"left out: {_listed(self.left_out)}")
        if self.untouched:
            parts.append(f"not in the file: {_listed(self.untouched)}")
        return "; ".join(parts) + "."


def load_encoder_weights(
    network: Any,
    url: str,
    sha256: str,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> EncoderReport:
    """Give the encoder of a network weights from the web.

    Parameters
    ----------
    network : torch.nn.Module
        Its ``encoder`` is filled, or the network itself where it has none (a ResNet, a
        backbone of timm).
    url : str
        A safetensors file, or a state dict saved by torch.
    sha256 : str
        Of the file; there is no way without.
    folder : Path, optional
        Where the file is kept; by default the user's cache.
    progress, cancel : callable, optional
        Of the download.

    Returns
    -------
    EncoderReport

    Raises
    ------
    UntrustedModel
        Another file than the hash says, one that wants to run code, or one that does not
        fit: nothing of the network was changed.
    ModelNotFound
        There is no connection, or no such file.
    MissingExtra
        torch or safetensors is not installed.

    Notes
    -----
    Names may begin with ``module.``, ``encoder.``, ``backbone.`` or ``model.``.  A first
    convolution for three colours is added up for one grey channel, which answers a grey
    image as the original answers the same image in three equal colours.

    References
    ----------
    .. [1] J. Stuckner, B. Harder, T. M. Smith, "Microstructure segmentation with deep
           learning encoders pre-trained on a large microscopy dataset" (MicroNet),
           npj Comput. Mater. 8, 200 (2022).
    """
    path = fetch(url, sha256, folder=folder or downloads(), progress=progress, cancel=cancel)
    found = read_tensors(path, sha256, cancel)
    encoder = getattr(network, "encoder", network)
    return _fill(encoder, found, url)


def load_encoder_file(
    network: Any, path: str | Path, sha256: str = "", *, cancel: Cancel | None = None
) -> EncoderReport:
    """Give the encoder of a network weights from a file.

    Parameters
    ----------
    network : torch.nn.Module
        As for `load_encoder_weights`.
    path : path-like
        A safetensors file, or a state dict saved by torch.
    sha256 : str
        Of the file, where it is known; another file is refused then.
    cancel : callable, optional

    Returns
    -------
    EncoderReport

    Raises
    ------
    ModelNotFound
        There is no such file.
    UntrustedModel
        As `load_encoder_weights`.
    """
    place = Path(path)
    if not place.is_file():
        raise ModelNotFound(f"There is no file of weights {place}.", hint="Check the path.")
    found = read_tensors(place, sha256, cancel)
    return _fill(getattr(network, "encoder", network), found, place.name)


def downloads() -> Path:
    """Return the folder of the user's downloads.

    Returns
    -------
    Path
    """
    import platformdirs

    return platformdirs.user_cache_path("napari-sem-tools", appauthor=False) / "encoders"


def read_tensors(path: Path, sha256: str = "", cancel: Cancel | None = None) -> dict[str, Any]:
    """Read the tensors of a file; what is read is what was checked.

    Parameters
    ----------
    path : Path
        A safetensors file, or a state dict saved by torch.
    sha256 : str
        Of the file, where it is known.
    cancel : callable, optional

    Returns
    -------
    dict of str to torch.Tensor

    Raises
    ------
    UntrustedModel, MissingExtra
        As `load_encoder_weights`.
    """
    with open_regular(path, max_bytes=MAX_WEIGHTS_BYTES) as file:
        data = file.read()
    if sha256 and hashlib.sha256(data).hexdigest() != sha256.lower().removeprefix("sha256:"):
        raise UntrustedModel(
            f"{path} is not the file of this SHA-256.", hint="Get it again, or check the digits."
        )
    if data[8:9] != b"{":  # a safetensors file has its header there
        data = converted(path, cancel=cancel)
    read_header(data)
    try:
        from safetensors.torch import load
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"Weights of an encoder need {error.name}, which is not installed.", extra="torch"
        ) from error
    return dict(load(data))


def _fill(encoder: Any, found: Mapping[str, Any], url: str) -> EncoderReport:
    """Set all tensors of the encoder, or none."""
    expected = encoder.state_dict()
    sources = _unique({name: _plain(name) for name in found}, url)
    pairs = {name: sources.get(_plain(name)) for name in expected}
    values = {name: found[source] for name, source in pairs.items() if source is not None}
    adapted = next((n for n, value in values.items() if _is_colour(value, expected[n])), "")
    if adapted:
        values[adapted] = values[adapted].float().sum(1, keepdim=True)
    ready = {n: v.to(expected[n].dtype) for n, v in values.items() if v.shape == expected[n].shape}
    lost = [name for name in expected if name not in ready and not name.endswith(_COUNTER)]
    untouched = tuple(name for name in lost if _is_head(name))
    missing = [name for name in lost if name not in values and name not in untouched]
    wrong = [
        f"{name} {tuple(values[name].shape)} for {tuple(expected[name].shape)}"
        for name in lost
        if name in values and name not in untouched
    ]
    if missing or wrong or not ready:
        raise _misfit(url, len(expected), missing, wrong)
    _module().load_state_dict(encoder, ready, strict=False)  # smp's own take no `strict`
    used = {pairs[name] for name in ready}
    left_out = tuple(sorted(name for name in found if name not in used))
    return EncoderReport(len(ready), adapted, left_out, untouched)


def _module() -> Any:
    """Return torch's class of all networks."""
    from torch import nn

    return nn.Module


def _plain(name: str) -> str:
    """Return a name without wrappers and without what timm changes in a pyramid."""
    while name.startswith(_WRAPPERS):
        name = name.partition(".")[2]
    return name.replace(".", "_")


def _unique(plain: Mapping[str, str], url: str) -> dict[str, str]:
    """Index names by their plain form, which must be theirs alone."""
    found = {short: name for name, short in plain.items()}
    if len(found) < len(plain):
        raise UntrustedModel(f"The weights at {url[:120]} hold two encoders.")
    return found


def _is_head(name: str) -> bool:
    """Tell whether a tensor belongs to the classifier, which the encoder does not need."""
    return name.partition(".")[0] in _HEADS


def _is_colour(value: Any, like: Any) -> bool:
    """Tell whether this is a convolution of three colours where the network sees one channel."""
    if not value.ndim == like.ndim == 4:
        return False
    around = value.shape[0] == like.shape[0] and value.shape[2:] == like.shape[2:]
    return bool(around and (value.shape[1], like.shape[1]) == (_COLOURS, 1))


def _misfit(url: str, count: int, missing: list[str], wrong: list[str]) -> UntrustedModel:
    """Say how the file and the encoder differ."""
    parts = []
    if missing:
        parts.append(f"{len(missing)} of its {count} tensors are not there ({_listed(missing)})")
    if wrong:
        parts.append(f"{len(wrong)} have another shape ({_listed(wrong)})")
    words = ", ".join(parts) or "none of its tensors is there"
    return UntrustedModel(
        f"The weights at {url[:80]} do not fit the encoder: {words}.",
        hint="Choose the encoder that the weights were trained with; nothing was changed.",
    )


def _listed(names: list[str] | tuple[str, ...]) -> str:
    """Name the first few."""
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return ", ".join(name[:60] for name in names[:_MOST_NAMED]) + more
