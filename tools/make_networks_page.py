"""Write docs/reference/networks.md from the table of networks.

python tools/make_networks_page.py            writes the page
python tools/make_networks_page.py --check    exits with 1 where the page is out of date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_sem_tools.files import write_text
from napari_sem_tools.models.architectures import ARCHITECTURES, FAMILIES, Architecture

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "networks.md"

_HEAD = """# Networks

<!-- Written by tools/make_networks_page.py from src/napari_sem_tools/models/architectures.py. -->

A card names its network in `architecture` and its arguments in `arguments`. The same in Python:

```python
from napari_sem_tools.models.architectures import ARCHITECTURES, FAMILIES, build

network = build("multires", {"inputs": 1, "outputs": 1})   # torch.nn.Module, first weights random
```

Listing them imports nothing. All answer before their last function (sigmoid, softmax, tanh): it
stands in the card's `outputs`. `inputs` and `outputs` are the channels of the image and of the
answer, one in by default.

## Ours

Plain torch: `pip install "napari-sem-tools[torch]"`. Parameters are counted as Keras does, with
the running means and variances of normalisations, for the default arguments and one channel in.
"""

_SIZES = """
The U-Nets, MultiRes U-Nets and translation networks take images of any size: they mirror them
below and to the right to the next multiple (`network.multiple`, 16 for the U-Nets) and cut the
answer back. Exceptions: `folded-unet` wants multiples of `network.multiple` (32), translation
wants at least twice its multiple (8, for 1.2 16 px). ResNets take any size.

`resnet18-focus` also takes the magnification divided by 10 000, as a tensor `(N, 1)`; without, it
is taken as unknown (0). `conditions` says how many such numbers there are.

## Of other libraries

`pip install "napari-sem-tools[networks]"` brings segmentation_models_pytorch, timm and torchvision.
"""

_TAIL = """
- `smp:unet:resnet34` is one of smp; `smp:Unet` with `encoder_name` among the arguments is the same.
  Images must be multiples of `network.multiple`, mostly 32; tiles are. `deeplabv3`, `deeplabv3plus`
  and `pan` dilate the encoder, which those of VGG, DenseNet, Inception and Xception refuse;
  `linknet` and `unetplusplus` refuse those of SegFormer (`mit_`); `dpt` takes transformers
  of timm alone, e.g. `smp:dpt:tu-vit_small_patch16_224`.
- `timm:convnext_tiny` with `task`: `classification` (logits), `embedding` (the features),
  `focus` (a score), `segmentation` (maps through a feature pyramid, at the image's size).
- They are built without weights. Arguments that would make a library load some (`pretrained`,
  `encoder_weights`, `checkpoint_path`, ...) are refused, so are names that are addresses or paths.

## Encoders that have seen other images

```python
from napari_sem_tools.models.encoder_weights import load_encoder_weights

network = build("smp:unet:resnet50", {"outputs": 2})
report = load_encoder_weights(network, "https://...", sha256="...")
print(report)     # how many tensors were loaded, what was left out
```

Give the address of weights for ImageNet or from MicroNet and the SHA-256 of the file. It is kept
in the user's cache; a safetensors file is read as it is, a `.pth` in a process of its own (see
[what is trusted](models.md#what-is-trusted)). All of the encoder must fit by name and shape, or
nothing is changed; the first convolution for three colours is added up for one grey channel. Our
`resnet18` takes weights of torchvision's and timm's ResNet-18 and needs neither.

There is no table of known addresses. torchvision and timm publish eight digits of the SHA-256 of
their files, in the names, MicroNet none, and weights are not loaded by a part of a hash. Compute
it once from a copy that you trust: `sha256sum resnet50.pth`.

## Details
"""


def own_table() -> str:
    """Return the table of our networks."""
    lines = [
        "\n| name | what it is | for | parameters | source |",
        "| --- | --- | --- | ---: | --- |",
    ]
    for row in ARCHITECTURES.values():
        tasks = ", ".join(row.tasks) or "training"
        lines.append(
            f"| `{row.name}` | {row.help}{_preset(row)} | {tasks} | {row.parameters:,} "
            f"| {row.source} |"
        )
    return "\n".join(lines) + "\n"


def _preset(row: Architecture) -> str:
    """Say which arguments make a row of a network."""
    given = ", ".join(f"{key} = {value}" for key, value in row.preset.items())
    return f" ({given})" if given else ""


def family_table() -> str:
    """Return the table of the networks of other libraries."""
    lines = ["\n| name | what it is | for | source |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{row.pattern}` | {row.help} | {', '.join(row.tasks)} | {row.source} |"
        for row in FAMILIES.values()
    ]
    return "\n".join(lines) + "\n"


def details() -> str:
    """Return the references to what every builder takes."""
    builders = dict.fromkeys(row.builder.replace(":", ".") for row in ARCHITECTURES.values())
    return "".join(f"\n::: {name}\n    options:\n      members: false\n" for name in builders)


def page() -> str:
    """Return the whole page."""
    return _HEAD + own_table() + _SIZES + family_table() + _TAIL + details()


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    if parser.parse_args().check:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        sys.stderr.write(f"{PAGE.name} is out of date; run {Path(__file__).name}\n")
        return 1
    write_text(PAGE, page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
