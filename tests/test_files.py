"""What is written appears whole or not at all, and one module writes."""

from __future__ import annotations

import ast
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from napari_sem_tools.errors import OutputExists, SemError
from napari_sem_tools.files import only_writer, replace_folder, sweep, write_file, write_text

SOURCE = Path(__file__).parents[1] / "src" / "napari_sem_tools"
BENCH = Path(__file__).with_name("crash_bench.py")
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="the bench forks")


def bench(job: str, folder: Path, fault: str, stride: int = 1) -> dict[str, object]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(BENCH), job, str(folder), fault, str(stride)],
        capture_output=True, text=True, env=environment, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@posix
@pytest.mark.parametrize("fault", ["kill", "ENOSPC", "EACCES"])
@pytest.mark.parametrize("job", ["write_file", "replace_folder", "replace_folder_two_renames"])
def test_a_writer_stopped_at_any_step_leaves_the_old_or_the_new(
    job: str, fault: str, tmp_path: Path
) -> None:
    found = bench(job, tmp_path, fault)
    assert found["wrong"] == []
    assert found["points"] >= 4
    assert found["seen"].get("old", 0) > 0


@posix
@pytest.mark.slow
@pytest.mark.parametrize(("fault", "stride"), [("kill", 2), ("ENOSPC", 9), ("EACCES", 9)])
def test_an_analysis_stopped_at_any_step_leaves_the_old_or_the_new(
    fault: str, stride: int, tmp_path: Path
) -> None:
    found = bench("analyze", tmp_path, fault, stride)
    assert found["wrong"] == []
    assert found["points"] > 100


@posix
def test_an_analysis_killed_now_and_then_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    found = bench("analyze", tmp_path, "kill", 29)
    assert found["wrong"] == []
    assert found["seen"].get("old", 0) > 0


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "table.csv"
    write_text(path, "old")
    assert write_text(path, "µm\n") == path
    assert path.read_bytes() == "µm\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_an_error_of_the_content_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_text(tmp_path / "table.csv", "old")

    def broken(file: object) -> None:
        raise ValueError("no numbers")

    with pytest.raises(ValueError, match="no numbers"):
        write_file(path, broken)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
def test_a_written_file_may_be_read_by_those_who_may_read_others(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    path = write_text(tmp_path / "table.csv", "1")
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "plain", path)]
    assert modes[0] == modes[1]


def test_a_place_that_is_no_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SemError, match="could not be written") as caught:
        write_text(tmp_path / "file" / "table.csv", "1")
    assert caught.value.hint
    with pytest.raises(SemError, match="could not be put in place"):
        replace_folder(tmp_path / "absent", tmp_path / "out")


def test_a_folder_that_was_put_aside_comes_back(tmp_path: Path) -> None:
    aside = tmp_path / ".out.replaced.partial"
    aside.mkdir()
    (aside / "old").touch()
    sweep(tmp_path / "out")
    assert (tmp_path / "out" / "old").exists()


# --- nothing else writes ---------------------------------------------------------------

HANDLES = {"file"}  # what write_file hands to a function; buffers in memory are found
WRITERS = {  # method or function: where the path stands among the arguments
    "write_text": None, "write_bytes": None, "touch": None,
    "to_csv": 0, "to_json": 0, "to_excel": 0, "to_parquet": 0, "to_pickle": 0, "to_html": 0,
    "savefig": 0, "imsave": 0, "imwrite": 0, "imshow_to": 0, "tofile": 0,
    "np.save": 0, "torch.save": 1, "picture.save": 0, "savez": 0, "savez_compressed": 0,
    "savetxt": 0, "save_file": 1, "dump": 1,
    "copy2": 1, "copyfile": 1, "copytree": 1, "move": 1, "mkstemp": None,
    "NamedTemporaryFile": None, "symlink_to": None, "hardlink_to": None,
}  # fmt: skip
ALLOWED = {  # file: calls with guarantees or done-marks of their own, each with its reason
    "files.py": {"*"},  # the one that writes
    "cli/main.py": {"open"},  # the null device, once nobody reads stdout any more
    "models/archive.py": {"open"},  # a member of an archive that write_file has opened
    "reporting/pdf.py": {"savefig"},  # a page of a book in memory, which write_file then writes
}
OURS = {"write_text"}  # also the name of our own function, when called without an object


def writing_calls(path: Path) -> list[str]:
    """Name the calls of a module that open a path for writing."""
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    handles = HANDLES | buffers(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        bare = isinstance(node.func, ast.Name)
        name = node.func.id if bare else getattr(node.func, "attr", "")
        if name == "save":  # many things are called so
            name = ast.unparse(node.func)
        if name == "open" and opens_for_writing(node):
            found.append(f"{path.name}:{node.lineno} open")
        if (
            name in WRITERS
            and not (bare and name in OURS)
            and gets_a_path(node, WRITERS[name], handles)
        ):
            found.append(f"{path.name}:{node.lineno} {name}")
    return found


def opens_for_writing(node: ast.Call) -> bool:
    if ast.unparse(node.func) == "os.open":
        return "O_WRONLY" in ast.unparse(node) or "O_RDWR" in ast.unparse(node)
    texts = [a.value for a in [*node.args, *(k.value for k in node.keywords)]
             if isinstance(a, ast.Constant) and isinstance(a.value, str)]  # fmt: skip
    return any(set(text) <= set("rwxabt+U") and set(text) & set("wxa+") for text in texts)


def buffers(tree: ast.AST) -> set[str]:
    """Names that are bound to a buffer in memory."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("io.")
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def gets_a_path(node: ast.Call, place: int | None, handles: set[str]) -> bool:
    if place is None:
        return True
    if len(node.args) <= place:
        return any(k.arg in ("path_or_buf", "fname", "file", "fp") for k in node.keywords)
    target = node.args[place]
    return not (isinstance(target, ast.Name) and target.id in handles)


def test_nothing_but_files_opens_for_writing() -> None:
    found = [
        call
        for path in sorted(SOURCE.rglob("*.py"))
        if "*" not in ALLOWED.get(path.relative_to(SOURCE).as_posix(), set())
        for call in writing_calls(path)
        if call.split()[-1] not in ALLOWED.get(path.relative_to(SOURCE).as_posix(), set())
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "open(path, 'w')",
        "path.open(mode='ab')",
        "io.open(path, 'r+b')",
        "os.open(path, os.O_RDWR)",
        "path.write_text(text)",
        "path.write_bytes(b'')",
        "table.to_csv(path)",
        "figure.savefig('x.png')",
        "tifffile.imwrite(path, image)",
        "np.save(path, array)",
        "shutil.copyfile(a, b)",
        "json.dump(record, handle)",
    ],
)
def test_the_search_finds_what_writes(line: str, tmp_path: Path) -> None:
    (tmp_path / "room.py").write_text(line)
    assert writing_calls(tmp_path / "room.py")


@pytest.mark.parametrize(
    "line",
    ["open(path)", "open(path, 'rb')", "table.to_csv()",
     "buffer = io.BytesIO(); figure.savefig(buffer)",
     "write_text(path, text)", "tifffile.imwrite(file, image)"],
)  # fmt: skip
def test_the_search_leaves_readers_alone(line: str, tmp_path: Path) -> None:
    (tmp_path / "room.py").write_text(line)
    assert not writing_calls(tmp_path / "room.py")


def test_a_place_has_one_writer_at_a_time(tmp_path: Path) -> None:
    with only_writer(tmp_path / "out"):
        with pytest.raises(OutputExists, match="another run"), only_writer(tmp_path / "out"):
            raise AssertionError
        with only_writer(tmp_path / "other"):
            pass
    with only_writer(tmp_path / "out"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_writer_that_was_killed_holds_no_place(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from napari_sem_tools.files import only_writer\n"
        "with only_writer(Path(sys.argv[1])): os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False)
    assert done.returncode == 9
    with only_writer(tmp_path / "out"):
        pass
    assert not list(tmp_path.iterdir())
