"""The sentences of a report: headline, method, rule for doubtful particles."""

from __future__ import annotations

from napari_sem_tools._version import __version__
from napari_sem_tools.analysis.plan import Plan
from napari_sem_tools.analysis.result import ImageResult
from napari_sem_tools.measurement.doubt import BY_HAND, COUNTED, LEFT_OUT
from napari_sem_tools.reporting import Statistic
from napari_sem_tools.reporting.records import short

__all__ = ["doubt_rule", "headline", "method_paragraphs"]

_THRESHOLD = (
    "Particles were found by grey level (method threshold): the image was smoothed, a slow "
    "brightness trend removed where asked, a threshold drawn between background and particles, "
    "and touching particles separated at necks and grey valleys."
)
_SIZE = (
    "The area A of a particle is its number of pixels times the area of a pixel; its size is the "
    "equivalent circular diameter ECD = √(4A/π). Every counted particle has the same weight "
    "(distribution by number). The data bar, burnt-in letters and regions left out are not "
    "measured in."
)


def headline(images: list[ImageResult], statistics: dict[str, tuple[Statistic, ...]]) -> str:
    """Say the result in a sentence."""
    parts = []
    for unit, rows in statistics.items():
        by_name = {row.name: row for row in rows}
        count = sum(image.sizes.size for image in images if not image.failed and image.unit == unit)
        if not count:
            continue
        noun = "particle" if count == 1 else "particles"
        median = by_name.get("median") or by_name.get("d50")
        size = f", median diameter {median.text}" if median else ""
        note = " (uncalibrated)" if unit == "px" else ""
        parts.append(f"{count} {noun} counted{size}{note}")
    return ("; ".join(parts) or "No particle was counted") + "."


def method_paragraphs(plan: Plan, images: list[ImageResult]) -> tuple[str, ...]:
    """Write the method as for a paper."""
    done = [image for image in images if not image.failed]
    found = sum(len(image.table) for image in done)
    edge = sum(image.count("edge") for image in done)
    doubtful = sum(image.count("doubtful") for image in done)
    counted = sum(image.count("included") for image in done)
    first = _THRESHOLD if plan.method == "threshold" else f"Particles were found by {plan.method}."
    counts = (
        f"Of {found} particles in {len(done)} {'image' if len(done) == 1 else 'images'}, "
        f"{edge} are cut by the edge of the field and {doubtful} are doubtful; "
        f"{counted} were counted."
    )
    return (
        f"{first} Software: napari-sem-tools {__version__}.",
        _SIZE,
        " ".join(part for part in (counts, _by_hand(done), _calibration(done)) if part),
    )


def _by_hand(images: list[ImageResult]) -> str:
    """Say how many particles were decided by hand; empty when none was."""
    words = [w for i in images if BY_HAND in i.table for w in i.table[BY_HAND]]
    counted, left_out = words.count(COUNTED), words.count(LEFT_OUT)
    said = [f"{n} {word}" for n, word in ((counted, COUNTED), (left_out, LEFT_OUT)) if n]
    if not said:
        return ""
    return f"By hand, whatever the rules say: {', '.join(said)} (column by_hand)."


def doubt_rule(plan: Plan) -> str:
    """Explain the rule for doubtful particles and how to switch it off."""
    from napari_sem_tools.measurement import describe_rules

    rule = describe_rules(plan.measuring)
    return (
        f"{rule} Doubtful particles are drawn in red and stay in particles.csv with their reason; "
        "switch the rule off with --no-leave-out-doubtful, or measure_settings="
        "dict(leave_out_doubtful=False)."
    )


def _calibration(images: list[ImageResult]) -> str:
    """Say how the pixel size is known."""
    sizes = sorted({i.calibration.nm_per_px[1] for i in images if i.calibration.is_calibrated})
    if not sizes:
        return "There is no pixel size; sizes are in px."
    origins = sorted({i.calibration.origin for i in images if i.calibration.is_calibrated})
    span = f"{short(sizes[0], 6)} nm"
    if len(sizes) > 1:
        span = f"{short(sizes[0], 6)} to {short(sizes[-1], 6)} nm"
    return f"The pixel size is {span} (known by: {', '.join(origins)})."
