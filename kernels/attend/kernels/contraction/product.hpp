// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One matrix product, by panels or by oneDNN: a shape with its strides and post-operations, made once and run by any thread.
#pragma once
#include <attend/kernels/contraction/onednn.hpp>
#include <attend/kernels/contraction/panels.hpp>
#include <array>
#include <atomic>
#include <cstring>
#include <optional>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

// The activations whose post-operation is as exact as ours. (oneDNN's relu and exp lose NaN, its sigmoid what is below
// the normal range, and its gelu has an absolute error of 4e-7, which in the lower tail is all of the value.)
inline std::optional<dnnl_alg_kind_t> post_operation(activation function) {
  switch (function) {
  case activation::abs: return dnnl_eltwise_abs;
  case activation::sqrt: return dnnl_eltwise_sqrt;
  case activation::square: return dnnl_eltwise_square;
  case activation::tanh: return dnnl_eltwise_tanh;
  default: return std::nullopt;
  }
}

class product {
  enum { x_at, y_at, out_at, bias_at, residual_at, scratch_at, arguments };
  std::optional<panel_product> panels_; // or, without:
  primitive_handle primitive_;
  layout layouts_[arguments];
  int names_[arguments] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS, 0, DNNL_ARG_SCRATCHPAD};
  bool present_[arguments] = {true, true, true, false, false, true};
  std::size_t scratch_bytes_ = 0;
  std::uint64_t number_ = 0; // of all products ever made

  static std::uint64_t next_number() {
    static std::atomic<std::uint64_t> last = 0;
    return ++last;
  }
  [[gnu::cold]] static bool describe(layout& d, std::int64_t groups, std::int64_t rows, std::int64_t columns, matrix const& m) {
    dnnl_dim_t const extents[] = {m.group_stride ? groups : 1, rows, columns};
    // The stride of a group that is alone is never used but has to be plausible.
    auto const apart = m.group_stride ? m.group_stride : std::max(rows * m.row_stride, columns * m.column_stride);
    dnnl_dim_t const strides[] = {std::max<dnnl_dim_t>(apart, 1), m.row_stride, m.column_stride};
    int const skip = groups == 1;
    return d.set(3 - skip, extents + skip, strides + skip, m.type);
  }

public:
  // The product, or nothing where oneDNN has no (optimised) implementation for it on this machine.
  [[gnu::cold]] static std::unique_ptr<product const> make(product_shape const& s) {
    auto made = std::make_unique<product>();
    if (panel_product::takes(s)) {
      made->scratch_bytes_ = made->panels_.emplace(s).scratch_bytes();
      return made;
    }
    auto* const d = made->layouts_;
    if (!describe(d[x_at], s.groups, s.rows, s.depth, s.x) || !describe(d[y_at], s.groups, s.depth, s.columns, s.y) ||
        !describe(d[out_at], s.groups, s.rows, s.columns, s.out))
      return nullptr;

    dnnl_primitive_attr_t attributes_made = nullptr;
    dnnl_post_ops_t post_ops_made = nullptr;
    require(dnnl_primitive_attr_create(&attributes_made), "attribute creation", "matmul");
    attributes_handle const attributes(attributes_made);
    require(dnnl_post_ops_create(&post_ops_made), "post-operation creation", "matmul");
    post_ops_handle const post_ops(post_ops_made);
    require(dnnl_primitive_attr_set_scratchpad_mode(attributes.get(), dnnl_scratchpad_mode_user), "scratchpad mode",
            "matmul");
    bool possible = true;
    auto const add = [&](dnnl_status_t status) { possible = possible && status == dnnl_success; };
    if (s.scale != 1) add(append_scale(attributes.get(), post_ops.get(), s.scale));
    if (s.accumulate) add(append_sum(post_ops.get()));
    if (s.bias) {
      // As a post-operation, since oneDNN's own bias is added before the scale.
      matrix const row{*s.bias, 0, std::max<std::int64_t>(s.columns, 1), 1};
      if (!describe(d[bias_at], s.groups, 1, s.columns, row)) return nullptr;
      made->names_[bias_at] = DNNL_ARG_ATTR_MULTIPLE_POST_OP(dnnl_post_ops_len(post_ops.get())) | DNNL_ARG_SRC_1;
      made->present_[bias_at] = true;
      add(dnnl_post_ops_append_binary(post_ops.get(), dnnl_binary_add, d[bias_at].get()));
    }
    if (auto const kind = post_operation(s.function)) add(append_function(post_ops.get(), *kind));
    else if (s.function != activation::none) return nullptr;
    if (s.residual) {
      if (!describe(d[residual_at], s.groups, s.rows, s.columns, *s.residual)) return nullptr;
      made->names_[residual_at] = DNNL_ARG_ATTR_MULTIPLE_POST_OP(dnnl_post_ops_len(post_ops.get())) | DNNL_ARG_SRC_1;
      made->present_[residual_at] = true;
      add(dnnl_post_ops_append_binary(post_ops.get(), dnnl_binary_add, d[residual_at].get()));
    }
    add(dnnl_primitive_attr_set_post_ops(attributes.get(), post_ops.get()));
    if (!possible) return nullptr;

    one_thread const alone; // what is prepared for one thread is what is run
    dnnl_primitive_desc_t description_made = nullptr;
    if (describe_product(&description_made, d[x_at], d[y_at], d[out_at], attributes.get()) != dnnl_success) return nullptr;
    description_handle const description(description_made);
    char const* implementation = "";
    require(dnnl_primitive_desc_query(description.get(), dnnl_query_impl_info_str, 0, &implementation), "query",
            "implementation name");
    if (!s.reference_will_do && std::strncmp(implementation, "ref", 3) == 0) return nullptr;
    d[scratch_at].set(dnnl_primitive_desc_query_md(description.get(), dnnl_query_scratchpad_md, 0));
    made->scratch_bytes_ = dnnl_memory_desc_get_size(d[scratch_at].get());
    dnnl_primitive_t primitive_made = nullptr;
    if (dnnl_primitive_create(&primitive_made, description.get()) != dnnl_success) return nullptr;
    made->primitive_.reset(primitive_made);
    made->number_ = next_number();
    return made;
  }

  std::size_t scratch_bytes() const { return scratch_bytes_; }
  bool by_panels() const { return panels_.has_value(); }

  // Runs products on the calling thread; keeps what oneDNN needs around the pointers of the last few of them. `again`: y and
  // scratch are as a product by panels, of these columns and depth, left them.
  class runner {
    struct prepared {
      std::uint64_t number = 0;
      memory_handle memories[arguments];
      dnnl_exec_arg_t list[arguments]{};
      int count = 0;

      [[gnu::cold]] void prepare(product const& p) {
        number = 0;
        count = 0;
        for (int i = 0; i < arguments; ++i) {
          memories[i].reset();
          if (!p.present_[i]) continue;
          dnnl_memory_t made = nullptr;
          require(dnnl_memory_create(&made, p.layouts_[i].get(), engine(), DNNL_MEMORY_NONE), "memory creation",
                  "matmul");
          memories[i].reset(made);
          list[count++] = {p.names_[i], made};
        }
        number = p.number_;
      }
    };
    std::array<prepared, 8> recent_;

  public:
    [[gnu::noinline]] void operator()(product const& p, void const* x, void const* y, void* out, void const* bias, void const* residual,
                    void* scratch, bool again) {
      if (p.panels_)
        return (*p.panels_)(static_cast<float const*>(x), static_cast<float const*>(y), static_cast<float*>(out), static_cast<float const*>(bias),
                            static_cast<float const*>(residual), static_cast<float*>(scratch), again);
      prepared& now = recent_[p.number_ % recent_.size()];
      if (now.number != p.number_) now.prepare(p);
      void* const pointers[arguments] = {const_cast<void*>(x),    const_cast<void*>(y),        out,
                                         const_cast<void*>(bias), const_cast<void*>(residual), scratch};
      for (int i = 0; i < arguments; ++i)
        if (now.memories[i])
          require(dnnl_memory_set_data_handle(now.memories[i].get(), pointers[i]), "setting of a pointer", "matmul");
      require(dnnl_primitive_execute(p.primitive_.get(), stream_of_this_thread(), now.count, now.list), "matmul",
              "execution of a prepared product");
    }
    static runner& of_this_thread() {
      thread_local runner mine;
      return mine;
    }
  };
};

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
