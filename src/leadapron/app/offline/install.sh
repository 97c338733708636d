#!/bin/sh
# Installs or updates LeadApron from this folder, without network and without root.
#   sh install.sh --public-key FILE [--prefix DIR]     first installation
#   sh install.sh [--prefix DIR]                       update: the key of the first one counts
#   sh install.sh --rollback [--prefix DIR]            back to the release before
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
wanted=$(sed -n 's/^ *"python": "\(3\.[0-9]*\)",*$/\1/p' "$here/manifest.json")
for python in ${LEADAPRON_PYTHON:-"python$wanted" python3}; do
    if command -v "$python" >/dev/null 2>&1 && "$python" -c "
import sys, ssl, sqlite3, venv
sys.exit('%d.%d' % sys.version_info[:2] != '$wanted')" >/dev/null 2>&1; then
        exec "$python" -I -B "$here/install.py" "$@"
    fi
done
echo "install: this archive is for Python $wanted, which is not here" \
    "(install python$wanted, or set LEADAPRON_PYTHON)" >&2
exit 69
