#!/bin/sh
# Resolves pyproject.toml into constraints/*.txt: exact versions with SHA-256 hashes, and no
# address of any index, so that a mirror serves as well as the public one.
# Usage: scripts/lock.sh [--upgrade]      (needs uv; the launcher leaves one in .venv/bin)
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/bin/uv)

compile() {
    out=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-annotate --no-header --output-file "constraints/$out" "$@" >/dev/null
}
compile uv.txt constraints/uv.in "$@"
compile build.txt constraints/build.in "$@"
compile runtime.txt pyproject.toml --extra demo "$@"
compile test.txt pyproject.toml --extra demo --group test \
    --constraint constraints/runtime.txt "$@"
