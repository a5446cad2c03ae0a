#!/usr/bin/env bash
# The short suite (demo, unit and contract) on the pairs of Python and ansible-core that people have.
#
#   tests/compat.sh             every pair
#   tests/compat.sh 3.13/2.21   this pair
#   tests/compat.sh another     the newest pair here whose Python is not that of .venv, without the contract tests
#
# Each pair has an environment of its own in .cache/compat, and a line: passed, failed, or Python not found. Ends with 1 where
# a pair failed.
set -euo pipefail
cd "$(dirname "$0")/.."
pairs=(3.14/2.21 3.13/2.21 3.12/2.21 3.14/2.20 3.13/2.20 3.12/2.20 3.11/2.19)
home="$PWD/.cache/compat"
unset PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE

install() {
    local venv=$1
    shift
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes "$@"
}

# test.txt brings the newest core for a Python; another core replaces it.
environment() {
    local python=$1 core=$2 venv=$3 other="requirements/core-$2.txt" wanted
    wanted="$python $(cat requirements/test.txt requirements/core-*.txt | sha256sum)"
    [ "$(cat "$venv/wanted" 2>/dev/null)" != "$wanted" ] || return 0
    "$python" -m venv --clear "$venv" &&
        install "$venv" --requirement requirements/test.txt &&
        { [ ! -f "$other" ] || install "$venv" --no-deps --requirement "$other"; } &&
        "$venv/bin/python" -m pip check &&
        echo "$wanted" >"$venv/wanted"
}

has_core() {
    "$1/bin/python" -c 'import sys
from ansible.release import __version__
print("ansible-core", __version__)
sys.exit(not __version__.startswith(sys.argv[1] + "."))' "$2"
}

# What is judged is the same on every Python: fewer of the cases that are drawn.
tests() {
    local suites=(tests/unit tests/contract)
    [ "$only" != another ] || suites=(tests/unit)
    ONCALL_FAILURES=20 ONCALL_PAIRS=10 "$1/bin/python" -m pytest --numprocesses 2 --dist loadfile -p no:cacheprovider "${suites[@]}"
}

# A whole run, of which Ansible has nothing to warn.
demo() {
    LAB_HOME="$1.lab" "$1/bin/python" -m lab.tools.demo 2>&1 | tee "$1.demo" &&
        ! grep -E '^\[(WARNING|DEPRECATION)' "$1.demo"
}

try() {
    local python=$1 version=${2%/*} core=${2#*/} began=$SECONDS venv name
    name="Python $version, ansible-core $core"
    venv="$home/python$version-core$core"
    if (
        export PATH="$venv/bin:$PATH" ANSIBLE_CONFIG="$PWD/ansible.cfg"
        environment "$python" "$core" "$venv" && has_core "$venv" "$core" && demo "$venv" && tests "$venv"
    ) >"$venv.log" 2>&1; then
        echo "$name: passed ($(tail -n 1 "$venv.log" | tr -d =); with environment and demo $((SECONDS - began)) s)"
    else
        echo "$name: failed; ${venv#"$PWD/"}.log has all of it, and ends with:"
        tail -n 40 "$venv.log" | sed 's/^/    /'
        return 1
    fi
}

default=none
only=${1:-}
case " ${pairs[*]} " in
    *" $only "*) ;;
    *)
        if [ "$only" = another ]; then
            default=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        elif [ -n "$only" ]; then
            echo "tests/compat.sh: $only is no pair; these are: ${pairs[*]}" >&2
            exit 2
        fi
        ;;
esac
mkdir -p "$home"
failed=0
for pair in "${pairs[@]}"; do
    case $only in
        "" | "$pair") ;;
        another) [ "${pair%/*}" != "$default" ] || continue ;;
        *) continue ;;
    esac
    if ! python=$(tests/python.sh "${pair%/*}"); then
        echo "Python ${pair%/*}, ansible-core ${pair#*/}: Python not found"
        continue
    fi
    try "$python" "$pair" || failed=1
    [ "$only" != another ] || break
done
exit "$failed"
