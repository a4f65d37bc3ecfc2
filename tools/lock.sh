#!/usr/bin/env bash
# Write requirements.lock: what the members need, pinned and hashed, without addresses of an index.
# Arguments go to `uv lock`, for example `--upgrade` or `--upgrade-package fastapi`.
set -euo pipefail
cd "$(dirname "$0")/.."
uv lock --quiet "$@"
uv export --quiet --format requirements-txt --all-packages --all-groups \
  --no-emit-workspace --no-header --no-annotate --output-file requirements.lock >/dev/null
# Only uv itself is installed by pip, so its wheels are pinned apart.
uv pip freeze 2>/dev/null | grep '^uv==' |
  uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
    --python-version 3.11 --output-file tools/bootstrap.lock - >/dev/null
