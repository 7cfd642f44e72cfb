#!/usr/bin/env bash
set -euo pipefail
pip install --requirement requirements.lock
pip install --no-deps .
