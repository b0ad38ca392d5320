"""The set of NFFA-Europe: ten categories of SEM images, where they lie and how they are known.

Two releases are in use that differ in every archive.  Which one a file belongs to is told by its
checksum; the digit in the names of the images differs between releases and is never used.
"""

from __future__ import annotations

import dataclasses
from typing import Final

__all__ = [
    "ARCHIVES",
    "CATEGORIES",
    "CITATION",
    "DOI",
    "LICENCE",
    "RECORD",
    "Archive",
    "release_of",
]

DOI: Final = "10.23728/b2share.80df8606fcdb4b2bae1656f0dc6db8ba"
LICENCE: Final = "CC-BY-4.0"
CITATION: Final = (
    "R. Aversa, M. H. Modarres, S. Cozzini, R. Ciancio, A. Chiusole, The first annotated set of "
    "scanning electron microscopy images for nanoscience, Scientific Data 5 (2018) 180172"
)
RECORD: Final = "https://b2share.eudat.eu/api/records/862nr-cn036"
RELEASES: Final = ("21169 images", "862nr-cn036")


@dataclasses.dataclass(frozen=True)
class Archive:
    """An archive of one category.

    Attributes
    ----------
    file : str
        Its name.
    images : int
        How many images the release of 21,169 holds in it.
    md5, sha256 : str
        Of that release.
    md5_of_record : str
        Of the release in record 862nr-cn036.
    """

    file: str
    images: int
    md5: str
    sha256: str
    md5_of_record: str

    @property
    def category(self) -> str:
        """Name of the category."""
        return self.file.removesuffix(".tar")


ARCHIVES: Final[tuple[Archive, ...]] = (
    Archive(
        "Biological.tar",
        962,
        md5="296cd6be5ac97b2203e807e9552d9aeb",
        sha256="0ccb23ff5f4fefbf57a8f298a343b345da39c4c0856de336508e7ce36e571268",
        md5_of_record="c3a20755e2d937d70dd7d5be18f6006e",
    ),
    Archive(
        "Fibres.tar",
        150,
        md5="c942e19b8ab221d3c700f44a0c67b306",
        sha256="d0c8f1f12e567397622399c538be206116b8580fc6d18adfdcd08fa9c758cc3d",
        md5_of_record="86fb065581eb3680f08ab2de9cea86eb",
    ),
    Archive(
        "Films_Coated_Surface.tar",
        309,
        md5="3c2e6cb914e1864855d9c3805ef47913",
        sha256="cf3b17f1283df82883457bbd6ad154ab473d8fd34b82b31e7231b9245bbef874",
        md5_of_record="feb2b098a150c2ba6b6b35f2f18a6e7c",
    ),
    Archive(
        "MEMS_devices_and_electrodes.tar",
        4_583,
        md5="98a988b167ff25528b80ab8bf7585c04",
        sha256="ef47512e2d31aa9ffe39881fe63725494e7e1d0ec866f712613bb56ac2fc5959",
        md5_of_record="8bc4f788ec54de267a2b8cd0ac92066a",
    ),
    Archive(
        "Nanowires.tar",
        3_815,
        md5="bc51bd48acbb693e5f34e0c9f882cf3e",
        sha256="56139f2deb14a7b4214dd644565246dd147dff767804aff55cd9addda64c2a66",
        md5_of_record="005ffe16579c6352d3d521f58de56e8d",
    ),
    Archive(
        "Particles.tar",
        3_905,
        md5="61266e91981d0a0b4f7c6f15061cffc9",
        sha256="37073dd159184e64c6fa5ad6a82e09b47c4e94077b0699d22a6a0251eb2b6889",
        md5_of_record="6b73d88e65d3c00493076238c4230579",
    ),
    Archive(
        "Patterned_surface.tar",
        4_752,
        md5="44d3964bef4ee7e84ba2f99c84036e9c",
        sha256="e5c5cabe5e55aebffe7c4420b1db14f8be6ad75fc275c5dded01f6f001c95649",
        md5_of_record="19c0417faa8f977fdbf13d9c91ac3be8",
    ),
    Archive(
        "Porous_Sponge.tar",
        174,
        md5="fc71dc2603d6255b28aa6954a0190665",
        sha256="a011f1391dfdb7323d75c0863279722cefdb85b774daee281bcfe3f08e5a2516",
        md5_of_record="851e6daf0e7ce45b68dbe9eb1338807e",
    ),
    Archive(
        "Powder.tar",
        898,
        md5="8209599720c2b5e0cfde6a985d49d0a3",
        sha256="8248b92ba75ad4cbd903619fcaf68fc8ade71c73592db0fcd926d89d19de98d8",
        md5_of_record="82da8aeb4d7a79c53bc3fefe9770e757",
    ),
    Archive(
        "Tips.tar",
        1_621,
        md5="e5a5bc0fbc7f3339b4ab5f4229991290",
        sha256="6b7fffc11a7268c37225cda7945395e3acdc2bb85e03e22c1f6b2a293ffa3a90",
        md5_of_record="0a85315213af1c32a14555d46e8f093a",
    ),
)
"""The ten archives, by name."""

CATEGORIES: Final = tuple(archive.category for archive in ARCHIVES)
"""The ten categories, in alphabetical order."""


def release_of(archive: Archive, checksum: str) -> str:
    """Return which release a checksum belongs to, ``"unknown"`` for none.

    Examples
    --------
    >>> release_of(ARCHIVES[0], "md5:" + ARCHIVES[0].md5_of_record)
    '862nr-cn036'
    """
    digits = checksum.rpartition(":")[2].lower()
    if digits in (archive.md5, archive.sha256):
        return RELEASES[0]
    return RELEASES[1] if digits == archive.md5_of_record else "unknown"
