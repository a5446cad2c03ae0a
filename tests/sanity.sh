#!/usr/bin/env bash
# ansible-test sanity on what a user installs: the collection as it is built, `oncall` too as far as it travels with it.
#
# ansible-test wants the collection in a folder ansible_collections/oncall/runbooks, and makes virtual environments whose
# pip it downloads from a host that is not reachable everywhere. It looks into its cache first, so the pip that Python
# itself ships is put there. Everything stays in .cache.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
home="$repository/.cache/sanity"
target="$home/ansible_collections/oncall/runbooks"
rm -rf "$home/package" "$target"
mkdir -p "$target" "$home/.ansible/test/cache"
ansible-galaxy collection build --force --output-path "$home/package" . >/dev/null
tar --extract --gzip --file "$home"/package/*.tar.gz --directory "$target"
mkdir "$target/tests"
cp -r tests/sanity "$target/tests/"

pip_version=$(python -c 'import ansible_test._internal.python_requirements as r, types
print(r.get_venv_packages(types.SimpleNamespace(version="3"))["pip"].replace(".", "_"))' 2>/dev/null) ||
    pip_version=24_2
cat >"$home/.ansible/test/cache/get_pip_$pip_version.py" <<'PYTHON'
import ensurepip

ensurepip.bootstrap(upgrade=True, default_pip=True)
PYTHON

cd "$target"
# Without a repository of its own it would ask this checkout's, which ignores .cache.
git init --quiet .
git add --all
mkdir -p "$home/python"
for version in 3.8 3.9 3.10 3.11 3.12 3.13 3.14; do
    if found=$("$repository/tests/python.sh" "$version"); then ln -sf "$found" "$home/python/python$version"; fi
done
PATH="$(dirname "$(type -p ansible-test)"):$home/python:/usr/bin:/bin" HOME="$home" \
    exec ansible-test sanity --color no "$@"
