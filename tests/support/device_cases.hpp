// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Expressions of every kind of step, with operands for them: for programs that evaluate them in device memory, on a device
// or in the emulator. Each calls check(what, f, x...) with f to be evaluated of the tensors x.
#pragma once
#include <attend/language.hpp>
#include <cmath>
#include <string>

namespace attend::device_cases {

using namespace attend::dims;
using namespace attend::literals;

template <class Check>
void passes(Check const& check) {
  auto const x = normal<float>(b = 3, s = 17, d = 5);
  auto const y = normal<float>(d = 5, b = 3);
  check("broadcast", [](auto const& p, auto const& q) { return exp(p / 3) + q * 2 + index(s); }, x, y);
  check("f16", [](auto const& p) { return tanh(p); }, normal<f16>(s = 9, d = 33));
  check("bf16 to f32", [](auto const& p) { return cast<float>(p) * 0.1; }, normal<bf16>(s = 9, d = 33));
  check("f64", [](auto const& p) { return log(abs(p)) + 1; }, normal<double>(s = 9, d = 33));
  check("whole numbers", [](auto const& p) { return p + index(s); }, values<std::int64_t>({1l << 50, 2, -3}, s = 3));
  check("conditions", [](auto const& p) { return where(p > 0 && index(s) < 4, p, -1); }, x);
  check("dropout", [](auto const& p) { return dropout(p, 0.3, 7); }, x);
  check("nothing", [](auto const& p) { return exp(p); }, zeros<float>(s = 0, d = 3));
  check("a number", [](auto const& p) { return exp(p); }, ones<float>());
}
template <class Check>
void look_ups(Check const& check) {
  check("rows of a table", [](auto const& table, auto const& ids) { return gather(table, ids, w) * 2; }, normal<float>(w = 6, d = 4),
               values<std::int32_t>({5, 0, 2, 2, 1}, s = 5));
}

template <class Check>
void reductions(Check const& check) {
  auto const x = normal<float>(b = 3, s = 37, d = 70);
  check("sum over the last", [](auto const& p) { return sum(p, d); }, x);
  check("sum over the middle", [](auto const& p) { return sum(p, s); }, x);
  check("sum over the first", [](auto const& p) { return sum(p, b); }, x);
  check("over two", [](auto const& p) { return sum(p, b, d); }, x);
  check("over all", [](auto const& p) { return sum(p, b, s, d); }, x);
  check("mean of what is computed", [](auto const& p) { return mean(exp(p) + index(d), d); }, x);
  check("max", [](auto const& p) { return max(p, d); }, x);
  check("min", [](auto const& p) { return min(p, s); }, x);
  check("logsumexp", [](auto const& p) { return logsumexp(p, d); }, x);
  check("f64", [](auto const& p) { return sum(p, d); }, normal<double>(s = 5, d = 300));
  check("counts", [](auto const& p) { return sum(where(p > 0, 1, 0), d); }, x);
  check("over nothing", [](auto const& p) { return sum(p, d); }, zeros<float>(s = 3, d = 0));
  check("over one", [](auto const& p) { return max(p, d); }, normal<float>(s = 3, d = 1));
  check("a long row", [](auto const& p) { return sum(p, d); }, normal<float>(d = 40000));
  check("long columns", [](auto const& p) { return sum(p, s); }, normal<float>(s = 20000, d = 3));
}
template <class Check>
void normalisations(Check const& check) {
  auto const x = normal<float>(b = 3, s = 37, d = 70);
  check("softmax", [](auto const& p) { return softmax(p, d); }, x);
  check("softmax over columns", [](auto const& p) { return softmax(p, s); }, x);
  check("masked softmax", [](auto const& p) { return softmax(masked(p, keep(causal(s, d))), d); }, x);
  check("softmax of bf16", [](auto const& p) { return softmax(p, d); }, normal<bf16>(s = 5, d = 1200));
  check("layer norm", [](auto const& p) { return (p - mean(p, d)) / sqrt(mean(hadamard(p - mean(p, d), p - mean(p, d)), d) + 1e-5); }, x);
  check("short rows", [](auto const& p) { return softmax(p, d); }, normal<float>(s = 300, d = 5));
}

template <class Check>
void products(Check const& check) {
  auto const x = normal<float>(b = 3, s = 7, d = 20);
  auto const y = normal<float>(b = 3, t = 9, d = 20);
  auto const bias = normal<float>(t = 9);
  check("batched", [](auto const& p, auto const& q) { return p * transpose(q); }, x, y);
  check("scaled", [](auto const& p, auto const& q) { return p * transpose(q) / 8; }, x, y);
  check("bias", [](auto const& p, auto const& q, auto const& r) { return p * transpose(q) + r; }, x, y, bias);
  check("bias and relu", [](auto const& p, auto const& q, auto const& r) { return relu(p * transpose(q) + r); }, x, y, bias);
  check("bias and gelu", [](auto const& p, auto const& q, auto const& r) { return gelu(p * transpose(q) + r); }, x, y, bias);
  check("weights without a batch", [](auto const& p, auto const& q) { return p * transpose(q); }, x, normal<float>(t = 9, d = 20));
  check("over two dims", [](auto const& p, auto const& q) { return contract(p, q, b, d); }, x, y);
  check("of bf16", [](auto const& p, auto const& q) { return p * transpose(q); }, normal<bf16>(b = 2, s = 7, d = 24), normal<bf16>(b = 2, t = 8, d = 24));
  check("of f64", [](auto const& p, auto const& q) { return p * transpose(q); }, normal<double>(s = 7, d = 20), normal<double>(t = 9, d = 20));
  check("bias and tanh gelu", [](auto const& p, auto const& q, auto const& r) { return gelu_tanh(p * transpose(q) + r); }, x, y, bias);
  check("residual", [](auto const& p, auto const& q, auto const& r) { return p * transpose(q) + r; }, x, y, normal<float>(b = 3, s = 7, t = 9));
  check("bias, gelu and residual of bf16", [](auto const& p, auto const& q, auto const& r, auto const& u) { return gelu(p * transpose(q) + r) + u; },
        normal<bf16>(s = 7, d = 24), normal<bf16>(t = 16, d = 24), normal<bf16>(t = 16), normal<bf16>(s = 7, t = 16));
  check("a batch of two dims", [](auto const& p, auto const& q) { return p * transpose(q); }, normal<float>(b = 3, s = 7, n = 2, d = 20), normal<float>(n = 2, b = 3, t = 9, d = 20));
  check("a grouped batch", [](auto const& p, auto const& q) { return p * transpose(q); }, normal<float>(b = 3, n = 2, s = 7, d = 20), normal<float>(b = 3, t = 9, d = 20));
  check("keys stored transposed", [](auto const& p, auto const& q) { return p * q; }, x, normal<float>(b = 3, d = 20, t = 9));
  check("by a vector", [](auto const& p, auto const& q) { return contract(p, q, d); }, x, normal<float>(d = 20));
  check("over nothing", [](auto const& p, auto const& q) { return p * transpose(q); }, zeros<float>(s = 7, d = 0), zeros<float>(t = 9, d = 0));
  check("outer", [](auto const& p, auto const& q) { return contract(p, q, b); }, x, normal<float>(b = 3));
}
template <class Check>
void attentions(Check const& check) {
  auto const q = normal<f16>(b = 2, n = 2, s = 20, d = 32_c);
  auto const k = normal<f16>(b = 2, n = 2, t = 37, d = 32_c);
  auto const v = normal<f16>(b = 2, n = 2, t = 37, d = 32_c);
  check("attention", [](auto const& x, auto const& y, auto const& z) { return softmax(x * transpose(y) / 6) * z; }, q, k, v);
  check("causal attention", [](auto const& x, auto const& y, auto const& z) { return softmax(masked(x * transpose(y) / 6, keep(causal(s, t)))) * z; }, q, k, v);
  check("attention without softmax", [](auto const& x, auto const& y, auto const& z) { return sigmoid(x * transpose(y) / 6) * z; }, q, k, v);
  auto const causally = [](auto const& x, auto const& y, auto const& z) { return softmax(masked(x * transpose(y) / 8, keep(causal(s, t)))) * z; };
  check("attention of few rows of grouped heads", causally, normal<bf16>(b = 2, g = 2, r = 8, s = 5, d = 64_c), normal<bf16>(b = 2, g = 2, t = 300, d = 64_c),
        normal<bf16>(b = 2, g = 2, t = 300, d = 64_c));
  check("attention of values narrower than keys", causally, normal<bf16>(n = 3, s = 140, d = 192_c), normal<bf16>(n = 3, t = 150, d = 192_c), normal<bf16>(n = 3, t = 150, w = 128_c));
  check("attention of a part of the keys' columns", [](auto const& x, auto const& y, auto const& z) { return softmax(x * transpose(slice(y, d, 0, 64)) / 8) * z; },
        normal<f16>(s = 140, d = 64_c), normal<f16>(t = 150, d = 68), normal<f16>(t = 150, w = 64_c));
  auto const wide = normal<f16>(s = 3, d = 264);
  auto const keys = normal<f16>(t = 5, d = 264);
  check("attention of wide heads", [](auto const& x, auto const& y) { return softmax(x * transpose(y) / 16) * y; }, wide, keys);
}

/// What is made of the scores x, given a slope for each head and a length for each batch entry.
namespace scores {
inline constexpr struct full_t {
  static constexpr char const* name = "full";
  auto operator()(auto const& x, auto const&, auto const&) const { return x; }
} full;
inline constexpr struct causal_t {
  static constexpr char const* name = "causal";
  auto operator()(auto const& x, auto const&, auto const&) const { return masked(x, keep(attend::causal(s, t))); }
} causal;
inline constexpr struct window_t {
  static constexpr char const* name = "window";
  auto operator()(auto const& x, auto const&, auto const&) const { return masked(x, keep(attend::window(s, t, 40, 9))); }
} window;
inline constexpr struct softcap_t {
  static constexpr char const* name = "softcap";
  auto operator()(auto const& x, auto const&, auto const&) const { return 3 * tanh(x / 3); }
} softcap;
inline constexpr struct alibi_t {
  static constexpr char const* name = "alibi";
  auto operator()(auto const& x, auto const& slopes, auto const&) const { return x + slopes * (index(t) - index(s)); }
} alibi;
inline constexpr struct padding_t {
  static constexpr char const* name = "padding";
  auto operator()(auto const& x, auto const&, auto const& lengths) const { return masked(x, drop(attend::padding(t, lengths))); }
} padding;
} // namespace scores

/// Batches, key-value heads, query heads for each of them, rows and keys: many tiles, the last of them not full.
struct attention_sizes {
  long batches = 2, groups = 2, of_group = 2, rows = 131, keys = 331;
};

/// Fused attention of T with a head dim known to the compiler, query heads in groups and two lengths of keys, under each
/// of the scores. ALiBi's slopes, and so its result, are of f32.
template <class T, class Check, class D, class... Score>
void fused(Check const& check, char const* dtype, attention_sizes const& n, D head_dim, Score const&... scores) {
  auto const q = normal<T>(b = n.batches, g = n.groups, r = n.of_group, s = n.rows, d = head_dim);
  auto const k = normal<T>(b = n.batches, g = n.groups, t = n.keys, d = head_dim);
  auto const v = normal<T>(b = n.batches, g = n.groups, t = n.keys, d = head_dim);
  auto const slopes = uniform<float>(g = n.groups, r = n.of_group);
  auto lengths = uninitialized<std::int32_t>(b = n.batches);
  for (long i = 0; i < n.batches; ++i) lengths(b = i) = static_cast<std::int32_t>(n.keys / (i + 1));
  auto const one = [&](auto const& score) {
    auto const name = std::string(dtype) + " " + std::to_string(D::value) + " " + score.name;
    check(name.c_str(), [&](auto const& x, auto const& y, auto const& z, auto const& slope, auto const& length) {
      return softmax(score(x * transpose(y) * (1 / std::sqrt(float(D::value))), slope, length)) * z;
    }, q, k, v, slopes, lengths);
  };
  (one(scores), ...);
}

} // namespace attend::device_cases
