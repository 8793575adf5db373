#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# make_venv.sh FOLDER   makes the Python environment of the peers. What cannot be had is left out: the table says so.
set -u
folder=$1
requirements=$(dirname "$0")/requirements.txt
cmp -s "$requirements" "$folder/.installed" && exit 0

python3 -m venv "$folder" || exit 1
all=yes
while read -r requirement; do
  echo "   $requirement"
  if ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$requirement"; then
    echo "   not to be had: $requirement; the next run tries again"
    all=no
  fi
done <"$requirements"
[ $all = no ] || cp "$requirements" "$folder/.installed"
