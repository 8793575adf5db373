// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// oneDNN behind a few owning types, and under one name each what is spelled otherwise in its versions 2 and 3.
#pragma once
#include <attend/kernels/contraction/problem.hpp>
#include <dlfcn.h>
#include <memory>
#include <oneapi/dnnl/dnnl.h>
#include <stdexcept>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

[[gnu::cold]] inline char const* text(dnnl_status_t status) {
  switch (status) {
  case dnnl_success: return "success";
  case dnnl_out_of_memory: return "out of memory";
  case dnnl_invalid_arguments: return "invalid arguments";
  case dnnl_unimplemented: return "unimplemented";
  case dnnl_runtime_error: return "runtime error";
  default: return "unknown status";
  }
}

[[noreturn, gnu::cold, gnu::noinline]] inline void fail(dnnl_status_t status, char const* operation,
                                                        char const* what) {
  throw std::runtime_error(
      message().add("contract: oneDNN's %s failed (%s): %s", operation, text(status), what).text());
}
inline void require(dnnl_status_t status, char const* operation, char const* what) {
  if (status != dnnl_success) fail(status, operation, what);
}

// A handle of oneDNN that is destroyed with its owner.
template <auto Destroy>
struct destroyer {
  template <class T>
  void operator()(T* handle) const {
    Destroy(handle);
  }
};
using primitive_handle = std::unique_ptr<dnnl_primitive, destroyer<dnnl_primitive_destroy>>;
using description_handle = std::unique_ptr<dnnl_primitive_desc, destroyer<dnnl_primitive_desc_destroy>>;
using attributes_handle = std::unique_ptr<dnnl_primitive_attr, destroyer<dnnl_primitive_attr_destroy>>;
using post_ops_handle = std::unique_ptr<dnnl_post_ops, destroyer<dnnl_post_ops_destroy>>;
using memory_handle = std::unique_ptr<dnnl_memory, destroyer<dnnl_memory_destroy>>;
using stream_handle = std::unique_ptr<dnnl_stream, destroyer<dnnl_stream_destroy>>;

// The one CPU engine. It is never destroyed: primitives of threads that outlive main may still refer to it.
[[gnu::cold]] inline dnnl_engine_t engine() {
  static dnnl_engine_t const cpu = [] {
    dnnl_engine_t made = nullptr;
    require(dnnl_engine_create(&made, dnnl_cpu, 0), "engine creation", "cpu 0");
    return made;
  }();
  return cpu;
}

inline dnnl_stream_t stream_of_this_thread() {
  thread_local stream_handle const stream = [] {
    dnnl_stream_t made = nullptr;
    require(dnnl_stream_create(&made, engine(), dnnl_stream_default_flags), "stream creation", "cpu 0");
    return stream_handle(made);
  }();
  return stream.get();
}

// While one lives, oneDNN works on the calling thread alone. A oneDNN built on OpenMP asks its run time library how many
// threads to use, a setting each thread has for itself; the functions are looked up in the process rather than linked,
// so that a oneDNN built on something else, or another OpenMP, needs nothing here.
class one_thread {
  struct openmp {
    int (*get)() = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
    void (*set)(int) = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  };
  static openmp const& library() {
    static openmp const found;
    return found;
  }
  int before_ = 1;

public:
  [[gnu::noinline]] one_thread() {
    if (library().get && library().set && (before_ = library().get()) != 1) library().set(1);
  }
  [[gnu::noinline]] ~one_thread() {
    if (before_ != 1) library().set(before_);
  }
  one_thread(one_thread const&) = delete;
  one_thread& operator=(one_thread const&) = delete;
};

inline dnnl_data_type_t kind_of(data_type type) {
  return type == data_type::f32 ? dnnl_f32 : type == data_type::bf16 ? dnnl_bf16 : dnnl_f16;
}

// ---- what the versions differ in

// How a tensor lies in memory.
#if DNNL_VERSION_MAJOR >= 3
class layout {
  std::unique_ptr<dnnl_memory_desc, destroyer<dnnl_memory_desc_destroy>> made_;

public:
  const_dnnl_memory_desc_t get() const { return made_.get(); }
  // Whether oneDNN takes it.
  [[gnu::cold]] bool set(int rank, dnnl_dim_t const* extents, dnnl_dim_t const* strides, data_type type) {
    dnnl_memory_desc_t made = nullptr;
    bool const taken = dnnl_memory_desc_create_with_strides(&made, rank, extents, kind_of(type), strides) == dnnl_success;
    made_.reset(made);
    return taken;
  }
  [[gnu::cold]] void set(const_dnnl_memory_desc_t other) {
    dnnl_memory_desc_t made = nullptr;
    require(dnnl_memory_desc_clone(&made, other), "copying", "a layout");
    made_.reset(made);
  }
};
inline dnnl_status_t append_scale(dnnl_primitive_attr_t, dnnl_post_ops_t to, float scale) {
  return dnnl_post_ops_append_eltwise(to, dnnl_eltwise_linear, scale, 0);
}
inline dnnl_status_t append_sum(dnnl_post_ops_t to) { return dnnl_post_ops_append_sum(to, 1, 0, dnnl_data_type_undef); }
inline dnnl_status_t append_function(dnnl_post_ops_t to, dnnl_alg_kind_t kind) { return dnnl_post_ops_append_eltwise(to, kind, 0, 0); }
inline dnnl_status_t describe_product(dnnl_primitive_desc_t* made, layout const& x, layout const& y, layout const& out,
                                      const_dnnl_primitive_attr_t attributes) {
  return dnnl_matmul_primitive_desc_create(made, engine(), x.get(), y.get(), nullptr, out.get(), attributes);
}
#else
class layout {
  dnnl_memory_desc_t made_{};

public:
  dnnl_memory_desc_t const* get() const { return &made_; }
  // Whether oneDNN takes it.
  [[gnu::cold]] bool set(int rank, dnnl_dim_t const* extents, dnnl_dim_t const* strides, data_type type) {
    return dnnl_memory_desc_init_by_strides(&made_, rank, extents, kind_of(type), strides) == dnnl_success;
  }
  void set(dnnl_memory_desc_t const* other) { made_ = *other; }
};
inline dnnl_status_t append_scale(dnnl_primitive_attr_t attributes, dnnl_post_ops_t, float scale) {
  return dnnl_primitive_attr_set_output_scales(attributes, 1, 0, &scale);
}
inline dnnl_status_t append_sum(dnnl_post_ops_t to) { return dnnl_post_ops_append_sum(to, 1); }
inline dnnl_status_t append_function(dnnl_post_ops_t to, dnnl_alg_kind_t kind) { return dnnl_post_ops_append_eltwise(to, 1, kind, 0, 0); }
[[gnu::cold]] inline dnnl_status_t describe_product(dnnl_primitive_desc_t* made, layout const& x, layout const& y, layout const& out,
                                                    const_dnnl_primitive_attr_t attributes) {
  dnnl_matmul_desc_t operation;
  auto const status = dnnl_matmul_desc_init(&operation, x.get(), y.get(), nullptr, out.get());
  return status == dnnl_success ? dnnl_primitive_desc_create(made, &operation, attributes, engine(), nullptr) : status;
}
#endif

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
