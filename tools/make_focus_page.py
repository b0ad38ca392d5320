"""Write docs/reference/focus.md from the table of focus measures.

python tools/make_focus_page.py            writes the page
python tools/make_focus_page.py --check    exits with 1 where the page is out of date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_sem_tools.files import write_text
from napari_sem_tools.focus import DEFAULT_MEASURE, LIVE_MEASURES, MEASURES
from napari_sem_tools.focus.measures.measure import Measure

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "focus.md"

_HEAD = """# Focus: score and measures

<!-- Written by tools/make_focus_page.py from src/napari_sem_tools/focus/measures/table.py. -->

## The score

`sem.focus(image)` gives a score from 0 to 10 with its 90 % interval:
**10 minus one point for each 0.4 px of blur** (standard deviation) that was added to a well
focused image; 0 from 4 px on. Beside it stand the added blur in px and nm, the signal-to-noise
ratio, the contrast, and the reasons in words. The data bar and burnt-in letters are left out.

- `mix` joins about 220 numbers of each tile of 240 x 320 px (spectrum over its noise, derivatives
  at five scales, widths of the strongest edges, sharpest and dullest parts, autocovariance,
  energies over the range of grey values) by a few small perceptrons and by boosted trees, half
  and half; the trees, which saw no blur beyond the scale, say nothing at its lower end. It needs
  NumPy and SciPy.
- `network` is the small network of the package. It needs PyTorch.
- `auto` is both where PyTorch and the model are at hand, else the mix.
- `both` is the mean of the two. Their errors differ, so that it is the surest for a single image;
  it takes the time of both.

Tiles of an image weigh by how sure they are. Tiles of one image err alike, so more of them do not
make the interval narrower. A smooth specimen in focus looks like a sharp one out of focus: where
texture is missing the interval grows, and no method takes that away.

Blank, black, white, saturated and noise images score 0 with `information = False` and the reason
"no information: ...". An image is noise when its power does not depend on the frequency along the
slow scan axis and neighbours on that axis do not correlate, by five standard errors: a picture at
5 electrons a pixel still shows its structure there.

A few frames that you score yourself teach the scale of your instrument:
`recalibrate(predicted, given)` learns a shift and a gain below eight frames, a rising course
(isotonic regression) from eight on.

## Measures

`sem.focus_measures(image)` gives them by name. In the formulas I are the grey values, m their mean,
v their variance, n the variance of white noise (mean power above 0.42 cycles/px), G_s a Gaussian of
s px, P the radial power under a Hann window, r_d the autocovariance at lag d, <.> the mean over the
pixels that count. *Sharper*: which way a sharper image moves it; none for those that tell noise or
contrast. *Gain*: what a gain g of the image does to it. *Offset*: whether a constant added to the
grey values leaves it as it is. *Noise*: white noise adds to it (grows), decides over it (strong),
disturbs it little (medium), has its expectation taken out (corrected) or none (none), or sets its
value (limit).
"""

_RESOLUTION = """
`dr_like`, `cg_like` and `ft_like` are like the three methods that ISO/TS 24597:2011 names
(derivative of edge profiles, contrast to gradient, Fourier), not according to it. They give a
resolution only where the specimen has sharp edges. Of a Gaussian blur s, the 25-75 % width of an
edge is 1.349 s, the 20-80 % width 1.683 s, the full width at half maximum 2.355 s. Measures in nm
are NaN for images without a pixel size. `FRC1` and `DCOR` say where the signal meets the noise:
more dose raises them at the same focus, so they tell the limit and not the focus.
`ring_correlation` and `two_frame_snr` compare two registered frames of one field.

## Which measure to use

- **Frames of one field** (a series, a live image): `{default}`. Gain and offset of the frames do
  not matter to it, and noise little; `LoG2n/netvar` is the same with the noise taken out, for less
  than 10 electrons a pixel.
- **One image**: the score; of the measures alone the net band-power ratio `BAND`, and `EDGW`.
- Live, beside the score: {live}.
  They share one spectrum and one blurred image.
- Not the **variance of the Laplacian** `LAPV`, the habit of many programs: white noise of
  variance n adds 20 n to it. Micrographs carry enough noise to make it blind to focus.

## Measures that fail on real frames

Three real frames of one field, 8, 13 and 18 um from focus, in nine tiles (27 pairs of frames;
`python benchmarks/focus_triple.py DATA`). Noise and brightness of the three carry no order of
focus; the measures below follow them.

| measure | pairs right | order | reason |
| --- | --- | --- | --- |
"""

FAILS = {
    "LAPV": ("6 of 27", "wrong", "white noise adds 20 n, and n differs from frame to frame"),
    "LAPE": ("6 of 27", "wrong", "as the variance of the Laplacian"),
    "LAPM": ("6 of 27", "wrong", "as the variance of the Laplacian"),
    "BEFF": ("0 of 27", "reversed", "a blur of 11 px takes more away from noise than from edges: "
             "the less is left of the specimen, the sharper it reads; so does "
             "`skimage.measure.blur_effect`, of which it is one minus"),
    "SLOP": ("0 of 27", "reversed", "the flat spectrum of the noise weighs more the less power the "
             "specimen has: the slope flattens with blur"),
    "HFRA": ("0 of 27", "reversed", "the high frequencies are noise, and their share grows as the "
             "specimen fades"),
    "DCTM": ("0 of 27", "reversed", "as the share of high frequencies"),
    "WAVR": ("0 of 27", "reversed", "the finest level holds noise alone"),
    "LoGR2/4": ("3 of 27", "wrong", "at 2 px more noise than at 4 px, and it is not taken out"),
    "GRAE": ("18 of 27", "wrong", "4 n of noise"),
    "SMD": ("16 of 27", "wrong", "noise, as the energy of the gradient"),
    "GLVN": ("20 of 27", "wrong", "the mean grey value differs from frame to frame"),
}  # fmt: skip

_TAIL = """
Right on average with single tiles wrong: LoG1, GDR2/4, GRDK, BAND, SIGM, FCUT, ft_like, WAVS, DCTR,
VABS, GLVA, HISR, HELM, VOL5, VOL4/var, FRC1, DCOR. The others are right in all 27 pairs.
"""


def row(measure: Measure) -> str:
    """Return the line of a measure."""
    way = {True: "larger", False: "smaller", None: ""}[measure.larger_is_sharper]
    offset = "free" if measure.offset_free else "changes"
    formula = measure.formula.replace("|", "\\|")
    return (
        f"| `{measure.name}` | {measure.full_name} | {formula} | {measure.unit} | {way} "
        f"| {measure.gain} | {offset} | {measure.noise} | {measure.source} |"
    )


def page() -> str:
    """Return the whole page."""
    head = "| name | | formula | unit | sharper | gain | offset | noise | source |\n" + "| --- " * 9
    table = "\n".join([head + "|", *(row(measure) for measure in MEASURES.values())])
    fails = "\n".join(f"| `{name}` | {' | '.join(said)} |" for name, said in FAILS.items())
    live = ", ".join(f"`{name}`" for name in LIVE_MEASURES)
    uses = _RESOLUTION.replace("{default}", DEFAULT_MEASURE).replace("{live}", live)
    return f"{_HEAD}\n{table}\n{uses}{fails}\n{_TAIL}"


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
