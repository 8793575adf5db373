#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""No function that plans or runs evaluations is in both of two objects: the linker would keep one for both.

    apart.py NM OBJECT OBJECT
"""
import re
import subprocess
import sys


def shared_between_units(nm, path):
    """The names of an object's inline functions, instances and inline variables."""
    out = subprocess.run([nm, "-C", "--defined-only", path], check=True, capture_output=True, text=True).stdout
    return {match[1] for match in re.finditer(r"^[0-9a-f]* [WVu] (.*)$", out, re.M)}


nm, first, second = sys.argv[1:]
names = [shared_between_units(nm, path) for path in (first, second)]
of_both = sorted(name for name in names[0] & names[1] if re.search(r"\battend::(codegen|kernels|evaluate|detail::evaluate)", name))
print(*of_both, sep="\n")
if of_both or not all(any("attend::kernels" in name for name in each) for each in names):
    sys.exit("evaluations of these two objects share code")
