// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the fused attention on CUDA is given: the same description as on the CPU, of device memory.
#pragma once
#include <attend/kernels/cpu/attention_problem.hpp>

namespace attend::kernels::cuda {

using cpu::attention_problem;
using cpu::attention_results;
using cpu::matrix;
using cpu::matrix_slice;

/// Where no factor of the rows is asked for.
struct no_gain {};

} // namespace attend::kernels::cuda
