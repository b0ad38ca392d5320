"""``analysis.py``: a script that repeats an analysis."""

from __future__ import annotations

import base64
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from napari_sem_tools._version import __version__
from napari_sem_tools.analysis.plan import Plan
from napari_sem_tools.settings import Settings

__all__ = ["script"]

_BY_USER = ("typed", "scale bar")  # pixel sizes that no file states

_HEAD = '''"""Repeats the analysis whose results lie beside this file.

    python analysis.py [IMAGE ...]

Made by napari-sem-tools {version}.  Without arguments the same images are analysed again;
the results go to a folder beside this one.
"""

import sys
from pathlib import Path

{imports}import napari_sem_tools as sem

HERE = Path(__file__).resolve().parent
IMAGES = [
{images}]
'''

_BODY = """

if __name__ == "__main__":
    if not (sys.argv[1:] or IMAGES):
        sys.exit("These images were in memory: name the files, python analysis.py IMAGE ...")
    sem.analyze(
        sys.argv[1:] or IMAGES,
        HERE.with_name(HERE.name + "-again"),
{keywords}    )
"""

_MEASURED = '''"""Repeats the report beside this file.

    python analysis.py

Made by napari-sem-tools {version}.  The particles are those of labels/, as they were found,
painted and decided by hand; they are measured again from the images, and the report goes to a
folder beside this one.
"""

import base64
import sys
import zlib
from pathlib import Path

import numpy as np

from napari_sem_tools.analysis import measured_again, write_report

HERE = Path(__file__).resolve().parent
SETTINGS = {settings}
{fields}IMAGES = [
{images}]


if __name__ == "__main__":
    if any(image["image"] is None for image in IMAGES):
        sys.exit("An image was in memory when the report was written: name its file in IMAGES.")
    write_report(
        [measured_again(HERE, settings=SETTINGS, **image) for image in IMAGES],
        HERE.with_name(HERE.name + "-again"),
        statistics_settings={statistics},
        exports={exports},
    )
'''


def script(plan: Plan) -> str:
    """Write the script that repeats a plan.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    str
        Python; the images are named relative to the results, so that the two can be moved
        together.
    """
    if plan.measured:
        return _script_of_measured(plan)
    keywords: dict[str, str] = {
        "method": repr(plan.method),
        "settings": _record(plan.settings, plan.method),
        "measure_settings": _record(plan.measure_settings, ""),
        "statistics_settings": _record(plan.statistics_settings, ""),
    }
    for name in ("page", "pixel_size", "width", "exports"):
        if getattr(plan, name) not in (None, ()):
            keywords[name] = repr(getattr(plan, name))
    imports = ""
    constants = ""
    for name in ("roi", "roi_exclude"):
        region = getattr(plan, name)
        if region is not None:
            constants += f"{name.upper()} = {_region(region)}\n"
            keywords[name] = name.upper()
            imports = "import base64\nimport zlib\n\nimport numpy as np\n\n"
    images = "".join(f"    {_place(s.path, plan.out)},\n" for s in plan.sources if s.path)
    lines = "".join(f"        {name}={value},\n" for name, value in keywords.items())
    head = _HEAD.format(version=__version__, imports=imports, images=images)
    return head + constants + _BODY.format(keywords=lines)


def _script_of_measured(plan: Plan) -> str:
    """Write the script that measures and reports again what was found before."""
    fields, images = "", ""
    for number, (source, one) in enumerate(zip(plan.sources, plan.measured, strict=True)):
        fields += f"FIELD_{number} = {_region(np.asarray(one.image.field))}\n"
        known = one.image.calibration
        typed = known.is_calibrated and known.origin in _BY_USER
        values = {
            "name": repr(source.name),
            "image": _place(source.path, plan.out) if source.path else "None",
            "page": repr(one.image.page),
            "pixel_size": repr(known.pixel_size) if typed else "None",
            "field": f"FIELD_{number}",
            "method": repr(one.found.method),
        }
        images += "    dict(" + ", ".join(f"{k}={v}" for k, v in values.items()) + "),\n"
    return _MEASURED.format(
        version=__version__,
        settings=_record(plan.measure_settings, ""),
        fields=fields,
        images=images,
        statistics=_record(plan.statistics_settings, ""),
        exports=repr(plan.exports),
    )


def _record(settings: Settings, method: str) -> str:
    """Write a settings record with what differs from its defaults."""
    default = {field.name: field.default for field in settings.fields()}
    changed = {k: v for k, v in settings.to_dict().items() if v != default[k]}
    return "dict(" + ", ".join(f"{name}={value!r}" for name, value in changed.items()) + ")"


def _place(path: Path, out: Path) -> str:
    """Name a file relative to the results where the two share a drive."""
    whole = os.path.abspath(path)
    try:
        return f"HERE / {Path(os.path.relpath(whole, out)).as_posix()!r}"
    except ValueError:  # another drive of Windows
        return f"Path({whole!r})"


def _region(region: Any) -> str:
    """Write a mask or polygons so that they come back exactly."""
    if isinstance(region, np.ndarray) and region.dtype == np.bool_:
        packed = base64.b64encode(zlib.compress(np.packbits(region).tobytes(), 9)).decode()
        rows, columns = region.shape
        return (
            f'np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode("{packed}")), np.uint8),'
            f" count={rows * columns}).reshape({rows}, {columns}).astype(bool)"
        )
    return "[" + ", ".join(f"np.array({np.asarray(part).tolist()})" for part in region) + "]"
