"""A folder of simulated scenes, rendered once and learned from many times."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidTrainingSet
from napari_sem_tools.files import write_file
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

if TYPE_CHECKING:
    from napari_sem_tools.simulation.training_scene import TrainingScene

__all__ = ["SceneFolder", "render_scenes", "write_scenes"]

_SHARD = 25  # scenes of a file: a few seconds of work, so that little is lost by a stop


def render_scenes(
    folder: Path,
    count: int,
    *,
    seed: int = 0,
    size_px: int = 512,
    jobs: int = 1,
    draw: Callable[..., TrainingScene] | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Path:
    """Render scenes into a folder; what is there already is kept, so a stop costs little.

    Parameters
    ----------
    folder : Path
    count : int
        Number of scenes, rounded up to whole files of 25.
    seed : int, optional
    size_px : int, optional
        Side of a scene.
    jobs : int, optional
        Processes.
    draw : callable, optional
        Instead of `training_scene`: ``draw((seed, number), size_px=size_px)``; processes
        must be able to import it.
    progress, cancel : callable, optional

    Returns
    -------
    Path
        The folder, with files ``scenes-NNNN.npz``.

    Raises
    ------
    Cancelled
        Whole files that were finished stay.
    """
    shards = range(-(-count // _SHARD))
    todo = [k for k in shards if not _shard_path(folder, k).exists()]
    report(progress, len(shards) - len(todo), len(shards), "rendering scenes")
    with ProcessPoolExecutor(jobs) as pool:
        runs = [pool.submit(_render, folder, seed, k, size_px, draw) for k in todo]
        for done, run in enumerate(as_completed(runs), start=len(shards) - len(todo) + 1):
            run.result()
            report(progress, done, len(shards), "rendering scenes")
            if cancel is not None and cancel():
                pool.shutdown(cancel_futures=True)
                stop_if_cancelled(cancel)
    return folder


def _shard_path(folder: Path, shard: int) -> Path:
    """Return the file of a shard."""
    return folder / f"scenes-{shard:04d}.npz"


def _render(
    folder: Path, seed: int, shard: int, size_px: int, draw: Callable[..., TrainingScene] | None
) -> None:
    """Render the scenes of one file."""
    from napari_sem_tools.simulation.training_scene import training_scene

    draw = draw or training_scene
    numbers = range(shard * _SHARD, (shard + 1) * _SHARD)
    scenes = [draw((seed, number), size_px=size_px) for number in numbers]
    write_scenes(
        _shard_path(folder, shard),
        [(scene.image, scene.labels, scene.ignore) for scene in scenes],
        [scene.recipe.to_dict() for scene in scenes],
    )


def write_scenes(
    path: Path, scenes: Sequence[tuple[Any, Any, Any]], recipes: Sequence[dict[str, Any]]
) -> None:
    """Write scenes into one file, with what is to be learned from them.

    Parameters
    ----------
    path : Path
        ``scenes-NNNN.npz`` of a folder.
    scenes : sequence of (uint8, int, bool) arrays (Y, X)
        Image, labels and what counts for nothing; all of one shape, at most 25.
    recipes : sequence of dict
        How each was made.
    """
    from napari_sem_tools.training.data.targets import separation_targets

    images, labels, ignores = zip(*scenes, strict=True)
    content = io.BytesIO()
    np.savez_compressed(
        content,
        images=np.stack(images),
        targets=np.stack([separation_targets(*p) for p in zip(labels, ignores, strict=True)]),
        labels=np.stack(labels),
        recipes=np.frombuffer(json.dumps(list(recipes)).encode(), np.uint8),
    )
    write_file(path, content.getvalue())


@dataclasses.dataclass(frozen=True, eq=False)
class SceneFolder:
    """Scenes in memory.

    Attributes
    ----------
    images : uint8 array (N, Y, X)
    targets : uint8 array (N, 4, Y, X)
        Planes of `napari_sem_tools.training.data.targets.PLANES`.
    labels : uint16 array (N, Y, X)
    recipes : list of dict
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    recipes: list[dict[str, Any]]

    @classmethod
    def load(cls, folder: Path, *, shards: slice = slice(None)) -> SceneFolder:
        """Read the files of a folder.

        Parameters
        ----------
        folder : Path
        shards : slice, optional
            Which of the sorted files.

        Returns
        -------
        SceneFolder

        Raises
        ------
        InvalidTrainingSet
            There is none.
        """
        paths = _shards_of(folder)[shards]
        arrays: dict[str, NDArray[Any]] = {}
        recipes: list[dict[str, Any]] = []
        for place, path in enumerate(paths):  # one file at a time: twice the whole is too much
            with np.load(path, allow_pickle=False) as part:
                for key in ("images", "targets", "labels"):
                    block = part[key]
                    if not place:
                        shape = (len(paths) * _SHARD, *block.shape[1:])
                        arrays[key] = np.empty(shape, block.dtype)
                    arrays[key][len(recipes) : len(recipes) + len(block)] = block
                recipes += json.loads(part["recipes"].tobytes())
        count = len(recipes)
        return cls(
            arrays["images"][:count], arrays["targets"][:count], arrays["labels"][:count], recipes
        )

    @classmethod
    def mapped(cls, folder: Path) -> SceneFolder:
        """Map images and targets from uncompressed copies beside the scenes, made when missing.

        All processes of a training share one copy in the cache of the system, where `load`
        would take it for each of them.

        Parameters
        ----------
        folder : Path

        Returns
        -------
        SceneFolder
            Read-only, without labels and recipes.

        Raises
        ------
        InvalidTrainingSet
            There is none.
        """
        paths = _shards_of(folder)
        images, targets = (_mapped(Path(folder), key, paths) for key in ("images", "targets"))
        return cls(images, targets, np.zeros((0, *images.shape[1:]), np.uint16), [])


def _shards_of(folder: Path) -> list[Path]:
    """List the files of a folder."""
    paths = sorted(Path(folder).glob("scenes-*.npz"))
    if not paths:
        raise InvalidTrainingSet(
            f"{folder} holds no rendered scenes.", hint="Render them with render_scenes first."
        )
    return paths


def _mapped(folder: Path, key: str, paths: Sequence[Path]) -> NDArray[np.uint8]:
    """Map the copy of one array; a copy of other files is replaced."""
    told = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    target = folder / f"{key}-{hashlib.sha256(repr(told).encode()).hexdigest()[:12]}.npy"
    if not target.exists():
        write_file(target, lambda file: _unpack(file, key, paths))
        for old in set(folder.glob(f"{key}-*.npy")) - {target}:
            old.unlink(missing_ok=True)
    return cast("NDArray[np.uint8]", np.load(target, mmap_mode="r"))


def _unpack(file: BinaryIO, key: str, paths: Sequence[Path]) -> None:
    """Write one array of all files, a file at a time."""
    for place, path in enumerate(paths):
        with np.load(path, allow_pickle=False) as part:
            block = part[key]
        if not place:
            count = sum(_count(each) for each in paths)
            header = np.lib.format.header_data_from_array_1_0(block)
            header["shape"] = (count, *block.shape[1:])
            np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(block).tobytes())


def _count(path: Path) -> int:
    """Return the number of scenes in a file."""
    with np.load(path, allow_pickle=False) as part:
        return len(json.loads(part["recipes"].tobytes()))
