#!/usr/bin/env bash
# Installs into this checkout what the demo and the tests need: the Python environment, the
# workspace's packages, and (through alpr_local) Kafka, PostgreSQL, the browser and the console's
# assets. Everything is skipped when its inputs have not changed, so running it twice costs seconds.
#
# With --gpu it makes .venv-gpu instead: torch, ultralytics and easyocr (several GB), for training
# and for the recognizer's GPU extra.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '\033[2m%s\033[0m\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

python=$(command -v python3.11 || command -v python3 || true)
[ -n "$python" ] ||
    fail "Python 3.11 or newer is missing: install it (Debian: apt-get install python3 python3-venv)."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed, $python is $("$python" -V 2>&1): install python3.11 beside it."

# A download that breaks off is begun once more; what has come already is not fetched again.
twice() { "$@" || { say "that failed; trying once more"; "$@"; }; }

members=()
for file in libs/*/pyproject.toml services/*/pyproject.toml clients/*/pyproject.toml \
    deploy/local/pyproject.toml training/pyproject.toml; do
    members+=("$(dirname "$file")")
done

# environment NAME LOCK: a virtual environment with the lock's packages and the workspace's.
environment() {
    local venv=$1 lock=$2 stamp=$1/.installed wanted member editable=()
    wanted=$(cat "$lock" "${members[@]/%//pyproject.toml}" deploy/local/bootstrap.sh | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ] || return 0
    if ! [ -x "$venv/bin/python" ]; then
        say "making $venv with $("$python" -V)"
        "$python" -m venv "$venv" ||
            fail "Python's venv module is missing (Debian: apt-get install python3-venv)."
    fi
    if ! [ -x .venv/bin/uv ]; then
        say "installing uv (locked, with hashes)"
        awk '/^uv==/{on=1} /^[a-z]/&&!/^uv==/{on=0} /^ +#/{next} on' requirements/dev.txt >.venv/uv.txt
        twice .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
            --no-deps -r .venv/uv.txt
    fi
    say "installing Python packages into $venv (locked, with hashes)"
    twice .venv/bin/uv pip sync --quiet --require-hashes -p "$venv/bin/python" "$lock"
    for member in "${members[@]}"; do editable+=(-e "./$member"); done
    .venv/bin/uv pip install --quiet --no-deps --no-build-isolation -p "$venv/bin/python" "${editable[@]}"
    printf '%s\n' "$wanted" >"$stamp"
}

environment .venv requirements/dev.txt
if [ "${1:-}" = --gpu ]; then
    environment .venv-gpu requirements/gpu.txt
else
    exec .venv/bin/python -m alpr_local install
fi
