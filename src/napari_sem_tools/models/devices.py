"""Where networks run: devices found and explained, precision, memory, and the user's wishes."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from napari_sem_tools.errors import InvalidSettings, MissingExtra, SemError
from napari_sem_tools.models.locations import load_settings, preferences
from napari_sem_tools.settings import Settings, described

__all__ = [
    "RuntimeSettings",
    "choose_device",
    "choose_precision",
    "describe",
    "free_bytes",
    "is_out_of_memory",
    "loaded_too_late",
    "runtime_settings",
    "torch",
]

Precision = Literal["fp32", "bf16", "fp16"]

_WINDOWS_LOADER = ("WinError 126", "WinError 127", "WinError 1114", "DLL load failed")
_BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16")
_TENSOR_CORES = (7, 0)  # CUDA capability from which half precision is faster
_CPU_BYTES = 5 * 2**28  # a picture of 1024 x 768 still goes through whole when it is doubled
_failures: list[SemError] = []  # of loading PyTorch in this process: one at most
_GPU_SHARE = 0.5  # of what is free: other programs use the GPU as well


@dataclasses.dataclass(frozen=True)
class RuntimeSettings(Settings):
    """Where and how networks run; it changes speed and memory, not what is found.

    Attributes
    ----------
    device : {"auto", "cuda", "mps", "cpu", "subprocess"}
        ``subprocess``: in a process of their own, on the best device there.
    budget_gib : float
        Memory of all loaded models together; the least recently used ones go first.
    tile : int
        Largest edge of a tile in px; 0: what the card says and the memory allows.
    precision : {"auto", "fp32", "bf16", "fp16"}
        ``auto``: half where the device has instructions for it.
    compile : bool
        Let ``torch.compile`` translate networks: minutes once, then faster on a GPU.

    Examples
    --------
    >>> RuntimeSettings(device="cpu").precision
    'auto'
    """

    device: Annotated[
        Literal["auto", "cuda", "mps", "cpu", "subprocess"], described("Where networks run")
    ] = "auto"
    budget_gib: Annotated[
        float, described("Memory of all loaded models in GiB", min=0, max=1024)
    ] = 4.0
    tile: Annotated[int, described("Largest edge of a tile in px; 0: found", min=0, max=65536)] = 0
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], described("Precision of networks")
    ] = "auto"
    compile: Annotated[bool, described("Translate networks with torch.compile")] = False


def runtime_settings(**given: Any) -> RuntimeSettings:
    """Join what was asked for with what the user has set.

    Parameters
    ----------
    **given
        Fields of `RuntimeSettings`; None and ``"auto"`` mean: as the user has set it.

    Returns
    -------
    RuntimeSettings
        Argument, environment (``NAPARI_SEM_TOOLS_DEVICE=cpu``), napari's preferences, table
        ``[engine]`` of ``settings.toml``, default: the first that says something.

    Raises
    ------
    InvalidSettings
    """
    said = {name: value for name, value in given.items() if value not in (None, "auto")}
    names = [field.name for field in RuntimeSettings.fields()]
    for name in said:
        if name not in names:
            raise InvalidSettings(
                f"There is no setting {name} of a run.", hint=f"Known: {', '.join(names)}."
            )
    return load_settings(RuntimeSettings, "engine", preferences=preferences("engine"), **said)


def torch() -> Any:
    """Import torch, the one place where it is first imported.

    Returns
    -------
    module

    Raises
    ------
    MissingExtra
        It is not installed.
    SemError
        It cannot be loaded beside what the process has loaded before (Windows).  It is not
        tried again: a failed import leaves modules half loaded.
    """
    if _failures:
        raise SemError(_failures[0].message, hint=_failures[0].hint) from _failures[0].__cause__
    try:
        import torch as module
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Networks need PyTorch, which is not installed.", extra="torch"
        ) from error
    except (OSError, ImportError) as error:
        _failures.append(_load_failure(error))
        raise _failures[0] from error
    return module


def loaded_too_late() -> bool:
    """Tell whether PyTorch does not load here because of what this process loaded before."""
    return any(_is_late(failure.__cause__) for failure in _failures)


def _is_late(error: BaseException | None) -> bool:
    """Tell whether Windows refused a library of PyTorch."""
    return any(text in str(error) for text in _WINDOWS_LOADER)


def _load_failure(error: Exception) -> SemError:
    """Say why PyTorch, which is installed, does not load."""
    if _is_late(error):
        return SemError(
            "PyTorch could not be loaded because another library loaded an older C++ runtime "
            "first.",
            hint="Start with 'sem-tools gui', or install the newest Microsoft Visual C++ "
            "Redistributable.",
        )
    return SemError(
        f"PyTorch could not be loaded: {error}", hint="Install it anew, then try again."
    )


def choose_device(wish: str = "auto") -> tuple[str, str]:
    """Choose where networks run, and say why.

    Parameters
    ----------
    wish : {"auto", "cuda", "mps", "cpu", "subprocess"}

    Returns
    -------
    device, reason : str
        ``subprocess`` stays what it is: that process chooses.

    Raises
    ------
    SemError
        A device was demanded that cannot be used; the sentence says why.
    """
    if wish == "subprocess":
        return wish, "asked for"
    if wish == "cpu":
        torch()
        return "cpu", "asked for"
    if wish in ("cuda", "mps"):
        lack = _lack(wish)
        if lack:
            raise SemError(
                f"The device {wish} is not available: {lack}.",
                hint="Choose device=auto or cpu; 'sem-tools doctor' says what is there.",
            )
        return wish, "asked for"
    lacks = {name: _lack(name) for name in ("cuda", "mps")}
    for name, lack in lacks.items():
        if not lack:
            return name, "a CUDA device works" if name == "cuda" else "an Apple GPU works"
    return "cpu", lacks["mps" if sys.platform == "darwin" else "cuda"]


def choose_precision(device: str, wish: str = "auto") -> Precision:
    """Choose the precision in which networks compute.

    Parameters
    ----------
    device : {"cuda", "mps", "cpu"}
    wish : {"auto", "fp32", "bf16", "fp16"}

    Returns
    -------
    {"fp32", "bf16", "fp16"}
        For ``auto`` bfloat16 where the processor or the GPU has instructions for it, float16
        on a GPU that has them for that alone, else float32.
    """
    if wish in ("fp32", "bf16", "fp16"):
        return wish  # type: ignore[return-value]  # mypy does not narrow a str by `in`
    if device == "cpu":
        return "bf16" if _cpu_has_bf16() else "fp32"
    if device == "cuda" and torch().cuda.get_device_capability() >= _TENSOR_CORES:
        has_bf16 = torch().cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if has_bf16 else "fp16"
    return "fp32"


def free_bytes(device: str) -> int:
    """Return how much memory the tiles of a network may take.

    Parameters
    ----------
    device : {"cuda", "mps", "cpu"}

    Returns
    -------
    int
        Half of what is free on a GPU, and a fixed amount on a CPU.
    """
    if device == "cpu":
        return _CPU_BYTES
    module = torch()
    if device == "cuda":
        free, _ = module.cuda.mem_get_info()
        kept = module.cuda.memory_reserved() - module.cuda.memory_allocated()
        return int(_GPU_SHARE * (free + kept))
    most = module.mps.recommended_max_memory() - module.mps.driver_allocated_memory()
    return int(_GPU_SHARE * max(most, 0))


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    bool

    Examples
    --------
    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("wrong shape"))
    (True, False)
    """
    if isinstance(error, MemoryError):
        return True
    module = sys.modules.get("torch")
    own = getattr(module, "OutOfMemoryError", None)
    if own is not None and isinstance(error, own):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "alloc" in text)


def describe(wish: str | None = None) -> dict[str, str]:
    """Say what PyTorch is there, which devices it can use and why not the others.

    Parameters
    ----------
    wish : str, optional
        The device asked for; as the user has set it otherwise.

    Returns
    -------
    dict
        Sentences for `sem-tools doctor`.

    Raises
    ------
    MissingExtra, SemError
        PyTorch is missing or does not load.
    """
    module = torch()
    settings = runtime_settings()
    said = {"PyTorch": str(module.__version__)}
    for name in ("cuda", "mps"):
        said[name] = _lack(name) or "works"
    if said["cuda"] == "works":
        free, total = module.cuda.mem_get_info()
        said["cuda"] = (
            f"works: {module.cuda.get_device_name()}, {free / 2**30:.1f} of "
            f"{total / 2**30:.1f} GiB free"
        )
    bf16 = "has bfloat16 instructions" if _cpu_has_bf16() else "without bfloat16 instructions"
    said["cpu"] = f"works: {module.get_num_threads()} threads, {bf16}"
    try:
        device, reason = choose_device(wish or settings.device)
    except SemError as error:
        return said | {"networks run on": f"{error} {error.hint}"}
    said["networks run on"] = (
        f"{device} ({reason}) in {choose_precision(device, settings.precision)}, "
        f"with {settings.budget_gib:g} GiB for models"
    )
    return said


def _lack(device: str) -> str:
    """Say why a GPU cannot be used; empty when it computes."""
    module = torch()
    if device == "mps":
        if not module.backends.mps.is_built():
            return "PyTorch is built without Apple's Metal"
        if not module.backends.mps.is_available():
            return "no Apple GPU, or macOS is older than 12.3"
    elif module.version.cuda is None and getattr(module.version, "hip", None) is None:
        return "PyTorch is built without CUDA"
    return _computes(device)


@functools.cache
def _computes(device: str) -> str:
    """Add one and one there; the driver's first sentence when that fails."""
    module = torch()
    try:
        if float((module.ones(1, device=device) + 1).item()) == 2:
            return ""
    except (RuntimeError, AssertionError) as error:  # torch raises both for absent devices
        return str(error).strip().split("\n")[0].split(". ")[0].rstrip(".")
    return "it computes wrongly"


def _cpu_has_bf16() -> bool:
    """Tell whether the processor multiplies bfloat16 by itself."""
    ask = getattr(torch().cpu, "get_capabilities", None)
    if ask is not None:
        found: Mapping[str, Any] = ask()
        return any(found.get(name) is True for name in _BF16_INSTRUCTIONS)
    older = getattr(torch().cpu, "_is_avx512_bf16_supported", None)
    return bool(older and older())
