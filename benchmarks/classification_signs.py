"""How many real micrographs are called none for their colour, flatness or noise, by set.

    OMP_NUM_THREADS=1 python benchmarks/classification_signs.py DATA

DATA is the folder of the shared data sets.  Limits of the signs were set on the sets of ``more``
and ``nffa``; the others were not looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from classification_pictures import not_micrographs
from napari_sem_tools.classification import SIGNS, read_signs

SETS = {
    "superalloy": "nasa/superalloy/images/*",
    "coating": "nasa/coating/images/*",
    "powder": "powder/images/*",
    "BAM": "bam/images/*",
    "EMPS": "emps-train/images/*",
    "more": "more/*/images/*",
    "NFFA": "nffa/*/*.*",
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    print("| set | pictures | called none | " + " | ".join(SIGNS) + " |")
    for name, pattern in SETS.items():
        print(row(name, [read_signs(path) for path in sorted(data.glob(pattern))]), flush=True)
    print(row("no micrographs", [read_signs(pixels) for _, pixels in not_micrographs()]))


def row(name: str, found: list[dict[str, float]]) -> str:
    """Write how many of a set show a sign, and which."""
    seen = [sum(one[sign] >= 1 for one in found) for sign in SIGNS]
    called = sum(max(one.values()) >= 1 for one in found)
    return f"| {name} | {len(found)} | {called} | " + " | ".join(map(str, seen)) + " |"


if __name__ == "__main__":
    main()
