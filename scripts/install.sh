#!/bin/sh
# Installs this project, its extras and the development tools with the Python of a virtual environment: those releases
# that requirements/dev.txt locks, or the newest ones for a Python that it does not know.
set -eu
python=$1
PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_DISABLE_PIP_VERSION_CHECK

# The lock is made for the versions of Python that the project says it supports.
if "$python" - <<'END'; then
import sys, tomllib
with open("pyproject.toml", "rb") as file:
    supported = tomllib.load(file)["project"]["classifiers"]
sys.exit("Programming Language :: Python :: %d.%d" % sys.version_info[:2] not in supported)
END
    "$python" -m pip install --quiet --no-deps -r requirements/dev.txt
    "$python" -m pip install --quiet --no-deps --no-build-isolation -e .
else
    echo "note: requirements/dev.txt does not cover $("$python" -V); the newest releases are installed in its place"
    "$python" -m pip install --quiet -e '.[dev,demo]'
    "$python" -m pip install --quiet --no-deps -r requirements/pages.in
fi
