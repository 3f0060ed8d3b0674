#!/usr/bin/env bash
# The whole acceptance in a checkout of Viseron: start, detect, record, compare with the truth. As root:
#   tests/hosts/run_in_viseron.sh CHECKOUT [--python PYTHON] [--seconds SECONDS]
# PYTHON has what the checkout needs; without it an environment is made from its requirements. Ours is AIPG_VENV (.venv).
set -euo pipefail
checkout=$(realpath "${1:?a checkout}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec "${AIPG_VENV:-.venv}/bin/python" -m tests.hosts.acceptance viseron "$checkout" "${@:2}"
