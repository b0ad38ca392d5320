"""The command line: results to stdout, sentences to stderr, exit status, Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_sem_tools.cli.main import COMMANDS, main
from napari_sem_tools.errors import SemWarning
from napari_sem_tools.micrograph import Calibration
from napari_sem_tools.tiff import write_tiff

NM = Calibration((2.0, 2.0), "typed")
pytestmark = pytest.mark.usefixtures("threshold_by_default")


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    image = np.full((120, 120), 30, np.uint8)
    y, x = np.mgrid[:120, :120]
    for centre in ((30, 30), (30, 80), (80, 40)):
        image[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= 144] = 200
    return write_tiff(tmp_path / "discs.tif", image, calibration=NM)


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    out, err = said(capsys)
    assert f"sem-tools {command}" in out
    assert not err


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from napari_sem_tools.cli.main import main; status = main(['--help']); "
        "heavy = {'numpy', 'pandas', 'torch', 'qtpy', 'napari', 'matplotlib', 'skimage'}; "
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_analyze_writes_the_report_and_says_where(
    image_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", str(image_file), "-o", str(tmp_path / "out")]) == 0
    out, err = said(capsys)
    assert "3 particles: mean" in out
    assert out.splitlines()[-1] == str(tmp_path / "out" / "report.html")
    assert "finding particles" in err
    assert "\r" not in err  # no terminal: lines, not a bar


def test_quiet_says_results_alone(
    image_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["analyze", str(image_file), "-o", str(tmp_path / "out"), "--quiet", "--json"])
    out, err = said(capsys)
    assert not err
    assert json.loads(out)["particles"] == 3


def test_a_second_run_is_refused_with_status_2(
    image_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["analyze", str(image_file), "-o", str(tmp_path / "out"), "--quiet"]
    assert main(words) == 0
    said(capsys)
    assert main(words) == 2
    out, err = said(capsys)
    assert not out
    assert err.startswith("error: ")
    assert "\nhint: " in err
    assert main([*words, "--overwrite"]) == 0


def test_one_bad_input_gives_status_1_and_its_name(
    image_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"II*\0")
    words = ["analyze", str(bad), str(image_file), "-o", str(tmp_path / "out"), "--quiet"]
    assert main(words) == 1
    out, err = said(capsys)
    assert "bad.tif" in err
    assert "3 particles" in out


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["analyze", "x.tif"],
        ["analyze", "-o", "OUT"],
        ["analyze", "IMAGE", "-o", "OUT", "--split-strength", "7"],
        ["analyze", "IMAGE", "-o", "OUT", "--split-strength", "much"],
        ["analyze", "IMAGE", "-o", "OUT", "--method", "magic"],
        ["analyze", "IMAGE", "-o", "OUT", "--pixel-size", "-2"],
        ["analyze", "IMAGE", "-o", "OUT", "--pixel-size", "2", "--width", "4"],
        ["analyze", "IMAGE", "-o", "OUT", "--shard", "9"],
        ["analyze", "IMAGE", "-o", "OUT", "--roi", "absent.roi"],
        ["analyze", "IMAGE", "-o", "OUT", "--export", "docx"],
        ["analyze", "IMAGE", "-o", "OUT", "--page", "first"],
        ["segment", "IMAGE", "-o", "OUT", "--roi-exclude", "absent.zip"],
        ["measure", "IMAGE", "IMAGE", "-o", "OUT", "--roi", "absent.geojson"],
        ["simulate", "-o", "OUT", "--count", "0"],
    ],
)
def test_wrong_usage_gives_status_2_and_a_sentence(
    words: list[str], image_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put = {"IMAGE": str(image_file), "OUT": str(tmp_path / "out")}
    assert main([put.get(word, word) for word in words]) == 2
    out, err = said(capsys)
    assert not out
    assert err.startswith("error: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["analyze", "segment", "info"])
@pytest.mark.parametrize("content", [b"", b"II*\0", b"\x89PNG\r\n\x1a\n", bytes(range(256)) * 9])
def test_a_bad_file_gives_status_1_and_no_output(
    command: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.tif"
    bad.write_bytes(content)
    out = [] if command == "info" else ["-o", str(tmp_path / "out")]
    assert main([command, str(bad), *out, "--quiet"]) == 1
    _, err = said(capsys)
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p != bad]


def test_info_tells_calibration_strip_and_metadata(
    image_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(image_file)]) == 0
    assert "pixel 2 nm (tag" in said(capsys)[0]
    assert main(["info", str(image_file), "--json"]) == 0
    (about,) = json.loads(said(capsys)[0])
    assert about["calibration"]["pixel_size_nm"] == [2.0, 2.0]
    assert about["data_bar"] is None


def test_segment_then_measure_gives_the_table_of_analyze(
    image_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", str(image_file), "-o", str(tmp_path / "seg"), "--quiet"]) == 0
    labels = tmp_path / "seg" / "labels" / "discs.tif"
    assert str(labels) in said(capsys)[0]
    assert main(["measure", str(labels), str(image_file)]) == 0
    table = pd.read_csv(io.StringIO(said(capsys)[0]))
    main(["analyze", str(image_file), "-o", str(tmp_path / "out"), "--quiet"])
    whole = pd.read_csv(tmp_path / "out" / "particles.csv")
    np.testing.assert_array_equal(table["ecd_nm"], whole["ecd_nm"])
    assert main(["segment", str(image_file), "-o", str(tmp_path / "seg")]) == 2


def test_a_region_from_a_file_limits_what_is_measured(
    image_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = [[0, 0], [119, 0], [119, 55], [0, 55], [0, 0]]  # x, y
    roi = tmp_path / "roi.geojson"
    roi.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    for option, count in (("--roi", 2), ("--roi-exclude", 1)):
        out = tmp_path / option.strip("-")
        assert main(["analyze", str(image_file), "-o", str(out), option, str(roi), "--json"]) == 0
        assert json.loads(said(capsys)[0])["included"] == count


def test_settings_reach_the_summary(image_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--min-size-px", "3,5", "--no-leave-out-doubtful", "--polarity", "bright"]
    assert main(["analyze", str(image_file), "-o", str(out), "--quiet", *words]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["settings"]["min_size_px"] == 3.5
    assert summary["settings"]["polarity"] == "bright"
    assert summary["measure_settings"]["leave_out_doubtful"] is False


@pytest.mark.parametrize(
    ("words", "method"),
    [
        (["--polarity", "bright"], "threshold"),
        (["--polarity=bright"], "threshold"),
        (["--min-size-px", "3"], "particles"),
        ([], "particles"),
    ],
)
def test_a_setting_that_only_the_threshold_has_names_the_threshold(words, method, monkeypatch):
    from napari_sem_tools import segmentation
    from napari_sem_tools.cli.options import chosen_method
    from napari_sem_tools.segmentation.methods import Choice, Method, choose_method

    best = Choice("particles", Method(segmentation.NetworkSettings, lambda: None, ""), "the best")
    monkeypatch.setattr(
        segmentation, "choose_method", lambda name=None: choose_method(name) if name else best
    )
    assert chosen_method(["image.tif", *words]).name == method


def test_simulated_images_are_accepted_by_analyze(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ["--width-px", "256", "--height-px", "256", "--particles", "10"]
    assert main(["simulate", "-o", str(tmp_path / "sim"), "--count", "2", *size]) == 0
    said(capsys)
    words = ["analyze", str(tmp_path / "sim" / "images"), "-o", str(tmp_path / "out"), "--json"]
    assert main(words) == 0
    assert json.loads(said(capsys)[0])["images"] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_gives_status_130_and_leaves_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    child = subprocess.Popen(
        [sys.executable, "-m", "napari_sem_tools.cli.main", "analyze", "--sample",
         "-o", str(tmp_path / "out")],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert child.stderr is not None
    first = child.stderr.readline()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 130, first + err
    assert not out
    assert "error: Cancelled." in err
    assert "Traceback" not in err
    time.sleep(0.1)
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]


@pytest.mark.slow
def test_the_sample_needs_no_file_and_no_display(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    done = subprocess.run(
        [sys.executable, "-m", "napari_sem_tools.cli.main", "analyze", "--sample",
         "-o", str(tmp_path / "out"), "--json"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["included"] > 50


@pytest.mark.slow
def test_doctor_finds_that_the_main_job_works(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(said(capsys)[0])
    assert found["main job"]["sample image"].startswith("works")
    assert set(found["extras"]) >= {"napari", "formats", "torch"}
    for text in found["extras"].values():
        assert "missing" not in text or 'pip install "napari-sem-tools[' in text


def test_no_option_of_a_method_is_also_one_of_measuring() -> None:
    from napari_sem_tools.measurement import MeasureSettings
    from napari_sem_tools.segmentation import NetworkSettings, ThresholdSettings

    measuring = {field.name for field in MeasureSettings.fields()}
    for settings in (ThresholdSettings, NetworkSettings):
        assert not measuring & {field.name for field in settings.fields()}


@pytest.mark.parametrize("command", ["info", "segment", "analyze"])
def test_an_input_that_is_not_there_does_not_keep_the_others_from_being_done(
    command: str, image_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    more = [] if command == "info" else ["-o", str(out), "--method", "threshold"]
    inputs = [str(tmp_path / "not_there.tif"), str(image_file)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SemWarning)
        assert main([command, *inputs, *more]) == 1
    text, errors = said(capsys)
    assert "not_there.tif" in errors
    if command == "info":
        assert "discs.tif" in text
    else:
        assert (out / "labels" / "discs.tif").exists()


@pytest.mark.parametrize("rows", ["0:60", "60"])
def test_evaluate_scores_the_rows_that_are_asked_for(
    rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = np.zeros((120, 60), np.uint8)
    truth[10:30, 10:30] = 1
    found = truth.copy()
    found[80:100, 10:30] = 2  # a false one, below the rows that count
    files = [
        str(write_tiff(tmp_path / f"{name}.tif", image))
        for name, image in (("truth", truth), ("found", found))
    ]
    assert main(["evaluate", *files, "--json", "--rows", rows]) == 0
    assert json.loads(said(capsys)[0])["ap50"] == 1
    assert main(["evaluate", *files]) == 0
    assert dict(line.split() for line in said(capsys)[0].splitlines())["ap50"] == "0.5"
    assert main(["evaluate", *files, "--rows", "60:0"]) == 2


def strict(text: str) -> dict[str, object]:
    """Read JSON as strict readers do: NaN and Infinity are none."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def test_json_never_holds_a_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = np.full((60, 60), 30, np.uint8)
    image[20:40, 20:40] = 200  # one particle: no SD, no GSD, no interval
    path = write_tiff(tmp_path / "a.tif", image)
    labels = write_tiff(tmp_path / "labels.tif", (image > 100).astype(np.uint8))
    words = ["analyze", str(path), "-o", str(tmp_path / "out"), "--method", "threshold"]
    assert main([*words, "--quiet", "--json"]) == 0
    assert strict(said(capsys)[0])["particles"] == 1
    strict((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert main(["measure", str(labels), str(path), "--quiet", "--json"]) == 0
    assert strict(said(capsys)[0])["sd"] is None


def test_pages_are_chosen_and_numbered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = np.full((60, 60), 30, np.uint8)
    page[20:40, 20:40] = 200
    path = write_tiff(tmp_path / "s.tif", np.stack([page, page.T, page[::-1]]))
    words = ["segment", str(path), "-o", str(tmp_path / "out"), "--method", "threshold", "--quiet"]
    assert main([*words, "--page", "2", "--json"]) == 0
    assert [one["page"] for one in json.loads(said(capsys)[0])] == [2]
    assert main([*words, "--page", "all", "--json"]) == 0
    assert [one["page"] for one in json.loads(said(capsys)[0])] == [0, 1, 2]
    assert main([*words, "--page", "9"]) == 1
    assert "no page 9" in said(capsys)[1]


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_measure_writes_the_format_that_the_name_asks_for(
    kind: str, image_file: Path, tmp_path: Path
) -> None:
    pytest.importorskip({"xlsx": "openpyxl", "parquet": "pyarrow"}[kind])
    image = np.zeros((60, 60), np.uint8)
    image[20:40, 20:40] = 1
    labels = write_tiff(tmp_path / "labels.tif", image)
    place = tmp_path / f"t.{kind}"
    words = ["measure", str(labels), str(labels), "--pixel-size", "2", "--quiet"]
    assert main([*words, "-o", str(place)]) == 0
    read = pd.read_excel if kind == "xlsx" else pd.read_parquet
    table = read(place)
    area = table["area [nm²]"] if kind == "xlsx" else table["area_nm2"]
    assert area.tolist() == [1600.0]


@pytest.mark.parametrize(
    "words",
    [["models", "--quiet", "list"], ["models", "list", "--quiet"]],
    ids=["before", "behind"],
)
def test_quiet_is_taken_before_and_behind_what_is_done_with_models(words, capsys):
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "particles" in shown.out
    assert not shown.err
