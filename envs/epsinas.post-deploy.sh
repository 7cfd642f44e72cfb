#!/usr/bin/env bash
# In a checkout its own code with the versions that it is tested with, in a study that `epsinas init` laid out the release that
# plans the run. Snakemake runs this from any folder, and a copy of it: workflow/rules/common.smk says which of the two it is.
set -euo pipefail
if [ -n "$EPSINAS_CHECKOUT" ]; then
    # torch as epsinas.yaml has it, whichever build that is.
    torch=$(python -c "import torch" 2>/dev/null && echo "^torch==" || echo "^$")
    grep --invert-match "$torch" "$EPSINAS_CHECKOUT/requirements.lock" | pip install --requirement /dev/stdin
    pip install --no-deps --no-build-isolation "$EPSINAS_CHECKOUT"
else
    pip install "epsinas[workflow]==$EPSINAS_VERSION"
fi
