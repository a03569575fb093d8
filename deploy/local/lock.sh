#!/usr/bin/env bash
# Compiles requirements/*.in into locks with hashes and without any index address.
set -euo pipefail
cd "$(dirname "$0")/../../requirements"
for name in runtime dev gpu jre s3; do
    constraint=()
    # One version of each package in all environments: dev follows runtime, gpu follows dev.
    case $name in dev) constraint=(-c runtime.txt) ;; gpu) constraint=(-c dev.txt) ;; esac
    ../.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
        --no-header --python-version 3.11 "${constraint[@]}" "$name.in" -o "$name.txt"
done
