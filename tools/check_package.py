"""Try the built package as a stranger gets it.

    python tools/check_package.py [--keep FOLDER] [--no-windows]

Builds the sdist and the wheel, checks that the sdist builds the same wheel, installs the
wheel without extras in a clean environment and runs the main job by command; then adds
the extra ``napari`` and opens every widget in a real viewer, on a virtual display where
there is none.  Exits with 1 and the reason when something is wrong.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("napari.yaml", "py.typed", "__init__.pyi", "reporting/report_template.html")
OUTPUTS = ("report.html", "figure.png", "sizes.csv", "particles.csv", "images.csv", "summary.json")

WITHOUT_EXTRAS = """
import importlib.util, sys
found = [n for n in ("napari", "PyQt5", "PyQt6", "PySide6", "torch") if importlib.util.find_spec(n)]
if found:
    sys.exit(f"a plain install brought {found}")
import npe2
manager = npe2.PluginManager.instance()
manager.discover()
manifest = manager.get_manifest("napari-sem-tools")
print("npe2 finds", manifest.display_name, "with", len(manifest.contributions.commands), "commands")
"""


def run(*command: str | Path, **options: object) -> str:
    """Run a command, return what it printed, and end with its output where it fails."""
    print("$", " ".join(str(part) for part in command if "\n" not in str(part)), flush=True)
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nfailed with status {done.returncode}")
    return str(done.stdout)


def contents(wheel: Path) -> dict[str, int]:
    """Return the files of a wheel with their checksums."""
    with zipfile.ZipFile(wheel) as archive:
        return {item.filename: item.CRC for item in archive.infolist()}


def build(folder: Path) -> Path:
    """Build sdist and wheels; return the wheel made from the sdist."""
    run(sys.executable, "-m", "build", "--outdir", folder / "sdist", ROOT)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "direct", ROOT)
    (wheel,) = (folder / "sdist").glob("*.whl")
    (direct,) = (folder / "direct").glob("*.whl")
    if contents(wheel) != contents(direct):
        odd = set(contents(wheel).items()) ^ set(contents(direct).items())
        sys.exit(f"the sdist builds another wheel; it differs in {sorted(n for n, _ in odd)}")
    missing = [n for n in NEEDED if f"napari_sem_tools/{n}" not in contents(wheel)]
    if missing:
        sys.exit(f"the wheel lacks {missing}")
    return wheel


def install(environment: Path, *what: str) -> None:
    """Install into an environment, by uv where it is at hand."""
    python = environment / "bin" / "python"
    if uv := shutil.which("uv"):
        run(uv, "pip", "install", "-q", "--python", python, *what)
    else:
        run(python, "-m", "pip", "install", "-q", *what)


def main_job(environment: Path, folder: Path) -> None:
    """Run the main job and every command's help, without extras."""
    command = environment / "bin" / "sem-tools"
    print(run(environment / "bin" / "python", "-c", WITHOUT_EXTRAS, cwd=folder).strip())
    run(command, "analyze", "--sample", "-o", "out", cwd=folder)
    missing = [name for name in OUTPUTS if not (folder / "out" / name).is_file()]
    if missing:
        sys.exit(f"the main job did not write {missing}")
    rows = len((folder / "out" / "particles.csv").read_text().splitlines())
    print("particles.csv has", rows - 1, "rows")
    names = "from napari_sem_tools.cli.main import COMMANDS; print(*COMMANDS)"
    for name in run(environment / "bin" / "python", "-c", names, cwd=folder).split():
        run(command, name, "--help", cwd=folder)


def widgets(environment: Path, folder: Path) -> None:
    """Open every widget of the manifest in a real viewer."""
    command = [environment / "bin" / "python", ROOT / "tools" / "open_widgets.py"]
    if not os.environ.get("DISPLAY"):
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
    settings = {"NAPARI_CONFIG": str(folder / "napari" / "settings.yaml")}
    print(run(*command, cwd=folder, env=os.environ | settings).strip())


def main() -> None:
    """Build, install, run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    parser.add_argument("--no-windows", action="store_true", help="leave napari and windows out")
    options = parser.parse_args()
    folder = (options.keep or Path(tempfile.mkdtemp(prefix="check-package-"))).resolve()
    try:
        wheel = build(folder)
        environment = folder / "environment"
        venv.create(environment, with_pip=shutil.which("uv") is None)
        install(environment, str(wheel))
        main_job(environment, folder)
        if not options.no_windows:
            install(environment, f"{wheel}[napari]")
            widgets(environment, folder)
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print("The package is whole.")


if __name__ == "__main__":
    main()
