#!/bin/sh
# Installs the browser that tests/browser drives: Debian's own Chromium, from the package `chromium`.
#
# playwright would download a build of its own from its maker's server; Debian's comes from the mirror that the machine
# uses anyway, is kept up to date with the rest of it, and brings the libraries that it needs. Fonts are there so that
# screenshots look the same everywhere. Tests are skipped where it is missing.
set -eu
if [ "$(id -u)" -ne 0 ]; then
    echo "run this as root: sudo $0" >&2
    exit 1
fi
apt-get -o Acquire::http::Timeout=20 update
apt-get install --yes --no-install-recommends chromium fonts-dejavu-core
chromium --version
