// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The instructions of sm_90a that C++ does not name: tiles copied by the tensor memory accelerator, barriers in shared
// memory, products of a whole warpgroup. As ptx.cuh, an emulator brings a header of this name.
#pragma once
#include <attend/kernels/cuda/ptx.cuh>
#include <boost/preprocessor/arithmetic/add.hpp>
#include <boost/preprocessor/control/expr_if.hpp>
#include <boost/preprocessor/punctuation/comma_if.hpp>
#include <boost/preprocessor/repetition/repeat.hpp>
#include <boost/preprocessor/stringize.hpp>
#include <cuda.h>

namespace attend::kernels::cuda::ptx {

/// Whether this is compiled for a machine that has them. Other machines never run what is compiled without.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
inline constexpr bool has_warpgroups = true;
#else
inline constexpr bool has_warpgroups = false;
#endif

/// Threads of a warpgroup.
inline constexpr int warpgroup_size = 128;

/// The number of blocks in the grid.
__device__ inline unsigned grid_size() { return gridDim.x; }
/// A number that is the same in all lanes, as the compiler is to know.
__device__ inline int warp_uniform(int x) { return __shfl_sync(0xffffffffu, x, 0); }

/// Lane 0's x, in all lanes.
__device__ inline int of_first_lane(int x) { return __shfl_sync(0xffffffffu, x, 0); }
/// The number itself, of which the compiler knows nothing: what follows from it is computed again rather than kept.
template <class T>
__device__ T anew(T x) {
  asm volatile("" : "+r"(x));
  return x;
}

// Barriers in shared memory, 8 bytes each. A phase ends when as many as were told have arrived and all bytes that were
// expected are there.
__device__ inline void mbarrier_init(std::uint32_t barrier, unsigned arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
/// What was initialised is seen by copies, too; other threads need a barrier of the block as well.
__device__ inline void mbarrier_init_fence() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
__device__ inline void mbarrier_arrive(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
/// Arrives, and lets the phase wait for so many bytes.
__device__ inline void mbarrier_arrive_expecting(std::uint32_t barrier, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
/// Waits for the end of the phase of that parity; the first phase's is 0, and the one before it has ended.
__device__ inline void mbarrier_wait(std::uint32_t barrier, unsigned parity) {
  asm volatile("{\n.reg .pred ended;\nwait:\nmbarrier.try_wait.parity.shared::cta.b64 ended, [%0], %1;\n@!ended bra wait;\n}" ::"r"(barrier),
               "r"(parity)
               : "memory");
}

/// Waits at barrier `id`, 1 to 15, of the block until `threads` threads have come to it or have arrived.
__device__ inline void named_barrier(int id, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory"); }
/// Arrives there without waiting.
__device__ inline void named_barrier_arrive(int id, int threads) { asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory"); }

/// Gives registers back or waits for them, so that each thread of the warpgroup has so many: 24 to 256, in steps of 8.
template <int Registers>
__device__ void lower_registers() {
  static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0);
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}
template <int Registers>
__device__ void raise_registers() {
  static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0);
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}

// ---- tiles ----------------------------------------------------------------------------------------------------------

/// Where a box begins in a tensor of five axes, the innermost first.
struct tile_position {
  int at[5];
};
/// Begins to copy a box to shared memory, aligned to 1024 bytes; elements outside the tensor become zero. The barrier
/// counts its bytes, all of the box's.
__device__ inline void load_tile(std::uint32_t to, CUtensorMap const& map, std::uint32_t barrier, tile_position const& from) {
  asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2];" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(from.at[0]), "r"(from.at[1]), "r"(from.at[2]), "r"(from.at[3]), "r"(from.at[4])
               : "memory");
}
/// Begins to copy a box from shared memory, but for elements outside the tensor.
__device__ inline void store_tile(CUtensorMap const& map, std::uint32_t from, tile_position const& to) {
  asm volatile("cp.async.bulk.tensor.5d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5, %6}], [%1];" ::"l"(&map), "r"(from), "r"(to.at[0]),
               "r"(to.at[1]), "r"(to.at[2]), "r"(to.at[3]), "r"(to.at[4])
               : "memory");
}
/// Closes the group of stores that this thread began since the last one.
__device__ inline void store_tile_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
/// Waits until all groups of this thread have read shared memory.
__device__ inline void store_tile_wait() { asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"); }
/// Fetches the description of a tensor ahead of its use.
__device__ inline void prefetch_map(CUtensorMap const& map) { asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory"); }
/// What this thread wrote to shared memory is seen by copies of tiles and by products that begin after it.
__device__ inline void async_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// ---- products of a warpgroup ------------------------------------------------------------------------------------------

/// Before the first product, and after registers that products read or add to were changed.
__device__ inline void products_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
/// Closes the group of products that the warpgroup began since the last one.
__device__ inline void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits until at most Pending groups are under way; `d` is what they leave.
template <int Pending, int N>
__device__ void products_wait(float (&d)[N][4]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
#pragma unroll
  for (int i = 0; i < N; ++i) asm volatile("" : "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3])::"memory");
}
/// All that x, a sum of exponentials, depends on is computed before what follows: ptxas else moves arithmetic below waits.
__device__ inline void settle(float x) {
  asm volatile("{\n.reg .pred never;\nsetp.lt.f32 never, %0, 0f00000000;\n@never nanosleep.u32 1;\n}" ::"f"(x) : "memory");
}

/// A 16-bit operand in shared memory, in panels of 128 bytes of columns whose rows lie one after the other, their 16-byte
/// chunks exclusive-ored by row % 8: where it begins, and how far the next panel is.
__device__ inline std::uint64_t product_operand(std::uint32_t address, std::uint32_t panel_bytes) {
  return std::uint64_t{1} << 62 | std::uint64_t{1024 >> 4} << 32 | std::uint64_t{panel_bytes >> 4} << 16 | (address & 0x3ffff) >> 4;
}
/// The operand so many bytes further.
__device__ inline std::uint64_t further(std::uint64_t operand, std::uint32_t bytes) { return operand + (bytes >> 4); }

/// One for each number of blocks of 8 columns: inline assembly wants every register spelled out.
template <int Blocks>
struct product_m64k16;

#define ATTEND_DETAIL_REGISTER(Z, I, _) BOOST_PP_COMMA_IF(I) "+f"(d[I][0]), "+f"(d[I][1]), "+f"(d[I][2]), "+f"(d[I][3])
#define ATTEND_DETAIL_COMMA(I) BOOST_PP_EXPR_IF(I, ", ")
#define ATTEND_DETAIL_NUMBER(Z, I, _) ATTEND_DETAIL_COMMA(I) "%" BOOST_PP_STRINGIZE(I)
#define ATTEND_DETAIL_AFTER(COUNT, I) "%" BOOST_PP_STRINGIZE(BOOST_PP_ADD(COUNT, I))
#define ATTEND_DETAIL_SHARED(TYPE, N, COUNT, BLOCKS)                                                                                \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " ATTEND_DETAIL_AFTER(COUNT, 2) ", 0;\n"                                      \
               "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" BOOST_PP_REPEAT(COUNT, ATTEND_DETAIL_NUMBER, _) \
               "}, " ATTEND_DETAIL_AFTER(COUNT, 0) ", " ATTEND_DETAIL_AFTER(COUNT, 1) ", add, 1, 1, 0, " ATTEND_DETAIL_AFTER(COUNT, 3) ";\n}" \
               : BOOST_PP_REPEAT(BLOCKS, ATTEND_DETAIL_REGISTER, _)                                                                  \
               : "l"(a), "l"(b), "r"(static_cast<int>(add)), "n"(static_cast<int>(Transposed)))
#define ATTEND_DETAIL_REGISTERS(TYPE, N, COUNT, BLOCKS)                                                                             \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " ATTEND_DETAIL_AFTER(COUNT, 5) ", 0;\n"                                      \
               "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" BOOST_PP_REPEAT(COUNT, ATTEND_DETAIL_NUMBER, _) \
               "}, {" ATTEND_DETAIL_AFTER(COUNT, 0) ", " ATTEND_DETAIL_AFTER(COUNT, 1) ", " ATTEND_DETAIL_AFTER(COUNT, 2) ", "       \
               ATTEND_DETAIL_AFTER(COUNT, 3) "}, " ATTEND_DETAIL_AFTER(COUNT, 4) ", add, 1, 1, " ATTEND_DETAIL_AFTER(COUNT, 6) ";\n}"   \
               : BOOST_PP_REPEAT(BLOCKS, ATTEND_DETAIL_REGISTER, _)                                                                  \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)), "n"(static_cast<int>(Transposed)))
#define ATTEND_DETAIL_PRODUCT(N, COUNT, BLOCKS)                                                                    \
  template <>                                                                                                      \
  struct product_m64k16<BLOCKS> {                                                                                  \
    template <class T, bool Transposed>                                                                            \
    static __device__ void run(float (&d)[BLOCKS][4], std::uint64_t a, std::uint64_t b, bool add) {                \
      if constexpr (std::is_same_v<T, bf16>) ATTEND_DETAIL_SHARED("bf16", N, COUNT, BLOCKS);                       \
      else ATTEND_DETAIL_SHARED("f16", N, COUNT, BLOCKS);                                                          \
    }                                                                                                              \
    template <class T, bool Transposed>                                                                            \
    static __device__ void run(float (&d)[BLOCKS][4], std::uint32_t const (&a)[4], std::uint64_t b, bool add) {    \
      if constexpr (std::is_same_v<T, bf16>) ATTEND_DETAIL_REGISTERS("bf16", N, COUNT, BLOCKS);                    \
      else ATTEND_DETAIL_REGISTERS("f16", N, COUNT, BLOCKS);                                                       \
    }                                                                                                              \
  };
ATTEND_DETAIL_PRODUCT(64, 32, 8)
ATTEND_DETAIL_PRODUCT(80, 40, 10)
ATTEND_DETAIL_PRODUCT(96, 48, 12)
ATTEND_DETAIL_PRODUCT(112, 56, 14)
ATTEND_DETAIL_PRODUCT(128, 64, 16)
ATTEND_DETAIL_PRODUCT(144, 72, 18)
ATTEND_DETAIL_PRODUCT(160, 80, 20)
ATTEND_DETAIL_PRODUCT(176, 88, 22)
ATTEND_DETAIL_PRODUCT(192, 96, 24)
ATTEND_DETAIL_PRODUCT(256, 128, 32)
#undef ATTEND_DETAIL_PRODUCT
#undef ATTEND_DETAIL_REGISTERS
#undef ATTEND_DETAIL_SHARED
#undef ATTEND_DETAIL_AFTER
#undef ATTEND_DETAIL_NUMBER
#undef ATTEND_DETAIL_COMMA
#undef ATTEND_DETAIL_REGISTER

/// Begins d (64, 8 Blocks) = a (64, 16) b (16, 8 Blocks), to which d is added first where `add`; summed in f32. Of each
/// block of 8 columns warp w of the warpgroup holds rows 16 w on as product_m16n8k16 leaves them. a and b in shared memory
/// are product_operand's, of rows of a and of columns of b, or, where Transposed, of rows of b; a in registers is as
/// product_m16n8k16 has it. Until products_wait nobody may touch d or a's registers.
template <class T, bool Transposed, int Blocks, class A>
__device__ void product_warpgroup(float (&d)[Blocks][4], A const& a, std::uint64_t b, bool add) {
  product_m64k16<Blocks>::template run<T, Transposed>(d, a, b, add);
}

// ---- host -------------------------------------------------------------------------------------------------------------

/// Whether the current device is of compute capability 9.0 and has this kernel, compiled for sm_90a: compiled for others
/// the kernel is empty.
template <class Kernel>
cudaError_t has_warpgroups_for(Kernel* kernel, bool& has) {
  int major = 0, minor = 0;
  has = false;
  if (cudaError_t const status = attribute_of_device(cudaDevAttrComputeCapabilityMajor, major); status != cudaSuccess) return status;
  if (cudaError_t const status = attribute_of_device(cudaDevAttrComputeCapabilityMinor, minor); status != cudaSuccess) return status;
  if (major != 9 || minor != 0) return cudaSuccess;
  cudaFuncAttributes attributes{};
  if (cudaError_t const status = cudaFuncGetAttributes(&attributes, kernel); status != cudaSuccess) return status;
  has = attributes.numRegs > 64; // an empty one needs a handful, one with its products all that its threads may have
  return cudaSuccess;
}
/// The multiprocessors of the current device.
inline cudaError_t multiprocessors_of_device(int& count) { return attribute_of_device(cudaDevAttrMultiProcessorCount, count); }

/// A tensor of 16-bit elements for load_tile and store_tile, the innermost axis first, of stride 1; the others' strides in
/// bytes, multiples of 16. Boxes are at most 128 bytes of the innermost axis, and at most 256 of any other.
struct tile_tensor {
  void* data; ///< aligned to 16 bytes
  std::uint64_t extent[5], stride[4];
  std::uint32_t box[5];
};
/// The map by which boxes are copied into rows of 128 bytes, their 16-byte chunks exclusive-ored by row % 8.
template <class T>
cudaError_t make_map(CUtensorMap& map, tile_tensor const& x) {
  static auto const encode = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
    auto const status = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result);
    return status == cudaSuccess && result == cudaDriverEntryPointSuccess ? reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(found) : nullptr;
  }();
  if (!encode) return cudaErrorNotSupported;
  cuuint64_t extent[5], stride[4];
  cuuint32_t box[5], step[5];
  for (int i = 0; i < 5; ++i) extent[i] = x.extent[i], box[i] = x.box[i], step[i] = 1;
  for (int i = 0; i < 4; ++i) stride[i] = x.stride[i];
  auto const status = encode(&map, std::is_same_v<T, bf16> ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 5, x.data, extent,
                             stride, box, step, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return status == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

} // namespace attend::kernels::cuda::ptx
