// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix products by cuBLASLt: handles and chosen algorithms are kept, one handle a device.
#pragma once
#include <array>
#include <attend/kernels/cuda/matrix_product.hpp>
#include <cublasLt.h>
#include <map>
#include <mutex>

namespace attend::kernels::cuda {

/// How a product went: done means under way.
struct product_status {
  enum { done, not_taken, failed } is;
  char const* call; ///< that failed
  char const* why;
};

inline namespace ATTEND_DETAIL_ISA {
namespace detail {

inline cudaDataType_t library_type(data_type type) { return type == data_type::bf16 ? CUDA_R_16BF : type == data_type::f16 ? CUDA_R_16F : CUDA_R_32F; }

/// One of cuBLASLt's descriptors.
template <class T, cublasStatus_t (*Destroy)(T)>
struct descriptor {
  T it = nullptr;
  descriptor() = default;
  descriptor(descriptor const&) = delete;
  ~descriptor() {
    if (it) static_cast<void>(Destroy(it));
  }
};
using matrix_layout = descriptor<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using operation = descriptor<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using preference = descriptor<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

/// The handle of the current device, made at its first product and kept to the program's end.
inline cublasStatus_t handle_of_device(int device, cublasLtHandle_t& handle) {
  static std::mutex mutex;
  static std::map<int, cublasLtHandle_t> handles;
  std::lock_guard const lock(mutex);
  auto& kept = handles[device];
  if (!kept)
    if (cublasStatus_t const status = cublasLtCreate(&kept); status != CUBLAS_STATUS_SUCCESS) return status;
  handle = kept;
  return CUBLAS_STATUS_SUCCESS;
}

/// All that the choice of an algorithm depends on.
using product_key = std::array<std::int64_t, 24>;
struct chosen_algorithm {
  bool there = false;
  cublasLtMatmulAlgo_t algorithm{};
};
inline std::mutex& mutex_of_algorithms() {
  static std::mutex mutex;
  return mutex;
}
inline std::map<product_key, chosen_algorithm>& algorithms() {
  static std::map<product_key, chosen_algorithm> kept;
  return kept;
}

inline std::uint32_t alignment_of(product_matrix const& m, contraction::detail::axis_list const& loops, contraction::detail::stride_of of) {
  auto const size = static_cast<std::uintptr_t>(contraction::size_of(m.type));
  auto bits = reinterpret_cast<std::uintptr_t>(m.data) | 256;
  for (auto const& a : loops) bits |= static_cast<std::uintptr_t>(a.*of) * size;
  return static_cast<std::uint32_t>(bits & (~bits + 1));
}
inline cublasLtEpilogue_t epilogue_of(matrix_product const& g) {
  bool const bias = g.bias != nullptr;
  switch (g.function) {
  case activation::relu: return bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
  case activation::gelu_tanh: return bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
  default: return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  }
}

/// Runs calls in turn until one fails.
struct library_calls {
  product_status status{product_status::done, "", ""};
  template <class... Parameters, class... Arguments>
  library_calls& call(char const* name, cublasStatus_t (*function)(Parameters...), Arguments... arguments) {
    if (status.is != product_status::done) return *this;
    cublasStatus_t const s = function(arguments...);
    if (s == CUBLAS_STATUS_NOT_SUPPORTED) status = {product_status::not_taken, name, ""};
    else if (s != CUBLAS_STATUS_SUCCESS) status = {product_status::failed, name, cublasLtGetStatusName(s)};
    return *this;
  }
  library_calls& layout(matrix_layout& to, product_matrix const& m, std::int64_t rows, std::int64_t columns, std::int64_t batches) {
    auto const count = static_cast<std::int32_t>(batches);
    call("cublasLtMatrixLayoutCreate", cublasLtMatrixLayoutCreate, &to.it, library_type(m.type), static_cast<std::uint64_t>(m.transposed ? columns : rows),
         static_cast<std::uint64_t>(m.transposed ? rows : columns), m.leading);
    call("cublasLtMatrixLayoutSetAttribute", cublasLtMatrixLayoutSetAttribute, to.it, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count);
    return call("cublasLtMatrixLayoutSetAttribute", cublasLtMatrixLayoutSetAttribute, to.it, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &m.batch, sizeof m.batch);
  }
  template <class Value>
  library_calls& set(operation& to, cublasLtMatmulDescAttributes_t what, Value const& value) {
    return call("cublasLtMatmulDescSetAttribute", cublasLtMatmulDescSetAttribute, to.it, what, &value, sizeof value);
  }
  template <class Value>
  library_calls& set(preference& to, cublasLtMatmulPreferenceAttributes_t what, Value const& value) {
    return call("cublasLtMatmulPreferenceSetAttribute", cublasLtMatmulPreferenceSetAttribute, to.it, what, &value, sizeof value);
  }
};

} // namespace detail

/// Computes a product on a stream of the current device, without memory of its own; sums in f32. not_taken: the library
/// has no kernel for it, and nothing is written.
[[gnu::cold]] inline product_status multiply(cudaStream_t stream, matrix_product const& g) {
  using contraction::detail::axis;
  using namespace detail;
  if (g.batches > std::numeric_limits<std::int32_t>::max()) return {product_status::not_taken, "", ""};
  int device = 0;
  if (cudaError_t const status = cudaGetDevice(&device); status != cudaSuccess) return {product_status::failed, "cudaGetDevice", cudaGetErrorName(status)};
  cublasLtHandle_t handle = nullptr;
  operation of;
  matrix_layout a, b, c, d;
  product_matrix const added = g.c.data ? g.c : g.d;
  cublasOperation_t const of_a = g.a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, of_b = g.b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  cublasLtEpilogue_t const epilogue = epilogue_of(g);
  library_calls run;
  run.call("cublasLtCreate", handle_of_device, device, std::ref(handle))
      .call("cublasLtMatmulDescCreate", cublasLtMatmulDescCreate, &of.it, CUBLAS_COMPUTE_32F, CUDA_R_32F)
      .set(of, CUBLASLT_MATMUL_DESC_TRANSA, of_a)
      .set(of, CUBLASLT_MATMUL_DESC_TRANSB, of_b)
      .set(of, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue)
      .layout(a, g.a, g.rows, g.depth, g.batches)
      .layout(b, g.b, g.depth, g.columns, g.batches)
      .layout(c, added, g.rows, g.columns, g.batches)
      .layout(d, g.d, g.rows, g.columns, g.batches);
  if (g.bias) run.set(of, CUBLASLT_MATMUL_DESC_BIAS_POINTER, g.bias);
  if (run.status.is != product_status::done) return run.status;

  std::uint32_t const alignments[] = {alignment_of(g.a, g.loops, &axis::y), alignment_of(g.b, g.loops, &axis::x),
                                      alignment_of(added, g.loops, g.c.data ? g.added_by : &axis::out), alignment_of(g.d, g.loops, &axis::out)};
  product_key const key{device, g.rows, g.columns, g.depth, g.batches, g.a.leading, g.b.leading, added.leading, g.d.leading, g.a.batch, g.b.batch, added.batch, g.d.batch,
                        static_cast<int>(g.a.type) * 4 + static_cast<int>(g.d.type), of_a * 4 + of_b, epilogue, alignments[0], alignments[1], alignments[2], alignments[3]};
  chosen_algorithm chosen;
  {
    std::lock_guard const lock(mutex_of_algorithms());
    auto& kept = algorithms();
    auto const found = kept.find(key);
    if (found != kept.end()) chosen = found->second;
    else {
      preference wish;
      std::uint64_t const no_memory = 0;
      cublasLtMatmulHeuristicResult_t result{};
      int count = 0;
      run.call("cublasLtMatmulPreferenceCreate", cublasLtMatmulPreferenceCreate, &wish.it)
          .set(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, no_memory)
          .set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignments[0])
          .set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignments[1])
          .set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignments[2])
          .set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignments[3])
          .call("cublasLtMatmulAlgoGetHeuristic", cublasLtMatmulAlgoGetHeuristic, handle, of.it, a.it, b.it, c.it, d.it, wish.it, 1, &result, &count);
      if (run.status.is == product_status::failed) return run.status;
      if (run.status.is == product_status::done && count > 0 && result.state == CUBLAS_STATUS_SUCCESS) chosen = {true, result.algo};
      kept.emplace(key, chosen);
    }
  }
  if (!chosen.there) return {product_status::not_taken, "", ""};

  float const beta = g.c.data ? 1 : 0;
  auto const at = [&](product_matrix const& m, std::int64_t turn, contraction::detail::stride_of along) {
    auto* const bytes = static_cast<std::byte*>(const_cast<void*>(m.data));
    return static_cast<void*>(bytes + g.loops.offset(turn, along) * static_cast<std::int64_t>(contraction::size_of(m.type)));
  };
  for (std::int64_t turn = 0; turn < g.loops.size(); ++turn)
    run.call("cublasLtMatmul", cublasLtMatmul, handle, of.it, &g.scale, at(g.a, turn, &axis::y), a.it, at(g.b, turn, &axis::x), b.it, &beta,
             at(added, turn, g.c.data ? g.added_by : &axis::out), c.it, at(g.d, turn, &axis::out), d.it, &chosen.algorithm, nullptr, std::size_t{0}, stream);
  if (run.status.is == product_status::not_taken) run.status.is = product_status::failed, run.status.why = "CUBLAS_STATUS_NOT_SUPPORTED";
  return run.status;
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
