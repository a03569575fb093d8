#!/bin/sh
# Starts `python -m alpr_<service>` with the arguments given (the matcher takes `api` or `worker`).
set -eu

# Compose hands each service its own credentials as a file of NAME='value' lines; elsewhere they come
# as variables and there is no such file.
credentials=/run/alpr/environment
if [ -r "$credentials" ]; then
    set -a
    . "$credentials"
    set +a
fi
exec python -m "alpr_$(printf %s "$ALPR_SERVICE" | tr - _)" "$@"
