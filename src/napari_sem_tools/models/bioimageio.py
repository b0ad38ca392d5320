"""Model packages of bioimage.io, in and out, without running what they bring.

A package is a zip with ``rdf.yaml`` (format 0.5 [1]_) and the weights.  Ours carry our own
card and the safetensors file beside the torch weights that other programs read, and come
back as they went.  Of a stranger's package only tensors for an architecture that we know
by name are taken: Python files, TorchScript, Keras and ONNX are programs.

References
----------
.. [1] bioimage.io, model description 0.5, https://bioimage-io.github.io/spec-bioimage-io
"""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any, BinaryIO

from napari_sem_tools.errors import InvalidSettings, MissingExtra, UntrustedModel
from napari_sem_tools.models.archive import Archive, write_archive
from napari_sem_tools.models.card import (
    MAX_WEIGHTS_BYTES,
    InputSpec,
    ModelCard,
    OutputChannel,
    TrainingData,
    WeightsFile,
)
from napari_sem_tools.models.store import Store
from napari_sem_tools.models.weights import describe
from napari_sem_tools.tasks import Cancel, Progress

__all__ = ["description", "export_package", "import_package"]

FORMAT = "0.5.4"
_DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")
_OURS = "napari_sem_tools"
_MAX_BYTES = 1024**2
_MAX_DEPTH = 24
_TORCH_WEIGHTS = "weights.pt"
_README = "README.md"
_BUILDER = ("napari_sem_tools.models.architectures", "build")
_LIBRARIES = {"segmentation_models_pytorch": "smp", "timm": "timm"}
_WITH_MAPS = ("segmentation", "generator")  # the answer has the size of the image
_AFTER: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "sigmoid": [{"id": "sigmoid"}],
    "softmax": [{"id": "softmax", "kwargs": {"axis": "channel"}}],
    "relu": [{"id": "clip", "kwargs": {"min": 0.0}}],
}


def export_package(card: ModelCard, weights: Path, path: Path, *, overwrite: bool = False) -> Path:
    """Write a model as a bioimage.io package.

    Parameters
    ----------
    card : ModelCard
    weights : Path
        Its safetensors file, verified.
    path : Path
        The zip to write.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path

    Raises
    ------
    MissingExtra
        PyYAML or torch is not installed.
    InvalidSettings
        The model does something that the format cannot say.
    """
    yaml = _yaml()
    tensors = _as_torch(weights)
    version = tensors[1]
    readme = _readme(card).encode()
    sums = {
        _TORCH_WEIGHTS: hashlib.sha256(tensors[0]).hexdigest(),
        _README: hashlib.sha256(readme).hexdigest(),
    }
    plain = json.loads(json.dumps(description(card, sums, version)))  # no object twice: no aliases
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    contents: dict[str, bytes | Path] = {
        "rdf.yaml": text.encode(),
        _README: readme,
        _TORCH_WEIGHTS: tensors[0],
        card.weights.file: weights,
    }
    return write_archive(path, contents, overwrite=overwrite)


def description(card: ModelCard, sums: dict[str, str], torch_version: str) -> dict[str, Any]:
    """Return the description of a model in the words of bioimage.io.

    Parameters
    ----------
    card : ModelCard
    sums : dict of str
        SHA-256 of the torch weights and of the text, by file name.
    torch_version : str

    Returns
    -------
    dict
        Ready for ``rdf.yaml``.
    """
    module, builder = _BUILDER
    found: dict[str, Any] = {
        "type": "model",
        "format_version": FORMAT,
        "name": f"{card.name} ({card.task})",
        "version": card.version,
        "description": card.description[:1000] or f"{card.task} of electron micrographs",
        "documentation": {"source": _README, "sha256": sums[_README]},
        "tags": ["electron-microscopy", card.task],
        "timestamp": f"{card.created}T00:00:00+00:00",
        "inputs": [_input(card)],
        "outputs": [_output(card)],
        "weights": {
            "pytorch_state_dict": {
                "source": _TORCH_WEIGHTS,
                "sha256": sums[_TORCH_WEIGHTS],
                "pytorch_version": torch_version,
                "architecture": {
                    "import_from": module,
                    "callable": builder,
                    "kwargs": {"architecture": card.architecture, **card.arguments},
                },
            }
        },
        "attachments": [{"source": card.weights.file, "sha256": card.weights.sha256}],
        "config": {_OURS: {"card": json.loads(card.to_json())}},
    }
    if re.fullmatch(r"[A-Za-z0-9.+-]+", card.licence):
        found["license"] = card.licence
    return found


def import_package(
    store: Store,
    archive: Archive,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> ModelCard:
    """Keep the model of a bioimage.io package.

    Parameters
    ----------
    store : Store
    archive : Archive
    progress, cancel : callable, optional

    Returns
    -------
    ModelCard

    Raises
    ------
    UntrustedModel
        It needs code of its own, or its weights are not what it says.
    MissingExtra
        PyYAML, or torch for weights of others, is not installed.
    """
    name = next((n for n in _DESCRIPTIONS if n in archive.names), None)
    if name is None:
        raise UntrustedModel(f"{archive.path} holds neither card.json nor rdf.yaml.")
    rdf = _parse(archive.read(name, max_bytes=_MAX_BYTES), archive.path)
    ours = _at(rdf, "config", _OURS, "card")
    if ours is not None:
        card = ModelCard.from_dict(ours)
        if card.weights.file in archive.names:
            return store.add(card, _copy(archive, card.weights), progress=progress).card
    entry = _foreign_weights(rdf, archive.path)
    data = _foreign_tensors(archive, entry, cancel)
    card = _foreign_card(rdf, entry, describe(data), archive.path)
    return store.add(card, lambda out: out.write(data), progress=progress, cancel=cancel).card


def _copy(archive: Archive, weights: WeightsFile) -> Any:
    """Return a function that writes the weights of the archive into an open file."""

    def write(out: BinaryIO) -> None:
        for piece in archive.chunks(weights.file, max_bytes=weights.size_bytes):
            out.write(piece)

    return write


def _input(card: ModelCard) -> dict[str, Any]:
    """Describe the image the network wants."""
    spec = card.input
    least = max(spec.multiple_of, -(-(2 * spec.halo_px + 1) // spec.multiple_of) * spec.multiple_of)
    size = {"min": least, "step": spec.multiple_of}
    space: dict[str, Any] = {"type": "space", "size": size}
    if spec.pixel_size_nm is not None:
        space |= {"unit": "nanometer", "scale": spec.pixel_size_nm}
    before: list[dict[str, Any]] = []
    if spec.normalisation != "none":
        limits = {"min_percentile": spec.clip_low_percent, "max_percentile": spec.clip_high_percent}
        before.append({"id": "scale_range", "kwargs": {"axes": ["channel", "y", "x"], **limits}})
        before.append({"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}})
    if spec.normalisation == "standard":
        axes = ["channel", "y", "x"]
        before.append({"id": "zero_mean_unit_variance", "kwargs": {"axes": axes}})
    if spec.normalisation == "fixed":
        values = {"mean": spec.mean, "std": spec.standard_deviation}
        before.append({"id": "fixed_zero_mean_unit_variance", "kwargs": values})
    names = [f"channel{i}" for i in range(spec.channels)] if spec.channels > 1 else ["intensity"]
    return {
        "id": "image",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": names},
            {"id": "y", **space},
            {"id": "x", **space},
        ],
        "data": {"type": "float32"},
        "preprocessing": before,
    }


def _output(card: ModelCard) -> dict[str, Any]:
    """Describe the maps or numbers that come out."""
    if not card.outputs:
        raise InvalidSettings(f"{card.key} names no outputs, which bioimage.io asks for.")
    kinds = {channel.activation for channel in card.outputs}
    if len(kinds) > 1 or not kinds <= set(_AFTER):
        raise InvalidSettings(
            f"{card.key} ends in {' and '.join(sorted(kinds))}, which bioimage.io cannot say."
        )
    names = [re.sub(r"\W+", "_", channel.name) for channel in card.outputs]
    axes: list[dict[str, Any]] = [
        {"type": "batch"},
        {"type": "channel", "channel_names": names},
    ]
    if card.task in _WITH_MAPS:
        unit = {} if card.input.pixel_size_nm is None else {"unit": "nanometer"}
        scale = {} if card.input.pixel_size_nm is None else {"scale": card.input.pixel_size_nm}
        halo = {"halo": card.input.halo_px} if card.input.halo_px else {}
        axes += [
            {
                "type": "space",
                "id": axis,
                "size": {"tensor_id": "image", "axis_id": axis},
                **unit,
                **scale,
                **halo,
            }
            for axis in "yx"
        ]
    return {
        "id": "maps",
        "description": "; ".join(f"{c.name}: {c.meaning}" for c in card.outputs)[:1000],
        "axes": axes,
        "data": {"type": "float32"},
        "postprocessing": _AFTER[kinds.pop()],
    }


def _readme(card: ModelCard) -> str:
    """Return the page that bioimage.io shows."""
    data = [f"- {d.name} ({d.licence}) {d.source}".rstrip() for d in card.training_data]
    scores = [f"- {s.metric} = {s.value:g} on {s.data_set}, {s.split}" for s in card.scores]
    parts = [f"# {card.key}", card.description, "## Training data", *(data or ["Not stated."])]
    return "\n\n".join([*parts, "## Validation", *(scores or ["Not stated."])]) + "\n"


def _as_torch(weights: Path) -> tuple[bytes, str]:
    """Return a safetensors file as torch saves a state dict, and the version of torch."""
    try:
        import safetensors.torch
        import torch
    except (ImportError, OSError) as error:
        raise MissingExtra(
            "A package for other programs is written with torch.", extra="bioimageio"
        ) from error
    out = io.BytesIO()
    torch.save(safetensors.torch.load_file(weights), out)
    return out.getvalue(), str(torch.__version__).partition("+")[0]


def _yaml() -> Any:
    """Return the YAML library."""
    try:
        import yaml
    except ImportError as error:
        raise MissingExtra(
            "Packages of bioimage.io are read and written with PyYAML.", extra="bioimageio"
        ) from error
    return yaml


def _parse(text: bytes, path: Path) -> dict[str, Any]:
    """Parse ``rdf.yaml`` of a stranger: no aliases, which multiply, and no depth."""
    yaml = _yaml()
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            starts = isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent)
            depth += starts - isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent)
            if depth > _MAX_DEPTH or isinstance(event, yaml.AliasEvent):
                raise UntrustedModel(f"The description in {path} is nested or repeats itself.")
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UntrustedModel(f"The description in {path} is not valid YAML.") from error
    if not isinstance(found, dict) or found.get("type") != "model":
        raise UntrustedModel(f"{path} does not describe a model.")
    if not str(found.get("format_version", "")).startswith("0.5."):
        raise UntrustedModel(
            f"{path} has format {str(found.get('format_version'))[:20]}; 0.5 is read.",
            hint="Bring it to format 0.5 with bioimageio.core.",
        )
    return found


def _at(values: Any, *names: str | int) -> Any:
    """Follow names into nested values; None where there is nothing."""
    for name in names:
        if isinstance(name, int):
            values = values[name] if isinstance(values, list) and len(values) > name else None
        else:
            values = values.get(name) if isinstance(values, dict) else None
    return values


def _foreign_weights(rdf: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the entry of weights that can be taken without running code."""
    entry = _at(rdf, "weights", "pytorch_state_dict")
    if not isinstance(entry, dict):
        kinds = ", ".join(sorted(map(str, rdf.get("weights") or {})))[:80]
        raise UntrustedModel(
            f"{path} has weights as {kinds or 'nothing'} alone, which are programs.",
            hint="Ask for pytorch_state_dict weights.",
        )
    if _at(entry, "architecture", "import_from") not in _LIBRARIES:
        raise UntrustedModel(
            f"{path} brings its network as Python code, which is never run.",
            hint="Known: networks of " + " and ".join(_LIBRARIES) + ".",
        )
    return entry


def _foreign_tensors(archive: Archive, entry: dict[str, Any], cancel: Cancel | None) -> bytes:
    """Convert the torch weights of a package, after comparing their hash."""
    import tempfile

    from napari_sem_tools.files import write_file
    from napari_sem_tools.models.pickles import converted

    data = archive.read(str(entry.get("source")), max_bytes=MAX_WEIGHTS_BYTES)
    if hashlib.sha256(data).hexdigest() != str(entry.get("sha256")):
        raise UntrustedModel(f"The weights in {archive.path} do not match their SHA-256.")
    with tempfile.TemporaryDirectory() as folder:
        return converted(write_file(Path(folder, _TORCH_WEIGHTS), data), cancel=cancel)


def _foreign_card(
    rdf: dict[str, Any], entry: dict[str, Any], weights: WeightsFile, path: Path
) -> ModelCard:
    """Say in our words what a stranger's description says."""
    architecture = entry["architecture"]
    library = _LIBRARIES[architecture["import_from"]]
    output = _at(rdf, "outputs", 0) or {}
    after = [str(_at(step, "id")) for step in output.get("postprocessing") or []]
    activation = next((kind for kind in after if kind in ("sigmoid", "softmax")), "none")
    data = _at(rdf, "training_data", "id")
    version = str(rdf.get("version", ""))
    created = rdf.get("timestamp")
    when = created if isinstance(created, datetime.date) else datetime.date.today()
    return ModelCard(
        name=re.sub(r"[^a-z0-9]+", "-", str(rdf.get("name", "")).lower())[:60].strip("-"),
        version=version if re.fullmatch(r"\d+\.\d+\.\d+", version) else "1.0.0",
        task="segmentation",
        architecture=f"{library}:{architecture.get('callable')}",
        arguments=architecture.get("kwargs") or {},
        weights=weights,
        input=_foreign_input(rdf, path),
        outputs=tuple(
            OutputChannel(name, "", activation)  # type: ignore[arg-type]
            for name in _channel_names(output)
        ),
        licence=str(rdf.get("license") or "unknown"),
        training_data=(TrainingData(str(data), "unknown"),) if data else (),
        description=str(rdf.get("description") or ""),
        created=f"{when:%Y-%m-%d}",
    )


def _foreign_input(rdf: dict[str, Any], path: Path) -> InputSpec:
    """Read channels, sizes and the preparation of the image."""
    tensor = _at(rdf, "inputs", 0) or {}
    values: dict[str, Any] = {"channels": max(1, len(_channel_names(tensor)))}
    values["normalisation"] = "none"
    for step in tensor.get("preprocessing") or []:
        what, how = _at(step, "id"), _at(step, "kwargs") or {}
        if what == "scale_range":
            values["normalisation"] = "range"
            values["clip_low_percent"] = float(how.get("min_percentile", 0.0))
            values["clip_high_percent"] = float(how.get("max_percentile", 100.0))
        elif what == "zero_mean_unit_variance":
            values["normalisation"] = "standard"
        elif what not in ("ensure_dtype", "clip"):
            raise UntrustedModel(
                f"{path} prepares its images by {str(what)[:40]!r}, which is not known here."
            )
    space = [a for a in tensor.get("axes") or [] if _at(a, "type") == "space"]
    steps = [_at(axis, "size", "step") for axis in space]
    values["multiple_of"] = max([step for step in steps if isinstance(step, int)] or [1])
    halos = [_at(axis, "halo") for axis in _at(rdf, "outputs", 0, "axes") or []]
    values["halo_px"] = max([halo for halo in halos if isinstance(halo, int)] or [0])
    return InputSpec.from_dict(values)


def _channel_names(tensor: dict[str, Any]) -> list[str]:
    """Return the names of a tensor's channels."""
    for axis in tensor.get("axes") or []:
        if _at(axis, "type") == "channel":
            return [str(name) for name in _at(axis, "channel_names") or []]
    return []
