#!/usr/bin/env bash
# Installs into this checkout what the demo and the tests need: the Python environment, the
# workspace's packages, and (through alpr_local) Kafka, PostgreSQL, the browser and the console's
# assets. Everything is skipped when its inputs have not changed, so running it twice costs seconds.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '\033[2m%s\033[0m\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

python=$(command -v python3.11 || command -v python3 || true)
[ -n "$python" ] || fail "Python 3.11 or newer is missing: install it (Debian: apt-get install python3 python3-venv)."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed, $python is $("$python" -V 2>&1): install it beside, as python3.11."

members=()
for file in libs/*/pyproject.toml services/*/pyproject.toml clients/*/pyproject.toml deploy/local/pyproject.toml training/pyproject.toml; do
    members+=("$(dirname "$file")")
done

stamp=.venv/.installed
wanted=$(cat requirements/dev.txt "${members[@]/%//pyproject.toml}" deploy/local/bootstrap.sh | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    [ -x .venv/bin/python ] || { say "making .venv with $("$python" -V)"; "$python" -m venv .venv ||
        fail "Python's venv module is missing (Debian: apt-get install python3-venv)."; }
    if ! [ -x .venv/bin/uv ]; then
        say "installing uv"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
            -r <(awk '/^uv==/{on=1} /^[a-z]/&&!/^uv==/{on=0} /^ +#/{next} on' requirements/dev.txt)
    fi
    say "installing Python packages (locked, with hashes)"
    .venv/bin/uv pip sync --quiet --require-hashes -p .venv/bin/python requirements/dev.txt
    say "installing the workspace's packages"
    editable=()
    for member in "${members[@]}"; do editable+=(-e "./$member"); done
    .venv/bin/uv pip install --quiet --no-deps --no-build-isolation -p .venv/bin/python "${editable[@]}"
    printf '%s\n' "$wanted" >"$stamp"
fi
exec .venv/bin/python -m alpr_local install
