"""The tables of a catalogue.

An image is known by its content (SHA-256 and size), a file by its path; several files may hold
one image.  Thumbnails and vectors have tables of their own, so that a filter over images reads
only what it compares.  Triggers keep ``images.present`` right whatever happens to files.
"""

from __future__ import annotations

from typing import Final

__all__ = ["APPLICATION_ID", "SCHEMA", "VERSION"]

APPLICATION_ID: Final = 0x53454D43  # "SEMC"
VERSION: Final = 1

SCHEMA: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    columns INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    vendor TEXT,
    instrument TEXT,
    detector TEXT,
    mode TEXT,
    acquired TEXT,
    magnification REAL,
    accelerating_voltage_kV REAL,
    working_distance_mm REAL,
    pixel_size_nm REAL,
    calibration TEXT NOT NULL,
    focus REAL,
    focus_method TEXT,
    category TEXT,
    category_confidence REAL,
    category_origin TEXT,
    present INTEGER NOT NULL DEFAULT 0,
    metadata TEXT NOT NULL,
    UNIQUE (sha256, size_bytes)
);
CREATE INDEX images_magnification ON images (magnification);
CREATE INDEX images_acquired ON images (acquired);
CREATE INDEX images_category ON images (category);
CREATE INDEX images_focus ON images (focus);
CREATE INDEX images_absent ON images (id) WHERE present = 0;

CREATE TABLE files (
    path TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    image INTEGER REFERENCES images (id) ON DELETE CASCADE,
    error TEXT,
    hint TEXT,
    gone TEXT
);
CREATE INDEX files_image ON files (image);

CREATE TABLE thumbnails (
    image INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
    jpeg BLOB NOT NULL
);

CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    dimension INTEGER NOT NULL
);
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model INTEGER NOT NULL REFERENCES models (id),
    image INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    vector BLOB NOT NULL,
    UNIQUE (model, image)
);

CREATE TRIGGER file_came AFTER INSERT ON files BEGIN
    UPDATE images SET present = EXISTS (
        SELECT 1 FROM files WHERE image = images.id AND gone IS NULL) WHERE id = NEW.image;
END;
CREATE TRIGGER file_went AFTER DELETE ON files BEGIN
    UPDATE images SET present = EXISTS (
        SELECT 1 FROM files WHERE image = images.id AND gone IS NULL) WHERE id = OLD.image;
END;
CREATE TRIGGER file_changed AFTER UPDATE ON files BEGIN
    UPDATE images SET present = EXISTS (
        SELECT 1 FROM files WHERE image = images.id AND gone IS NULL)
        WHERE id IN (OLD.image, NEW.image);
END;
"""
