"""Text as instruments write it: encodings, line ends, key=value lines, numbers, units, dates."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree

__all__ = [
    "Element",
    "Sections",
    "decode",
    "first_text",
    "full_date",
    "integer",
    "length_nm",
    "number",
    "parse_ini",
    "per_nm",
    "quantity",
    "split_lines",
    "truth",
    "xml_elements",
]

_NM_PER: Final[Mapping[str, float]] = {
    "fm": 1e-6,
    "pm": 1e-3,
    "picometer": 1e-3,
    "a": 0.1,
    "å": 0.1,
    "ang": 0.1,
    "angstrom": 0.1,
    "angstroms": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometers": 1.0,
    "nanometre": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "micrometers": 1e3,
    "micrometre": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "cm": 1e7,
    "centimeter": 1e7,
    "m": 1e9,
    "meter": 1e9,
    "metre": 1e9,
    "in": 2.54e7,
    "inch": 2.54e7,
    "inches": 2.54e7,
}

_NUMBER: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")


def decode(content: bytes) -> str:
    """Turn the bytes of a tag or side-car into text; nothing is refused.

    A byte order mark decides; UTF-16 without one is known by its zero bytes; then UTF-8 if
    it is that, else latin-1, in which every byte means something (0xB5 is the micro sign).
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace").rstrip("\0")
    sample = content[:400]
    half = len(sample) // 2 if len(sample) >= 8 else 0  # a unit of three letters is no UTF-16
    if half and sample[1::2].count(0) > 0.8 * half and sample[::2].count(0) < 0.2 * half:
        return content.decode("utf-16-le", "replace").rstrip("\0")
    if half and sample[::2].count(0) > 0.8 * half and sample[1::2].count(0) < 0.2 * half:
        return content.decode("utf-16-be", "replace").rstrip("\0")
    content = content.rstrip(b"\0")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def split_lines(text: str) -> list[str]:
    """Split at CRLF, CR or LF and at nothing else."""
    return re.split(r"\r\n|\r|\n", text)


class Sections(dict[str, dict[str, str]]):
    """Sections of ``key=value`` lines; keys before the first section are under ``""``.

    Attributes
    ----------
    cut : str
        Key of a last line without line end: its value may be cut off and is no basis for a
        length.
    """

    cut: str = ""

    def get_value(self, section: str, *keys: str) -> str:
        """Return the first value that is stated and not empty, else ``""``.

        Case of section and keys does not matter; ``"*"`` means any section.
        """
        wanted = section.lower()
        for key in keys:
            for name, values in self.items():
                if wanted not in ("*", name.lower()):
                    continue
                for own, value in values.items():
                    if own.lower() == key.lower() and value:
                        return value
        return ""

    def get_length(self, section: str, *keys: str) -> float | None:
        """Return a number as `get_value`, but none whose line is cut off or that is <= 0."""
        for key in keys:
            if key.lower() == self.cut.lower():
                continue
            value = number(self.get_value(section, key))
            if value is not None and value > 0:
                return value
        return None


def parse_ini(text: str, *, separator: str = "=") -> Sections:
    """Read ``[section]`` and ``key=value`` lines, leniently: what is neither is passed over."""
    sections = Sections()
    current = sections.setdefault("", {})
    lines = split_lines(text)
    key = ""
    for line in lines:
        line = line.strip().strip("\0\ufeff")
        if not line:
            continue
        key = ""
        if line.startswith("[") and "]" in line:
            current = sections.setdefault(line[1 : line.index("]")].strip(), {})
            continue
        key, found, value = line.partition(separator)
        key = key.strip()
        if found and key:
            current.setdefault(key, value.strip().strip("\0"))
    if lines[-1].strip():
        sections.cut = key
    return sections


def number(text: object) -> float | None:
    """Return the finite number that a text begins with, or None.

    Examples
    --------
    >>> number("15000 Volt"), number("35.005e3"), number("notafloat"), number("nan")
    (15000.0, 35005.0, None, None)
    """
    if isinstance(text, bool) or text is None:
        return None
    if isinstance(text, int | float):
        return float(text) if math.isfinite(text) else None
    plain = str(text).strip()
    if re.fullmatch(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", plain):
        plain = plain.replace(",", ".")  # decimal comma of a localised instrument
    match = _NUMBER.match(plain)
    if match is None:
        return None
    value = float(match.group(1))
    return value if math.isfinite(value) else None


def integer(text: object) -> int | None:
    """Return the whole number that a text begins with, or None."""
    value = number(text)
    return int(value) if value is not None and value == int(value) else None


def quantity(text: str) -> tuple[float | None, str]:
    """Split a text into number and unit.

    Examples
    --------
    >>> quantity("= 7.344 nm"), quantity("10um"), quantity("20.00 K X")
    ((7.344, 'nm'), (10.0, 'um'), (20.0, 'K X'))
    """
    plain = text.strip().lstrip("=:").strip()
    match = _NUMBER.match(plain)
    if match is None:
        return None, ""
    return number(match.group(1)), plain[match.end() :].strip()


def _unit(unit: object) -> str:
    """Write a unit in one way: lower case, one micro sign, no escapes."""
    plain = str(unit).strip().strip("\0")
    plain = re.sub(r"\\u00[bB]5", "µ", plain).replace("\u03bc", "µ").replace("\u212b", "å")
    plain = plain.replace("Âµ", "µ").replace("\xc5", "å").replace("_", "")
    return plain if plain in ("M", "NM") else plain.lower()


def length_nm(value: float | None, unit: object) -> float | None:
    """Convert a length to nm; None without a unit of length.

    Examples
    --------
    >>> length_nm(1.25, "µm"), length_nm(40.0, ""), length_nm(2.0, "1/nm")
    (1250.0, None, None)
    """
    factor = _NM_PER.get(_unit(unit))
    return None if value is None or factor is None else value * factor


def per_nm(value: float | None, unit: object) -> float | None:
    """Convert a reciprocal length (``1/nm``, ``1/m``, ``nm^-1``) to 1/nm, else None."""
    plain = _unit(unit).replace(" ", "")
    match = re.fullmatch(r"1/\(?([^()]+)\)?|([^\^]+?)\^?[-−⁻][1¹]", plain)
    if value is None or match is None:
        return None
    factor = _NM_PER.get(match.group(1) or match.group(2))
    return None if factor is None else value / factor


def truth(text: object) -> bool | None:
    """Return what on, yes, true, 1 and their opposites say; else None."""
    plain = str(text).strip().lower()
    if plain in ("on", "yes", "true", "1"):
        return True
    return False if plain in ("off", "no", "false", "0", "none") else None


_MONTHS: Final = tuple("jan feb mar apr may jun jul aug sep oct nov dec".split())  # noqa: SIM905  legible


def full_date(date: str, time: str = "", *, day_first: bool = False) -> str | None:
    """Write a date and a time as ISO 8601 without zone, or None.

    Examples
    --------
    >>> full_date("06/13/2016", "05:06:40 PM"), full_date("18 Apr 2016", "22:42:02")
    ('2016-06-13T17:06:40', '2016-04-18T22:42:02')
    """
    day = _date(date.strip(), day_first=day_first)
    if day is None:
        return None
    clock = _clock(time or _after_date(date))
    return day + (f"T{clock}" if clock else "")


def _after_date(date: str) -> str:
    """Return what may be the time in a text that holds both."""
    match = re.search(r"(?:^|[ T])(\d{1,2}:\d{2}.*)", date)
    return match.group(1) if match else ""


def _date(date: str, *, day_first: bool) -> str | None:
    """Read year, month and day in the orders that instruments use."""
    if match := re.match(r"(\d{4})[-/.:](\d{1,2})[-/.:](\d{1,2})", date):
        year, month, day = (int(part) for part in match.groups())
    elif match := re.match(r"(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4})", date):
        first, second, year = int(match.group(1)), int(match.group(3)), int(match.group(4))
        day_first = day_first or first > 12 or match.group(2) == "."
        day, month = (first, second) if day_first and second <= 12 else (second, first)
    else:
        return _written_date(date)
    if not (1 <= month <= 12 and 1 <= day <= 31 and year >= 1900):
        return None
    return f"{year:04d}-{month:02d}-{day:02d}"


def _written_date(date: str) -> str | None:
    """Read dates with the month as a word: ``18 Apr 2016``, ``Sun Feb 21 17:50:18 2016``."""
    month = re.search(
        r"[A-Za-z]{3,}",
        re.sub(r"^(?:mon|tue|wed|thu|fri|sat|sun)\w*", "", date, flags=re.IGNORECASE),
    )
    year = re.search(r"\b(?:19|20)\d\d\b", date)
    day = re.search(r"(?<![:\d])\d{1,2}(?![:\d])", date)
    if not (month and year and day) or month.group(0)[:3].lower() not in _MONTHS:
        return None
    index = _MONTHS.index(month.group(0)[:3].lower()) + 1
    return f"{year.group(0)}-{index:02d}-{int(day.group(0)):02d}"


def _clock(time: str) -> str:
    """Read a time of 24 or 12 hours to whole seconds; ``""`` when it is none."""
    match = re.match(r"\s*(\d{1,2}):(\d{2})(?::(\d{2}))?[^ APap]*\s*([AaPp]\.?[Mm])?", time)
    if match is None:
        return ""
    hour, minute, second = int(match.group(1)), int(match.group(2)), int(match.group(3) or 0)
    half = (match.group(4) or "").lower()
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour > 23 or minute > 59 or second > 60:
        return ""
    return f"{hour:02d}:{minute:02d}:{second:02d}"


class Element(NamedTuple):
    """A closed XML element: its path of local names, its text, its attributes."""

    path: str
    text: str
    attributes: dict[str, str]


def xml_elements(text: str, *, limit: int = 100_000) -> list[Element]:
    """List the elements of an XML text that are closed, so that a cut text is no loss.

    Parameters
    ----------
    text : str
        The XML; what follows after a fault is not read.
    limit : int
        Elements that are looked at at most.
    """
    start = max(text.find("<"), 0)
    parser: ElementTree.XMLPullParser[Any] = ElementTree.XMLPullParser(("start", "end"))
    elements: list[Element] = []
    path: list[str] = []
    with contextlib.suppress(ElementTree.ParseError, ValueError):
        # What was closed before a fault counts.
        parser.feed(re.sub(r"^<\?xml[^>]*\?>", "", text[start:].rstrip("\0")))
    events: Iterator[Any] = parser.read_events()
    with contextlib.suppress(ElementTree.ParseError):
        for event, item in events:
            if event == "start":
                path.append(item.tag.rpartition("}")[2])
                continue
            own = {key.rpartition("}")[2]: value for key, value in item.attrib.items()}
            elements.append(Element("/".join(path), (item.text or "").strip(), own))
            path.pop()
            if len(elements) >= limit:
                break
    return elements


def first_text(elements: Iterable[Element], *endings: str) -> str:
    """Return the text of the first element whose path ends so and that is not empty."""
    elements = list(elements)
    for ending in endings:
        for element in elements:
            if (element.path == ending or element.path.endswith("/" + ending)) and element.text:
                return element.text
    return ""
