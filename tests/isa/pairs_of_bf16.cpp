// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The fused CPU attention once more, compiled without matrix tiles for a machine that has them: pairs of bf16 instead.
#include "run/kernels/bf16_products.cpp"
#include "run/kernels/cpu_attention.cpp"
