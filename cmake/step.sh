#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# step.sh WHAT [--log FILE] COMMAND...   says what it does, does it, and says clearly if it failed.
# With --log the command's output goes to the file, and to the terminal only on failure.
what=$1
shift
log=
if [ "$1" = --log ]; then
  log=$2
  shift 2
  mkdir -p "$(dirname "$log")"
fi

echo "== $what"
begin=$SECONDS
if [ -n "$log" ]; then "$@" >"$log" 2>&1; else "$@"; fi
status=$?
if [ $status -ne 0 ]; then
  [ -z "$log" ] || tail -n 60 "$log"
  echo "== FAILED: $what (exit $status after $((SECONDS - begin)) s)${log:+; all of its output: $log}"
  echo "   command: $*"
elif [ $((SECONDS - begin)) -ge 5 ]; then
  echo "   done in $((SECONDS - begin)) s"
fi
exit $status
