"""The child process of `pickles`: reads one file with torch, answers with safetensors.

Run as ``python -P -m napari_sem_tools.models.unpickle_child FILE``.  The bytes go to
stdout; a refusal is one line on stderr.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from pathlib import Path
from typing import Any

from napari_sem_tools.models.pickles import NO_TORCH, REFUSED

__all__ = ["main"]

_OLDEST = (2, 10)
_SPARE_BYTES = 1024**3
_COPIES = 6  # of the file: storages, contiguous copies, the safetensors bytes, and slack
_INSIDE = ("state_dict", "model_state_dict", "model")
_MAX_TENSORS = 100_000


def main(arguments: list[str]) -> int:
    """Read the file that the arguments name; return the exit status."""
    try:
        import safetensors.torch
        import torch
    except (ImportError, OSError):
        return NO_TORCH
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _OLDEST:
        return NO_TORCH
    path = Path(arguments[0])
    torch.set_num_threads(1)
    _limit(_SPARE_BYTES + _COPIES * path.stat().st_size)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        tensors = _tensors(found, torch)
        data = safetensors.torch.save(tensors)
    except pickle.UnpicklingError:
        return _refuse("wants to run code, which is never allowed")
    except MemoryError:
        return _refuse("takes more memory than its size explains")
    except (RuntimeError, ValueError, EOFError, KeyError, AttributeError, TypeError) as error:
        if "allocate" in str(error):
            return _refuse("takes more memory than its size explains")
        return _refuse("is damaged or holds more than tensors")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return 0


def _tensors(found: Any, torch: Any) -> dict[str, Any]:
    """Return the tensors of a state dict, or of the one inside a checkpoint."""
    for name in _INSIDE:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
            break
    if not isinstance(found, dict) or not 0 < len(found) <= _MAX_TENSORS:
        raise ValueError("no table of tensors")
    if not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in found.items()):
        raise ValueError("not all are tensors")
    if all(name.startswith("module.") for name in found):  # saved from DataParallel
        found = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    return {name: tensor.detach().contiguous().clone() for name, tensor in found.items()}


def _limit(extra_bytes: int) -> None:
    """Allow so much memory on top of what torch itself maps, and no files to be written."""
    if sys.platform == "win32":
        return  # the time limit of the parent is all there is
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # stdout is a pipe
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + extra_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _refuse(words: str) -> int:
    """Say why the file is refused, as the end of a sentence."""
    sys.stderr.write(words + "\n")
    return REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
