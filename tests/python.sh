#!/usr/bin/env bash
# Print the path of a Python: tests/python.sh 3.12
#
# Where a version manager has it and does not offer it, its shim is on PATH and ends with 127: only a Python that runs counts.
set -euo pipefail
for candidate in $(type -ap "python$1") "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/"python$1"; do
    "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))' 2>/dev/null && exit 0
done
exit 1
