#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# tsan_tbb.sh FOLDER   builds TBB with the thread sanitizer into FOLDER, from the source of Debian's own package.
# Without that the sanitizer does not see how TBB hands work from thread to thread, and calls every task a race.
set -eu
folder=$(realpath -m "${1:?which folder}")
[ ! -e "$folder/.installed" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/sources"
# The system's own package sources, asked for source packages; nothing of the system is changed.
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
  [ ! -e "$file" ] || sed -E 's/^deb /deb-src /; s/^Types: *deb$/Types: deb-src/' "$file" >"$work/sources/$(basename "$file")"
done
apt=(apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources" -o Dir::State::lists="$work/lists"
  -o APT::Sandbox::User=)
cd "$work"
"${apt[@]}" update
"${apt[@]}" source --download-only onetbb
tar -xf onetbb_*.orig.tar.*
cmake -S oneTBB-*/ -B build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++-19 \
  -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DTBB_SANITIZE=thread -DTBB_TEST=OFF -DTBB_STRICT=OFF -DTBBMALLOC_BUILD=OFF \
  -DCMAKE_INSTALL_PREFIX="$folder" -DCMAKE_INSTALL_LIBDIR=lib
cmake --build build -j "$(nproc)" --target tbb
cmake --install build
touch "$folder/.installed"
