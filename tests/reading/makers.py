"""Small files as the vendors write them, made here: pixels, tags, side-cars.

Each maker writes a file of given size whose metadata bytes went through ``change`` first, so
that tests can take a key away, cut the text or write it in another encoding.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

Change = Callable[[bytes], bytes]
ROWS, COLUMNS = 192, 256
"""Size at acquisition that the metadata of all makers state."""


def specimen(rows: int = ROWS, columns: int = COLUMNS, dtype: str = "uint8") -> NDArray[np.generic]:
    """Make noise without a label strip."""
    noise = np.random.default_rng(0).normal(110, 25, (rows, columns))
    return np.clip(noise, 1, 254).astype(dtype)


def same(content: bytes) -> bytes:
    """Leave the metadata as they are."""
    return content


def write_tiff(
    path: Path, image: NDArray[np.generic], tags: dict[int, bytes], **more: object
) -> Path:
    """Write a TIFF with raw tags of type BYTE."""
    extra = [(code, 1, len(value), value, True) for code, value in tags.items() if value]
    more = {"photometric": "minisblack"} | more
    tifffile.imwrite(path, image, extratags=extra, metadata=None, **more)  # type: ignore[arg-type]
    return path


ZEISS = (
    "\r\n0\r\n0\r\n0\r\n2.500000e-09\r\n5.0e+004\r\n6\r\n5.0e+003\r\n2.3\r\n1.0e-010\r\n3.9e-003\r\n"
    "DP_IMAGE_STORE\r\nStore resolution = 256 * 192\r\n"
    "DP_TILT_CORRECTION\r\nTilt Corrn. = Off\r\n"
    "DP_DETECTOR_CHANNEL\r\nSignal A = InLens\r\n"
    "AP_WD\r\nWD =  3.9 mm\r\nAP_MAG\r\nMag =  50.00 K X\r\n"
    "AP_ACTUALKV\r\nEHT =  5.00 kV\r\n"
    "AP_PIXEL_SIZE\r\nPixel Size = 2.5 nm\r\n"
    "AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 10.00 nm\r\n"
    "AP_WIDTH\r\nWidth = 2.560 µm\r\nAP_HEIGHT\r\nHeight = 1.920 µm\r\n"
    "AP_STAGE_AT_T\r\nStage at T = 0.0 °\r\n"
    "AP_DATE\r\nDate :25 Sep 2018\r\nAP_TIME\r\nTime :8:20:42\r\n"
    "SV_SERIAL_NUMBER\r\nSerial No. = ULTRA 55-00-00\r\n"
)

FEI = (
    "[User]\r\nDate=03/26/2019\r\nTime=01:42:25 PM\r\nUser=nobody\r\n\r\n"
    "[System]\r\nSystemType=Quanta\r\n\r\n[Beam]\r\nHV=2000\r\nBeam=EBeam\r\nScan=EScan\r\n\r\n"
    "[EBeam]\r\nHV=2000\r\nHFW=2.56e-06\r\nVFW=1.92e-06\r\nWD=0.005\r\nTiltCorrectionIsOn=no\r\n\r\n"
    "[Scan]\r\nDwelltime=1e-06\r\nPixelWidth=1e-08\r\nPixelHeight=1e-08\r\n"
    "HorFieldsize=2.56e-06\r\nVerFieldsize=1.92e-06\r\n\r\n[Stage]\r\nStageT=0\r\n\r\n"
    "[Image]\r\nResolutionX=256\r\nResolutionY=192\r\nDigitalGamma=1\r\n\r\n"
    "[Detectors]\r\nNumber=1\r\nName=ETD\r\nMode=SE\r\n"
)

FEI_XML = (
    '<?xml version="1.0"?>\r\n<Metadata xmlns:nil="http://schemas.fei.com/Metadata/v1/2013/07">'
    "<Instrument><InstrumentClass>Helios</InstrumentClass></Instrument>"
    "<Optics><AccelerationVoltage>2000</AccelerationVoltage>"
    "<WorkingDistance>0.005</WorkingDistance></Optics>"
    "<ScanSettings><ScanSize><Width>256</Width><Height>192</Height></ScanSize></ScanSettings>"
    "<Detectors><ScanningDetector><DetectorName>ETD</DetectorName></ScanningDetector></Detectors>"
    "<BinaryResult><ImageSize><X>256</X><Y>192</Y></ImageSize><PixelSize>"
    '<X unit="m" unitPrefixPower="1">1.0E-08</X><Y unit="m" unitPrefixPower="1">1.0E-08</Y>'
    "</PixelSize></BinaryResult></Metadata>"
)

TESCAN_MAIN = (
    "AccFrames=1\r\nDate=2025-02-17\r\nDevice=MIRA3\r\nImageStripSize=0\r\n"
    "Magnification=35.005e3\r\nPixelSizeX=10.0e-9\r\nPixelSizeY=10.0e-9\r\nTime=18:05:19\r\n"
)
TESCAN_SEM = "Detector=SE\r\nHV=2.0000e3\r\nStageTilt=0.0\r\nTiltCorrection=0.0\r\nWD=5.0e-3\r\n"

JEOL = (
    "$SEM_DATA_VERSION 1\r\n$CM_ACCEL_VOLT 2.00\r\n$$SM_WD 5.0\r\n$CM_MAG 46875\r\n"
    "$CM_SIGNAL SEI\r\n$CM_STAGE_POS 1.0 2.0 10.0 0 0 0\r\n$CM_FORMAT JEOL-SEM\r\n"
    "$CM_DATE 2020/08/31\r\n$CM_TIME 15:40:36\r\n$CM_INSTRUMENT 7800F\r\n"
    "$$SM_MICRON_BAR 100\r\n$$SM_MICRON_MARKER 1um\r\n$CM_FULL_SIZE 256 192\r\n"
)

HITACHI = (
    "[SemImageFile]\r\nInstructName=S-4800\r\nDate=03/14/2012\r\nTime=15:09:26\r\n"
    "DataSize=256x192\r\nPixelSize=10.00000\r\nSignalName=SE(U)\r\n"
    "AcceleratingVoltage=2000 Volt\r\nMagnification=49609\r\nWorkingDistance=5000 um\r\n"
    "DataDisplayCombine=0\r\nStagePositionT=0.0\r\n"
)

PHENOM = (
    '<?xml version="1.0" encoding="utf-8"?><FeiImage><databarHeight>0</databarHeight>'
    '<pixelWidth unit="nm">10.0</pixelWidth><pixelHeight unit="nm">10.0</pixelHeight>'
    "<time>2019-08-07T09:37:31</time><acquisition><scan><detector>bsd</detector>"
    '<highVoltage unit="kV">-2</highVoltage></scan></acquisition>'
    '<workingDistance unit="mm">5.0</workingDistance>'
    "<instrument><edition>ProX</edition></instrument></FeiImage>"
)

SIGHTX = (
    '<?xml version="1.0"?>\r\n<TemReporter><Instruments>JEM</Instruments>'
    "<ElectronGun><AccelerationVoltage>200000</AccelerationVoltage></ElectronGun>"
    "<ImageFormingSystem><ModeString>MAG</ModeString><SelectorValue>20000</SelectorValue>"
    "</ImageFormingSystem><PixelsPerMeter><Horizontal>5000</Horizontal><Vertical>5000</Vertical>"
    "</PixelsPerMeter></TemReporter>"
)

OME = (
    '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/'
    '2016-06"><Image ID="Image:0"><Pixels DimensionOrder="XYCZT" Type="uint8" SizeX="256" '
    'SizeY="192" SizeC="1" SizeZ="1" SizeT="1" PhysicalSizeX="0.01" PhysicalSizeXUnit="µm" '
    'PhysicalSizeY="0.01" PhysicalSizeYUnit="µm"><Channel/><TiffData IFD="0"/></Pixels></Image>'
    "</OME>"
)

IMAGEJ = "ImageJ=1.54f\nunit=nm\nspacing=1.0\nmin=0.0\nmax=255.0\n"

HAMAMATSU = (
    '[Application],Date="10/02/2022",Time="13:00:03.484",Software="HPD-TA"\r\n'
    '[Scaling],ScalingXType=2,ScalingXScale=1,ScalingXUnit="nm"\r\n'
)


def zeiss(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    return write_tiff(folder / "zeiss.tif", image, {34118: change(ZEISS.encode("latin-1"))})


def fei(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    return write_tiff(folder / "fei.tif", image, {34682: change(FEI.encode())})


def fei_xml(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    return write_tiff(folder / "fei_xml.tif", image, {34683: change(FEI_XML.encode())})


def fei_old(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    return write_tiff(folder / "fei_old.tif", image, {34680: change(FEI.encode())})


def tescan_blocks(main: bytes, sem: bytes) -> bytes:
    """Pack the texts into the blocks of tag 50431, a thumbnail before them."""
    blocks = ((1, b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40)), (2, main), (3, sem))
    return b"".join(struct.pack("<IH", len(body) + 2, kind) + body for kind, body in blocks)


def tescan(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    text = change(f"{TESCAN_MAIN}\0{TESCAN_SEM}".encode())
    main, _, rest = text.partition(b"\0")
    return write_tiff(folder / "tescan.tif", image, {50431: tescan_blocks(main, rest)})


def tescan_hdr(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    text = f"[MAIN]\r\n{TESCAN_MAIN}[SEM]\r\n{TESCAN_SEM}"
    (folder / "vega-tif.hdr").write_bytes(change(text.encode()))
    return write_tiff(folder / "vega.tif", image, {})


def jeol(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    (folder / "jeol.TXT").write_bytes(change(JEOL.encode("latin-1")))
    return write_tiff(folder / "jeol.tif", image, {})


def hitachi(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    (folder / "hitachi.txt").write_bytes(change(HITACHI.encode("latin-1")))
    return write_tiff(folder / "hitachi.tif", image, {})


def hitachi_tag(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    text = HITACHI.partition("\r\n")[2].encode()
    changed = change(text).decode("latin-1").encode("utf-16-le")
    return write_tiff(folder / "hitachi_tag.tif", image, {40092: changed})


def phenom(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    return write_tiff(folder / "phenom.tif", image, {34683: change(PHENOM.encode())})


def _described(path: Path, image: NDArray[np.generic], text: bytes, **more: object) -> Path:
    """Write a TIFF whose description are these bytes."""
    tifffile.imwrite(
        path, image, metadata=None,
        extratags=[(270, 2, len(text) + 1, text + b"\0", True)], **more,
    )  # type: ignore[arg-type]  # fmt: skip
    return path


def sightx(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    return _described(folder / "sightx.tif", image, change(SIGHTX.encode()))


def ome(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    return _described(folder / "made_ome.tif", image, change(OME.encode()))


def imagej(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    text = change(IMAGEJ.encode())
    return _described(folder / "imagej.tif", image, text, resolution=(0.1, 0.1), resolutionunit=1)


def hamamatsu(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    return _described(folder / "streak.tif", image, change(HAMAMATSU.encode()))


def gatan_tiff(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    unit = change(b"nm\0")
    tags = [
        (65003, 2, len(unit), unit, True), (65004, 2, len(unit), unit, True),
        (65009, 12, 1, 10.0, True), (65010, 12, 1, 10.0, True),
    ]  # fmt: skip
    path = folder / "gatan.tif"
    tifffile.imwrite(path, image, extratags=tags, metadata=None)
    return path


def tvips(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    """Write the record of version 2 with the pixel size at its place."""
    from tifffile.tifffile import TIFF  # names of the record's fields stay the library's

    record = bytearray(8000)
    struct.pack_into("<i", record, 0, 2)
    at = 0
    for name, kind in [*TIFF.TVIPS_HEADER_V1, *TIFF.TVIPS_HEADER_V2]:
        size = np.dtype(kind).itemsize if not kind.startswith("V") else int(kind[1:])
        if name in ("PixelSizeX", "PixelSizeY"):
            struct.pack_into("<f", record, at, 10.0)
        if name == "Magic":
            struct.pack_into("<I", record, at, 0xAAAAAAAA)
        at += size
    return write_tiff(folder / "tvips.tif", image, {37706: change(bytes(record[:at]))})


def mrc(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    rows, columns = image.shape[-2:]
    sections = image.shape[0] if image.ndim == 3 else 1
    head = bytearray(1024)
    struct.pack_into("<10i", head, 0, columns, rows, sections, 2, 0, 0, 0, columns, rows, sections)
    struct.pack_into("<6f", head, 40, 100.0 * columns, 100.0 * rows, 100.0 * sections, 90, 90, 90)
    struct.pack_into("<3i", head, 64, 1, 2, 3)
    head[208:212] = b"MAP "
    path = folder / "made.mrc"
    path.write_bytes(change(bytes(head)) + image.astype("<f4").tobytes())
    return path


def ser(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    rows, columns = image.shape
    head = struct.pack("<2sHHIIIIII", b"II", 0x0197, 0x0210, 0x4122, 0x4152, 1, 1, 30, 0)
    element = struct.pack("<ddiddiHii", 0, 1e-8, 0, 0, 1e-8, 0, 2, columns, rows)
    offsets = struct.pack("<II", 38, 0)
    path = folder / "made_1.ser"
    path.write_bytes(change(head + offsets + element) + image.astype("<u2").tobytes())
    return path


def _dm_entry(name: str, body: bytes, kind: int) -> bytes:
    return struct.pack(">BH", kind, len(name)) + name.encode("latin-1") + body


def _dm_group(entries: list[bytes]) -> bytes:
    return struct.pack(">BBI", 1, 0, len(entries)) + b"".join(entries)


def _dm_number(name: str, code: int, form: str, value: float) -> bytes:
    body = b"%%%%" + struct.pack(">II", 1, code) + struct.pack("<" + form, value)
    return _dm_entry(name, body, 21)


def _dm_text(name: str, text: str) -> bytes:
    content = text.encode("utf-16-le")
    info = struct.pack(">IIII", 3, 20, 4, len(text))
    return _dm_entry(name, b"%%%%" + info + content, 21)


def _dm_image(image: NDArray[np.generic], unit: str) -> bytes:
    axis = _dm_group(
        [
            _dm_number("Origin", 6, "f", 0.0),
            _dm_number("Scale", 6, "f", 10.0),
            _dm_text("Units", unit),
        ]
    )
    axes = _dm_group([_dm_entry("", axis, 20), _dm_entry("", axis, 20)])
    values = image.astype("<u2")
    info = struct.pack(">IIII", 3, 20, 4, values.size)
    sides = [_dm_number("", 5, "I", side) for side in reversed(image.shape)]
    data = _dm_group([
        _dm_entry("Calibrations", _dm_group([_dm_entry("Dimension", axes, 20)]), 20),
        _dm_entry("Data", b"%%%%" + info + values.tobytes(), 21),
        _dm_number("DataType", 5, "I", 10),
        _dm_entry("Dimensions", _dm_group(sides), 20),
    ])  # fmt: skip
    info_tags = _dm_group([_dm_number("Voltage", 7, "d", 2000.0)])
    tags = _dm_group([_dm_entry("Microscope Info", info_tags, 20)])
    return _dm_group([_dm_entry("ImageData", data, 20), _dm_entry("ImageTags", tags, 20)])


def dm3(folder: Path, image: NDArray[np.generic], change: Change = same, unit: str = "nm") -> Path:
    root = _dm_group([
        _dm_entry("ImageList", _dm_group([_dm_entry("", _dm_image(image, unit), 20)]), 20)
    ])  # fmt: skip
    path = folder / "made.dm3"
    path.write_bytes(change(struct.pack(">III", 3, len(root), 1) + root))
    return path


def velox(folder: Path, image: NDArray[np.generic], change: Change = same) -> Path:
    import h5py

    said = {
        "Instrument": {"InstrumentClass": "Titan"},
        "Optics": {"AccelerationVoltage": "2000", "OperatingMode": "2"},
        "Stage": {"AlphaTilt": "0.0"},
        "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1575540224"}},
        "BinaryResult": {
            "Detector": "HAADF", "PixelSize": {"width": "1e-8", "height": "1e-8"},
            "PixelUnitX": "m", "PixelUnitY": "m",
        },
    }  # fmt: skip
    text = change(json.dumps(said).encode())
    path = folder / "made.emd"
    with h5py.File(path, "w") as file:
        group = file.create_group("Data/Image/0f")
        group["Data"] = image[:, :, None]
        group["Metadata"] = np.frombuffer(text.ljust(60000, b"\0"), np.uint8)[:, None]
    return path


@dataclasses.dataclass(frozen=True)
class Maker:
    """A vendor's file that can be made here; its pixels are 10 nm, 256 x 192 at acquisition."""

    make: Callable[..., Path]
    kilovolts: float | None = 2.0
    states_size: bool = True  # the size at acquisition is in the metadata
    text: bool = True  # the metadata are text, whose keys can be taken away


MAKERS = {
    "zeiss": Maker(zeiss, 5.0),
    "fei": Maker(fei),
    "fei_xml": Maker(fei_xml),
    "fei_old": Maker(fei_old),
    "tescan": Maker(tescan, states_size=False),
    "tescan_hdr": Maker(tescan_hdr, states_size=False),
    "jeol": Maker(jeol),
    "hitachi": Maker(hitachi),
    "hitachi_tag": Maker(hitachi_tag),
    "phenom": Maker(phenom, states_size=False),
    "sightx": Maker(sightx, 200.0, states_size=False),
    "ome": Maker(ome, None),
    "imagej": Maker(imagej, None, states_size=False),
    "gatan_tiff": Maker(gatan_tiff, None, states_size=False, text=False),
    "tvips": Maker(tvips, None, states_size=False, text=False),
    "mrc": Maker(mrc, None, states_size=False, text=False),
    "ser": Maker(ser, None, states_size=False, text=False),
    "dm3": Maker(dm3, states_size=False, text=False),
    "velox": Maker(velox, states_size=False),
}
