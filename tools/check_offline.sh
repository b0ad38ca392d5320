#!/usr/bin/env bash
# Collect wheels with network, install and run without, as docs/how-to/offline.md says.
#
# Needs root on Linux (a network namespace without network).  Arguments are further
# requirements for the collection, e.g. torch==2.13.0 for a certain build.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip wheel -q -w "$folder/wheels" ".[torch]" "$@"
python3 -m venv "$folder/sem"
unshare --net "$folder/sem/bin/pip" install -q --no-index --find-links "$folder/wheels" \
  "napari-sem-tools[torch]"
unshare --net "$folder/sem/bin/sem-tools" analyze --sample -o "$folder/out" --quiet
unshare --net "$folder/sem/bin/sem-tools" models verify
du -sh "$folder/wheels"
