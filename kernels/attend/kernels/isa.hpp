// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The instruction set that the including file is compiled for. All that plans and runs an evaluation lives in an inline
// namespace named after it, so that files built with different flags link into one program and each runs its own code;
// tensors and expressions, which pass between files, do not.
#pragma once

// The inline namespace, the header with what differs between instruction sets, and whether it multiplies pairs
// and matrix tiles of bf16.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#if !defined(__AVX512BF16__) || defined(__CUDACC__) // on whose intrinsics nvcc 13.0 crashes
#define ATTEND_DETAIL_ISA isa_avx512
#else
#define ATTEND_DETAIL_BF16_PAIRS
#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__linux__)
#define ATTEND_DETAIL_MATRIX_TILES
#define ATTEND_DETAIL_ISA isa_avx512_amx
#else
#define ATTEND_DETAIL_ISA isa_avx512_bf16
#endif
#endif
#define ATTEND_DETAIL_MACHINE <attend/kernels/cpu/machine_avx512.hpp>
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define ATTEND_DETAIL_ISA isa_avx2
#define ATTEND_DETAIL_MACHINE <attend/kernels/cpu/machine_avx2.hpp>
#else
#define ATTEND_DETAIL_ISA isa_portable
#define ATTEND_DETAIL_MACHINE <attend/kernels/cpu/machine_portable.hpp>
#endif
