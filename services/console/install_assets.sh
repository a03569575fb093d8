#!/usr/bin/env bash
# Installs what the console serves to browsers and did not write itself (htmx, the typeface) into
# node_modules beside this file. Running it again is a matter of milliseconds: a stamp holds the
# digest of the lock that was installed.
set -euo pipefail
cd "$(dirname "$0")"

stamp=node_modules/.installed
wanted=$(cat package.json package-lock.json | sha256sum)
[ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && exit 0

command -v npm >/dev/null || {
    echo "npm is missing, which fetches the console's htmx and typeface: install Node.js 18 or newer (Debian: apt-get install npm)." >&2
    exit 1
}
# --ignore-scripts: nothing here needs building, so nothing here needs to run.
npm ci --ignore-scripts --no-audit --no-fund --silent
printf '%s\n' "$wanted" >"$stamp"
