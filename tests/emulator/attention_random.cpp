// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random functors of scores, made by the compiler: masks, biases and functions that never widen a difference of scores.
#include "attention_cases.hpp"

namespace attend::emulated {
namespace {

struct tables {
  float const *of_row, *of_key;
};

/// Knuth's multiplicative hash, folded.
constexpr unsigned draw(unsigned seed) {
  unsigned const x = (seed + 1) * 2654435761u;
  return (x ^ (x >> 15)) * 2246822519u >> 8;
}
constexpr double number_of(unsigned seed) { return static_cast<double>(draw(seed) % 400) / 100 - 2; }
constexpr long whole_of(unsigned seed, long most) { return static_cast<long>(draw(seed)) % (2 * most) - most; }

/// A condition of positions.
template <unsigned Seed, int Depth>
auto condition(shape const& n) {
  constexpr unsigned a = draw(Seed * 3 + 1), b = draw(Seed * 5 + 2);
  if constexpr (Depth > 0 && draw(Seed) % 5 == 0) return make(op::both{}, condition<a, Depth - 1>(n), condition<b, Depth - 1>(n));
  else if constexpr (Depth > 0 && draw(Seed) % 5 == 1) return make(op::either{}, condition<a, Depth - 1>(n), condition<b, Depth - 1>(n));
  else if constexpr (Depth > 0 && draw(Seed) % 5 == 2) return make(op::no{}, condition<a, Depth - 1>(n));
  else if constexpr (draw(Seed) % 5 == 3) return make(op::less_equal{}, make(op::sub{}, key, row), whole_constant{whole_of(a, 60)});
  else return make(op::less{}, make(op::sub{}, row, whole_constant{whole_of(a, n.t)}), make(op::add{}, key, coordinate<1>{}));
}

template <unsigned Seed, int Depth>
auto functor(shape const& n, tables const& t) {
  constexpr unsigned a = draw(Seed * 7 + 3), b = draw(Seed * 11 + 4), kind = draw(Seed) % 9;
  if constexpr (Depth == 0) return score;
  else if constexpr (kind <= 1) return make(op::masked{}, condition<b, 2>(n), functor<a, Depth - 1>(n, t));
  else if constexpr (kind == 2) return make(op::add{}, functor<a, Depth - 1>(n, t), make(op::mul{}, constant{number_of(b) / 50}, make(op::sub{}, key, row)));
  else if constexpr (kind == 3) return make(op::mul{}, constant{3}, make(op::tanh{}, make(op::div{}, functor<a, Depth - 1>(n, t), constant{3})));
  else if constexpr (kind == 4) return make(op::max{}, functor<a, Depth - 1>(n, t), constant{number_of(b)});
  else if constexpr (kind == 5) return make(op::min{}, functor<a, Depth - 1>(n, t), constant{number_of(b)});
  else if constexpr (kind == 6) return make(op::where{}, condition<b, 1>(n), functor<a, Depth - 1>(n, t), functor<b, Depth - 1>(n, t));
  else if constexpr (kind == 7) return make(op::add{}, functor<a, Depth - 1>(n, t), element<float, 3>{t.of_row, {1}});
  else return make(op::add{}, element<float, 0, 4>{t.of_key, {n.t, 1}}, functor<a, Depth - 1>(n, t));
}

template <unsigned Seed, class T>
void run() {
  SCOPED_TRACE(Seed);
  shape const n{2, 2, 1, static_cast<long>(draw(Seed) % 150 + 1), static_cast<long>(draw(Seed + 1000) % 220 + 1), 64, 32};
  emulator::global_memory rows("of rows", static_cast<std::size_t>(n.s) * 4), keys("of keys", static_cast<std::size_t>(n.b * n.t) * 4);
  tables const t{reinterpret_cast<float*>(rows.data()), reinterpret_cast<float*>(keys.data())};
  for (long i = 0; i < n.s; ++i) const_cast<float*>(t.of_row)[i] = static_cast<float>(number_of(static_cast<unsigned>(i)));
  for (long i = 0; i < n.b * n.t; ++i)
    const_cast<float*>(t.of_key)[i] = i % 7 == 3 ? -std::numeric_limits<float>::infinity() : static_cast<float>(number_of(static_cast<unsigned>(i) + 77));
  emulator::options.seed = Seed % 3;
  check<empty_row::zeros_t, void, only<64>>(inputs<T>(n), functor<Seed, 1 + Seed % 4>(n, t), argument<0>{}, no_gain{}, 60);
  emulator::options.seed = 0;
}

template <class T, unsigned... Seeds>
void run_all(std::integer_sequence<unsigned, Seeds...>) {
  (run<2 * Seeds + (std::is_same_v<T, bf16> ? 0 : 1), T>(), ...);
}
TEST(attention_random, bf16) { run_all<bf16>(std::make_integer_sequence<unsigned, 14>{}); }
TEST(attention_random, f16) { run_all<f16>(std::make_integer_sequence<unsigned, 14>{}); }

} // namespace
} // namespace attend::emulated
