// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Candidates made of a list of keys, wherever shared memory and registers can hold their tiles.
#pragma once
#include "../operands.cuh"
#include "candidates.hpp"
#include <utility>

namespace bench::tuner {

namespace kernels = attend::kernels;
namespace cuda = attend::kernels::cuda;

template <class Op, class... X>
kernels::apply<Op, X...> make(Op, X... x) {
  return {{{x}...}};
}
inline constexpr kernels::argument<0> product{};
inline constexpr kernels::coordinate<2> row{};
inline constexpr kernels::coordinate<3> key{};

/// Random operands of so many heads, and the calls of one kernel on them.
template <class Tiles, class Score>
call prepared(long length, Score const& score) {
  using T = attend::bf16;
  long const heads = heads_of(Tiles::depth), batch = tokens / length;
  auto const tensor = [&](long columns, long skip) {
    auto x = attend::uninitialized<T, attend::cuda>(b = batch, n = heads, s = length, d = columns);
    fill(x, skip);
    return std::make_shared<decltype(x)>(std::move(x));
  };
  auto const q = tensor(Tiles::depth, 0), k = tensor(Tiles::depth, 333'333), v = tensor(Tiles::width, 666'667), out = tensor(Tiles::width, 0);
  auto const matrix = [&]<class U>(U* data, long columns) { return cuda::matrix<U, 2>{data, {heads * length * columns, length * columns}, columns, 1}; };
  cuda::attention_problem<T, T, 2> const problem{{batch, heads}, length, length, Tiles::depth, Tiles::width,
                                                 matrix(const_cast<T const*>(q->data()), Tiles::depth), matrix(const_cast<T const*>(k->data()), Tiles::depth),
                                                 matrix(const_cast<T const*>(v->data()), Tiles::width), matrix(out->data(), Tiles::width),
                                                 1 / std::sqrt(static_cast<double>(Tiles::depth)), 1};
  auto const one = cuda::detail::call_of<attend::empty_row::zeros_t>(problem, score, kernels::argument<0>{}, cuda::no_gain{}, cuda::attention_results<void, void, 2>{});
  bool taken = false;
  must(cuda::detail::launch_attention_sm90<Tiles>(stream(), one, batch * heads, taken));
  if (!taken) return {};
  return [=] {
    bool again = false;
    must(cuda::detail::launch_attention_sm90<Tiles>(stream(), one, batch * heads, again));
    static_cast<void>(q), static_cast<void>(k), static_cast<void>(v), static_cast<void>(out); // kept as long as the call
  };
}

/// Adds tiles of Keys keys for the three scores where a thread's registers can hold its part of the output, the scores and
/// the weights, and a block's shared memory the tiles.
template <int Depth, int Width, int Keys, int Consumers>
void add_candidate() {
  constexpr int in_registers = Width / 2 + Keys / 2 + Keys / 4 + 28;
  auto const add = []<bool Plain, class Make>(std::bool_constant<Plain>, char const* name, Make score) {
    constexpr int of_producer = !Plain ? 56 : Consumers == 2 ? 24 : 32, of_consumer = !Plain ? (Consumers == 2 ? 224 : 152) : Consumers == 2 ? 240 : 160;
    using tiles = cuda::warpgroup_tiles<Depth, Width, Keys, Consumers, of_producer, of_consumer>;
    if constexpr (in_registers <= of_consumer && cuda::detail::block_memory<tiles>::bytes <= cuda::sm_90::shared_bytes)
      all_candidates().push_back({Depth, Width, name, Keys, Consumers, of_producer, of_consumer,
                                  std::is_same_v<tiles, typename cuda::warpgroup_tuning<Depth, Width, Plain>::tiles>,
                                  [score](long length) { return prepared<tiles>(length, score()); }});
  };
  add(std::true_type{}, "full", [] { return product; });
  add(std::false_type{}, "causal", [] { return make(attend::op::masked{}, make(attend::op::less_equal{}, key, row), product); });
  add(std::false_type{}, "alibi", [] {
    static auto const slopes = copy_to(attend::cuda, alibi_slopes(16));
    return make(attend::op::add{}, product,
                make(attend::op::mul{}, kernels::element<float, 1>{slopes.data(), {1}}, make(attend::op::sub{}, key, row)));
  });
}
template <int Depth, int Width, int... Keys>
void add_candidates() {
  (add_candidate<Depth, Width, Keys, 2>(), ...);
  if constexpr (Width == 64) (add_candidate<Depth, Width, Keys, 3>(), ...);
}

} // namespace bench::tuner
