#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# setup.sh demo|test|bench   installs the Debian packages that the goal needs and that are missing.
# A thing counts as there when its program runs or its header is found, however it came.
set -u
goal=${1:?which goal: demo, test or bench}
missing=()

program() { command -v "$1" >/dev/null || missing+=("$2"); }
header() {
  local root
  for root in /usr/include /usr/local/include ${CPLUS_INCLUDE_PATH:+${CPLUS_INCLUDE_PATH//:/ }}; do
    [ ! -e "$root/$1" ] || return 0
  done
  missing+=("$2")
}

program g++ g++
program cmake cmake
program ninja ninja-build
program ccache ccache
program python3 python3
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
header boost/hana.hpp libboost-dev
header tbb/tbb.h libtbb-dev
header dnnl.hpp libdnnl-dev
header nlohmann/json.hpp nlohmann-json3-dev
header unicode/ustring.h libicu-dev
header CLI/CLI.hpp libcli11-dev
if [ "$goal" = test ]; then
  header gtest/gtest.h libgtest-dev
  compgen -G '/usr/lib/*/libboost_context.so' >/dev/null || missing+=(libboost-context-dev)
  program clang++-19 clang-19
  command -v llvm-symbolizer-19 >/dev/null || program llvm-symbolizer llvm-19 # names in the sanitizers' reports
  runtime=$(clang++-19 -print-resource-dir 2>/dev/null)/lib/linux
  compgen -G "$runtime/libclang_rt.asan*.a" >/dev/null || missing+=(libclang-rt-19-dev)
fi
if [ "$goal" = bench ]; then
  header benchmark/benchmark.h libbenchmark-dev
  program clang++-19 clang-19
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  # FlexAttention compiles C++ that includes it
  [ -e "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] || missing+=(python3-dev)
fi

[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")
echo "== Missing: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "== FAILED: this is no Debian; install what these Debian packages bring, then call make again"
  exit 1
fi
if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null && ! [ -t 0 ]; then
  echo "== FAILED: neither root nor sudo without a password; run this, then call make again:"
  echo "   sudo apt-get install -y ${missing[*]}"
  exit 1
fi
echo "   ${install[*]}"
log=$(mktemp)
if ! { "${as_root[@]}" apt-get update && "${install[@]}"; } >"$log" 2>&1; then
  tail -n 30 "$log"
  echo "== FAILED: the packages could not be installed; run this, then call make again:"
  echo "   sudo apt-get update && sudo apt-get install -y ${missing[*]}"
  exit 1
fi
rm -f "$log"
