#!/usr/bin/env bash
# In a checkout its own code with the versions that it is tested with, in a study that `epsinas init` laid out the
# release that plans the run (workflow/rules/common.smk).
set -euo pipefail
if [ -d src/epsinas ]; then
    pip install --requirement requirements.lock
    pip install --no-deps .
else
    pip install "epsinas[workflow]==$EPSINAS_VERSION"
fi
