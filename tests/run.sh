#!/usr/bin/env bash
# Passes on a machine that has only Rust and gcc: installs what the tests need, then runs all of
# them. What it cannot install it names, and says which tests need it.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

install() { # install COMMAND PACKAGE…
  command -v "$1" >/dev/null && return
  shift
  say "Installing $*"
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    echo "Install these by hand and try again: $*" >&2
    exit 1
  fi
  local root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo)
  DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

install gcc gcc libc6-dev
install chromium chromium fonts-dejavu-core
install pebble pebble
install testssl testssl.sh

if ! cargo nextest --version >/dev/null 2>&1; then
  say "Installing the test runner"
  cargo install --locked cargo-nextest
fi

say "Format"
cargo fmt --check

say "Lints"
cargo clippy --locked --all-targets -- -D warnings

say "Tests"
cargo nextest run --locked --no-fail-fast

# Bare machines, on which the portal is installed and mistreated. Each takes some seconds.
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  # What cannot be installed is named below, and these tests are left out.
  install systemd-nspawn systemd-container || true
  install debootstrap debootstrap || true
  install ip iproute2 || true
fi
if missing=$(tests/host/host.sh missing); then
  say "Tests on bare machines"
  tests/host/host.sh base
  cargo nextest run --locked --no-fail-fast --run-ignored only installed::
else
  say "Skipped: the tests on bare machines (installed::), because $missing"
fi
