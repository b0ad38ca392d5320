"""`Catalogue`: add folders, ask by filters, find what is alike."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.catalogue.adding import Adding, Failed
from napari_sem_tools.catalogue.asking import (
    ORDERS,
    SELECT,
    allowed,
    candidates,
    number_of,
    path_of,
    rows_of,
    table_of,
    where_of,
)
from napari_sem_tools.catalogue.database import Journal, database_errors, reader, writer
from napari_sem_tools.catalogue.entries import Looking, Scoring
from napari_sem_tools.catalogue.filters import CatalogueFilter, filter_from, under
from napari_sem_tools.catalogue.maps import MAPS, neighbourhoods, plane
from napari_sem_tools.catalogue.records import Added, Counts, Failure, VectorSource, vector_source
from napari_sem_tools.catalogue.regions import part_of_image
from napari_sem_tools.catalogue.vectors import Vectors, find_model
from napari_sem_tools.errors import InvalidSettings, UnreadableFile
from napari_sem_tools.focus import focus as focus_score
from napari_sem_tools.reading import as_micrograph
from napari_sem_tools.tasks import Cancel, Progress

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Catalogue"]


class Catalogue:
    """An index of images: what they are, where they lie, which are alike.

    Nothing is made on the disk before the first `add`.  One program may write at a time;
    others may read meanwhile.

    Parameters
    ----------
    path : path-like
        Folder of the catalogue; the images stay where they are.
    embedding : str, VectorSource or None
        What makes the vectors that likeness is worked out from: a name of
        `napari_sem_tools.classification.EMBEDDINGS`, or a `VectorSource`.  None: no vectors.
    focus : bool or callable
        Whether, or by what function of a `Micrograph`, the focus is scored.
    journal : {"auto", "wal", "rollback"}
        Of SQLite; ``"auto"``: the write-ahead log, on a network share the rollback journal.

    Examples
    --------
    >>> import tempfile
    >>> from napari_sem_tools.tiff import write_tiff
    >>> looks = VectorSource("mean-1", lambda image: np.array([image.grey.mean(), 50.0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, grey in (("dark", 10), ("dim", 30), ("light", 200)):
    ...         _ = write_tiff(Path(folder) / f"{name}.tif", np.full((32, 32), grey, np.uint8))
    ...     with Catalogue(Path(folder) / "index", embedding=looks, focus=False) as catalogue:
    ...         new = catalogue.add(folder).new
    ...         alike = catalogue.similar(Path(folder) / "dark.tif", count=2)
    >>> new, [Path(p).stem for p in alike["path"]]
    (3, ['dim', 'light'])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        embedding: str | VectorSource | None = "auto",
        focus: bool | Scoring = True,
        journal: Journal = "auto",
    ) -> None:
        self.path = Path(os.path.abspath(path))
        self._source = vector_source(embedding)
        self._scoring = focus if callable(focus) else focus_score if focus else None
        self._journal: Journal = journal
        self._guard = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._end: Any = None
        self._vectors: Vectors | None = None

    def __enter__(self) -> Self:
        """Return the catalogue; it is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all files; the next call opens them again."""
        with self._guard:
            if self._end is not None:
                self._end()
            self._db = self._end = self._vectors = None

    def __len__(self) -> int:
        """Count the images, those that are gone included."""
        return self.counts().images

    # --- changing --------------------------------------------------------------------------

    def add(
        self,
        inputs: Any,
        *,
        again: bool = False,
        failed: Failed | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Added:
        """Add folders, deeper ones included, and files; what is known already costs nothing.

        Parameters
        ----------
        inputs : path-like or iterable of path-like
        again : bool
            Look once more at files that failed before.
        failed : callable, optional
            Called with a `Failure` for each file that cannot be catalogued; the others go on.
        progress, cancel : callable, optional

        Returns
        -------
        Added
            Counts.  Files of these folders that are no longer there are marked, not removed.

        Raises
        ------
        UnreadableFile
            There is no such folder or file.
        OutputExists
            Another program is writing the catalogue.
        Cancelled
            What was done is kept, and the next `add` goes on from it; so it is after a crash.
        """
        roots = _roots(inputs)
        looking = Looking(self._source, self._scoring)
        with writer(self.path, journal=self._journal) as db:
            adding = Adding(db, looking, again=again, failed=failed, cancel=cancel)
            added = adding.run(roots, leave_out=self.path, progress=progress)
            model = None if self._source is None else find_model(db, self._source.identity)
            if model is not None:
                Vectors(db, self.path, model).refresh()
        return added

    def set_category(
        self,
        images: int | Iterable[int],
        category: str | None,
        *,
        confidence: float | None = None,
        origin: str = "typed",
    ) -> int:
        """Say which category images belong to.

        Parameters
        ----------
        images : int or iterable of int
            Index values of `query`.
        category : str or None
            Levels are separated by ``/``; None takes the category away.
        confidence : float, optional
            Between 0 and 1.
        origin : str
            ``"typed"``, or the model that says so.

        Returns
        -------
        int
            How many images were changed.

        Raises
        ------
        InvalidSettings
            An empty category, or a confidence that is none.
        """
        if category is not None and not category.strip("/ "):
            raise InvalidSettings("An empty category is none.", hint="None takes it away.")
        if confidence is not None and not 0 <= confidence <= 1:
            raise InvalidSettings(f"confidence = {confidence} is not between 0 and 1.")
        numbers = [images] if isinstance(images, int | np.integer) else list(images)
        said = (category, confidence, origin) if category is not None else (None, None, None)
        with writer(self.path, journal=self._journal, create=False) as db:
            db.execute("BEGIN IMMEDIATE")
            changed = db.executemany(
                "UPDATE images SET category = ?, category_confidence = ?, category_origin = ? "
                "WHERE id = ?",
                [(*said, int(number)) for number in numbers],
            ).rowcount
            db.execute("COMMIT")
        return int(changed)

    def forget_gone(self) -> int:
        """Remove the images whose files are gone, with their vectors and categories.

        Returns
        -------
        int
            How many images were removed.
        """
        with writer(self.path, journal=self._journal, create=False) as db:
            db.execute("BEGIN IMMEDIATE")
            removed = db.execute("DELETE FROM images WHERE present = 0").rowcount
            db.execute("DELETE FROM files WHERE gone IS NOT NULL")
            db.execute("UPDATE facts SET value = value + 1 WHERE name = 'vectors'")
            db.execute("COMMIT")
        return int(removed)

    # --- asking ----------------------------------------------------------------------------

    def counts(self) -> Counts:
        """Return how much the catalogue holds.

        Returns
        -------
        Counts
        """
        identity = "" if self._source is None else self._source.identity
        with self._reading() as db:
            images, gone, failed, kept = db.execute(
                "SELECT (SELECT count(*) FROM images), "
                "(SELECT count(*) FROM images WHERE present = 0), "
                "(SELECT count(*) FROM files WHERE error IS NOT NULL AND gone IS NULL), "
                "(SELECT count(*) FROM vectors v JOIN models m ON m.id = v.model "
                "WHERE m.identity = ?)",
                (identity,),
            ).fetchone()
            journal = db.execute("PRAGMA journal_mode").fetchone()[0]
        return Counts(int(images), int(gone), int(failed), int(kept), str(journal))

    def failures(self, folder: str | os.PathLike[str] | None = None) -> list[Failure]:
        """List the files that could not be catalogued, and why.

        Parameters
        ----------
        folder : path-like, optional
            Only those in this folder or deeper.

        Returns
        -------
        list of Failure
            By path.
        """
        low, high = ("", "\U0010ffff") if folder is None else under(folder)
        with self._reading() as db:
            rows = db.execute(
                "SELECT path, error, coalesce(hint, '') FROM files WHERE error IS NOT NULL "
                "AND gone IS NULL AND path >= ? AND path < ? ORDER BY path",
                (low, high),
            ).fetchall()
        return [Failure(Path(path), error, hint) for path, error, hint in rows]

    def query(
        self,
        filters: CatalogueFilter | None = None,
        *,
        order: str = "path",
        descending: bool = False,
        limit: int | None = None,
        **named: Any,
    ) -> pd.DataFrame:
        """Return the images that a filter lets through.

        Parameters
        ----------
        filters : CatalogueFilter, optional
        order : str
            A column of the table; what has no value comes last.
        descending : bool
        limit : int, optional
            At most this many rows.
        **named
            Fields of `CatalogueFilter`, such as ``magnification_min=1000``.

        Returns
        -------
        DataFrame
            A row an image, its number as index: ``path``, ``copies``, ``gone``, then what is
            known of it.

        Raises
        ------
        InvalidSettings
            There is no such field or column, or a value is out of its range.
        UnreadableFile
            There is no catalogue.
        """
        wanted = filter_from(filters, named)
        if order not in ORDERS:
            raise InvalidSettings(
                f"There is no column {order}.", hint=f"Known: {', '.join(ORDERS)}."
            )
        if limit is not None and limit < 0:
            raise InvalidSettings(f"limit = {limit} is below 0.")
        where, values = where_of(wanted)
        by = {"path": "path", "image": "i.id"}.get(order, f"i.{order}")
        with self._reading() as db:
            rows = db.execute(
                f"{SELECT} WHERE {where} "
                f"ORDER BY {by} IS NULL, {by} {'DESC' if descending else 'ASC'}, i.id LIMIT ?",
                (*values, -1 if limit is None else limit),
            ).fetchall()
        return table_of(rows)

    def similar(
        self,
        image: Any,
        *,
        count: int = 10,
        region: Any = None,
        filters: CatalogueFilter | None = None,
        **named: Any,
    ) -> pd.DataFrame:
        """Return the images that look most like one, exactly, the most alike first.

        Parameters
        ----------
        image : int, path-like, Micrograph, napari Image layer or array
            A number is that of an image of the catalogue.
        count : int
            How many are wanted.
        region : ((int, int), (int, int)) or bool array (Y, X), optional
            Look only at these rows and columns ``((first, stop), (first, stop))``, or at the
            box round what is True, e.g. ``labels == 7``.
        filters : CatalogueFilter, optional
            Only these come into question.
        **named
            Fields of `CatalogueFilter`.

        Returns
        -------
        DataFrame
            As `query`, with the column ``similarity``: the cosine between the vectors, at most
            1.  The image itself is left out where it is known.

        Raises
        ------
        InvalidSettings
            The catalogue makes no vectors, or the region is none.
        UnreadableFile
            There is no catalogue, or the image cannot be read.
        """
        if count < 1:
            raise InvalidSettings(f"count = {count} is below 1.")
        wanted = filter_from(filters, named)
        with self._reading() as db:
            vectors = self._searchable(db)
            own = number_of(db, image)
            query = self._query_vector(db, vectors, image, own, region)
            only, without = candidates(db, vectors, wanted, own)
            ids, scores = vectors.search(query, count, only=only, without=without)
            table = table_of(rows_of(db, ids))
        table["similarity"] = scores.astype(float)
        return table

    def map(
        self,
        filters: CatalogueFilter | None = None,
        *,
        method: str = "pca",
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        **named: Any,
    ) -> pd.DataFrame:
        """Return the collection as points in a plane.

        Alike images lie near each other; distances between groups mean little, with
        ``"umap"`` nothing.

        Parameters
        ----------
        filters : CatalogueFilter, optional
        method : {"pca", "umap"}
            The first two principal components, or UMAP, which needs umap-learn.
        progress, cancel : callable, optional
        **named
            Fields of `CatalogueFilter`.

        Returns
        -------
        DataFrame
            ``x``, ``y``, ``path``, ``category``, ``focus`` by image; ``attrs["explained"]``
            is the share of the variance along x and y, of ``"pca"`` alone.

        Raises
        ------
        InvalidSettings
            Fewer than three images have vectors, or there is no such method.
        MissingExtra
            umap-learn is not installed.
        Cancelled
        """
        if method not in MAPS:
            raise InvalidSettings(f"There is no map {method!r}.", hint=f"Known: {', '.join(MAPS)}.")
        wanted = filter_from(filters, named)
        with self._reading() as db:
            vectors = self._searchable(db)
            only = allowed(db, vectors, wanted)
            dimension = vectors.model.dimension
            if method == "pca":
                ids, places, explained = plane(lambda: vectors.blocks(only), dimension)
            else:
                held = list(vectors.blocks(only))
        if method == "umap":  # takes long; others may read meanwhile
            ids, places = neighbourhoods(lambda: held, progress=progress, cancel=cancel)
        with self._reading() as db:
            table = table_of(rows_of(db, ids))[["path", "category", "focus"]]
        table.insert(0, "x", places[:, 0])
        table.insert(1, "y", places[:, 1])
        if method == "pca":
            table.attrs["explained"] = explained
        return table

    def thumbnail(self, image: int) -> bytes:
        """Return the thumbnail of an image.

        Parameters
        ----------
        image : int
            Index value of `query`.

        Returns
        -------
        bytes
            A JPEG of at most 128 px.

        Raises
        ------
        InvalidSettings
            There is no such image.
        """
        return bytes(self._one("SELECT jpeg FROM thumbnails WHERE image = ?", image))

    def metadata(self, image: int) -> dict[str, Any]:
        """Return all that the file of an image said, in the common vocabulary.

        Parameters
        ----------
        image : int
            Index value of `query`.

        Returns
        -------
        dict

        Raises
        ------
        InvalidSettings
            There is no such image.
        """
        found: dict[str, Any] = json.loads(
            self._one("SELECT metadata FROM images WHERE id = ?", image)
        )
        return found

    # --- inside ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection to read from, to one thread at a time."""
        with self._guard, database_errors(self.path):
            if self._db is None:
                self._db = reader(self.path)
                self._end = weakref.finalize(self, self._db.close)
            yield self._db

    def _one(self, sql: str, image: int) -> Any:
        """Return a value of an image."""
        with self._reading() as db:
            row = db.execute(sql, (int(image),)).fetchone()
        if row is None:
            raise InvalidSettings(f"There is no image {image} in the catalogue.")
        return row[0]

    def _searchable(self, db: sqlite3.Connection) -> Vectors:
        """Return the vectors of this catalogue's embedding."""
        if self._source is None:
            raise InvalidSettings(
                "Without vectors nothing can be compared.", hint="Open it with embedding=."
            )
        if self._vectors is None:
            model = find_model(db, self._source.identity)
            if model is None:
                raise InvalidSettings(
                    f"{self.path} holds no vectors of {self._source.identity}.",
                    hint="Add the folders again: what is known gets its vectors.",
                )
            self._vectors = Vectors(db, self.path, model)
        return self._vectors

    def _query_vector(
        self, db: sqlite3.Connection, vectors: Vectors, image: Any, own: int | None, region: Any
    ) -> NDArray[np.float32]:
        """Return the vector to compare with: a kept one, or that of the pixels."""
        stored = isinstance(image, int | np.integer | str | os.PathLike) and own is not None
        if stored and region is None:
            row = db.execute(
                "SELECT id FROM vectors WHERE model = ? AND image = ?", (vectors.model.number, own)
            ).fetchone()
            found = None if row is None else vectors.vector(row[0])
            if found is not None:
                return found
        if isinstance(image, int | np.integer):
            image = path_of(db, int(image))
        record = as_micrograph(image).plane()
        if region is not None:
            record = part_of_image(record, region)
        if self._source is None:
            raise InvalidSettings("Without vectors nothing can be compared.")
        return self._source.vector(record)


def _roots(inputs: Any) -> list[Path]:
    """Return the files and folders to add, absolute; one inside another is looked at once."""
    given = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    roots = list(dict.fromkeys(Path(os.path.abspath(one)) for one in given))
    for root in roots:
        if not root.exists():
            raise UnreadableFile(f"There is no file or folder {root}.", hint="Check the path.")
    return [root for root in roots if not any(other in root.parents for other in roots)]
