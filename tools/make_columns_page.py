"""Write docs/reference/columns.md from the table of columns.

python tools/make_columns_page.py            writes the page
python tools/make_columns_page.py --check    exits with 1 where the page is out of date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_sem_tools.files import write_text
from napari_sem_tools.measurement import (
    COLUMNS,
    DECISIONS,
    VOLUME_COLUMNS,
    Column,
    MeasureSettings,
    describe_rules,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "columns.md"

_HEAD = """# Columns of the particle table

<!-- Written by tools/make_columns_page.py from src/napari_sem_tools/measurement/columns.py. -->

One row is one particle; the index is `label`, the number in the label image. Names are
`quantity_unit`; a name without a unit has none. Columns in nm are absent when the image has no
pixel size; lengths in px are absent when pixels are not square. The slices of a stack are
measured each by itself and get a column `slice` after `image`.

In the formulas A is the area, P the Crofton perimeter, F a Feret diameter. Coordinates are
napari's: the centre of the first pixel is at (0, 0), y points down. Lengths and areas are worked
out on the true outline, from the height and the width of a pixel.
"""

_GROUPS = {
    "index": "What particle it is, and whether it counts",
    "size": "Size",
    "shape": "Shape",
    "intensity": "Grey values",
    "neighbours": "Neighbours",
}

_DECIDED = """
A table gets these with the first decision by hand, in the window or with `decide`:

| column | what it is |
| --- | --- |
"""


def section(group: str, title: str) -> str:
    """Return the table of one group, the columns in nm and px of a quantity in one line."""
    lines = [
        f"\n## {title}\n",
        "| column | what it is | source | option |",
        "| --- | --- | --- | --- |",
    ]
    merged: dict[str, list[Column]] = {}
    for row in COLUMNS:
        if row.group == group:
            merged.setdefault(row.quantity, []).append(row)
    for rows in merged.values():
        names = ", ".join(f"`{row.name}`" for row in rows)
        option = f"`{rows[0].switch}`" if rows[0].switch else ""
        lines.append(f"| {names} | {rows[0].formula} | {rows[0].source} | {option} |")
    text = "\n".join(lines) + "\n"
    if group == "index":
        text += _DECIDED + "".join(f"| `{row.name}` | {row.formula} |\n" for row in DECISIONS)
    return text


def bodies_section() -> str:
    """Return the table of the columns of bodies."""
    lines = [
        "\n## Bodies\n",
        'With `stack="bodies"` the labels of a stack are bodies in space, one row each, with',
        "`image`, `edge`, `confidence`, the columns of doubt and these. A calibrated stack needs",
        "the distance of its slices, from the file or as `slice_nm`.\n",
        "| column | what it is | source |",
        "| --- | --- | --- |",
    ]
    lines += [f"| `{row.name}` | {row.formula} | {row.source} |" for row, _ in VOLUME_COLUMNS]
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """Return the table of settings with their defaults."""
    lines = ["\n## Settings\n", "| setting | default | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{f.name}` | {f.default} | {f.help} |" for f in MeasureSettings.fields()]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the whole page."""
    sections = "".join(section(group, title) for group, title in _GROUPS.items())
    rule = (
        f"\n## Particles that are left out\n\n{describe_rules()} All of them stay in the table; "
        "how the score is made and what a decision by hand leaves behind: [Doubt](doubt.md).\n"
    )
    return _HEAD + sections + bodies_section() + rule + settings_table()


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    if not parser.parse_args().check:
        write_text(PAGE, page())
        return 0
    return int(not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page())


if __name__ == "__main__":
    sys.exit(main())
