# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random typed expressions of the language, written as C++ tests."""
