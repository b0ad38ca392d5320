#!/usr/bin/env bash
# Install what the tests need, Debian packages included, and run them.
#
# Makes its own environment in .venv-test.  The tests that look at real windows run on a
# virtual display.  PyTorch is not installed: what needs it is skipped.
# Further arguments go to both runs of pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  # What Qt and OpenGL load at run time, and a display to show windows on.
  apt-get install -y -q --no-install-recommends \
    python3-venv xvfb xauth libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 \
    libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0
fi

python3 -m venv .venv-test
.venv-test/bin/pip install -q -e ".[test,fast,formats,napari]"

settings=$(mktemp -d)
trap 'rm -rf "$settings"' EXIT
export NAPARI_CONFIG=$settings/settings.yaml # the user's own preferences stay out of it

failed=0
.venv-test/bin/python -m pytest "$@" || failed=1
xvfb-run -a -s "-screen 0 1600x1000x24" \
  .venv-test/bin/python -X faulthandler -m pytest -m "gui and not slow and not data" "$@" || failed=1
exit $failed
