#!/bin/sh
# Check a release: build the wheel and the sdist, check what is in them, install the wheel into an empty environment of
# each Python given, and run the README's example and `muscle-mem --help` there. The files stay in dist.
#   scripts/release.sh [PYTHON...]      by default python3
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- python3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$1" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install --quiet --disable-pip-version-check build twine
rm -rf dist
"$work/tools/bin/python" -m build --outdir dist . >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
"$work/tools/bin/python" -m twine check --strict dist/*
"$work/tools/bin/python" scripts/release_contents.py dist
"$work/tools/bin/python" scripts/release_contents.py --example README.md >"$work/example.py"

for python in "$@"; do
    rm -rf "$work/empty" "$work/folder"
    mkdir "$work/folder"
    "$python" -m venv "$work/empty"
    "$work/empty/bin/python" -m pip install --quiet --disable-pip-version-check dist/*.whl
    cp "$work/example.py" "$work/folder"
    (
        cd "$work/folder"
        unset PYTHONPATH
        "$work/empty/bin/python" -W error example.py
        "$work/empty/bin/muscle-mem" --help >/dev/null
        "$work/empty/bin/python" -m muscle_mem --version >/dev/null
    )
    echo "$("$work/empty/bin/python" --version): the wheel is installed, the README's example and muscle-mem run"
done
