// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The program of tests that have passed when they compile and link.
int main() {}
