// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chooses the instruction set from the flags of the including file. Everything of the CPU kernels lives in an inline
// namespace named after it, so that translation units built with different flags link into one program.
#pragma once

// Names that inline namespace; of use to the headers of this folder only.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define ATTEND_DETAIL_ISA avx512
#include <attend/kernels/cpu/machine_avx512.hpp>
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define ATTEND_DETAIL_ISA avx2
#include <attend/kernels/cpu/machine_avx2.hpp>
#else
#define ATTEND_DETAIL_ISA portable
#include <attend/kernels/cpu/machine_portable.hpp>
#endif
