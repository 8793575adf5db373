// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The contraction kernel against sums in float64, each result within what f32 sums and one rounding allow.
#include <attend/kernels/contraction/contract.hpp>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <tbb/parallel_for.h>
#include <thread>
#include <tuple>

using namespace attend::kernels::contraction;

namespace {

double const u32 = std::ldexp(1.0, -24);
constexpr data_type types[] = {data_type::f32, data_type::bf16, data_type::f16};

double unit_of(data_type t) { return std::ldexp(1.0, t == data_type::f32 ? -24 : t == data_type::bf16 ? -8 : -11); }
double smallest_of(data_type t) { return std::ldexp(1.0, t == data_type::f32 ? -149 : t == data_type::bf16 ? -133 : -24); }
double largest_of(data_type t) { return t == data_type::f32 ? 0x1.fffffep127 : t == data_type::bf16 ? 0x1.fep127 : 65504.0; }

// Rounds to nearest even by arithmetic alone, sharing nothing with the kernel.
double rounded(double x, data_type t) {
  if (!std::isfinite(x) || x == 0) return x;
  double const unit = std::max(std::ldexp(2 * unit_of(t), std::ilogb(x)), smallest_of(t));
  double const r = std::nearbyint(x / unit) * unit;
  return std::abs(r) > largest_of(t) ? std::copysign(std::numeric_limits<double>::infinity(), x) : r;
}

double read(void const* data, std::int64_t i, data_type t) {
  if (t == data_type::f32) return static_cast<float const*>(data)[i];
  unsigned const h = static_cast<std::uint16_t const*>(data)[i];
  int const fraction_bits = t == data_type::bf16 ? 7 : 10, exponent_bits = 15 - fraction_bits;
  int const exponent = int(h >> fraction_bits) & ((1 << exponent_bits) - 1), fraction = int(h) & ((1 << fraction_bits) - 1);
  int const bias = (1 << (exponent_bits - 1)) - 1;
  double const sign = h & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return fraction ? std::nan("") : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

void write(void* data, std::int64_t i, data_type t, double x) {
  double const r = rounded(x, t);
  if (t == data_type::f32) {
    static_cast<float*>(data)[i] = static_cast<float>(r);
    return;
  }
  int const fraction_bits = t == data_type::bf16 ? 7 : 10, exponent_bits = 15 - fraction_bits;
  int const bias = (1 << (exponent_bits - 1)) - 1, all = (1 << exponent_bits) - 1;
  unsigned h = std::signbit(r) ? 0x8000 : 0;
  if (std::isnan(r)) h |= unsigned(all << fraction_bits) | 1u;
  else if (std::isinf(r)) h |= unsigned(all << fraction_bits);
  else if (r != 0) {
    int const e = std::max(std::ilogb(r), 1 - bias);
    auto const fraction = static_cast<unsigned>(std::ldexp(std::abs(r), fraction_bits - e));
    h |= fraction >> fraction_bits ? unsigned((e + bias) << fraction_bits) | (fraction & ((1u << fraction_bits) - 1)) : fraction;
  }
  static_cast<std::uint16_t*>(data)[i] = static_cast<std::uint16_t>(h);
}

// A tensor laid out as "bsnd" says: letters in storage order; `_` after a letter leaves a gap behind that axis, `~`
// stores it backwards.
struct tensor {
  std::vector<std::byte> bytes;
  data_type type = data_type::f32;
  std::int64_t start = 0, size = 0;
  std::map<char, std::int64_t> strides;

  tensor(std::string const& layout, std::map<char, std::int64_t> const& extents, data_type t) : type(t) {
    std::int64_t step = 1;
    for (std::size_t i = layout.size(); i-- > 0;) {
      bool gap = false, back = false;
      for (; layout[i] == '_' || layout[i] == '~'; --i) (layout[i] == '_' ? gap : back) = true;
      std::int64_t const extent = extents.at(layout[i]);
      strides[layout[i]] = back ? -step : step;
      if (back && extent > 0) start += (extent - 1) * step;
      step *= std::max<std::int64_t>(extent, 1) + (gap ? 3 : 0);
    }
    size = step;
    bytes.resize(static_cast<std::size_t>(size) * size_of(t));
  }
  void* data() { return bytes.data() + start * std::int64_t(size_of(type)); }
  void const* data() const { return bytes.data() + start * std::int64_t(size_of(type)); }
  void fill(std::mt19937& random, double low, double high) {
    std::uniform_real_distribution<double> number(low, high);
    for (std::int64_t i = 0; i < size; ++i) write(bytes.data(), i, type, number(random));
  }
  std::int64_t stride(char axis) const {
    auto const found = strides.find(axis);
    return found == strides.end() ? 0 : found->second;
  }
  axis_strides strides_of(std::string const& axes) const {
    axis_strides s{};
    for (std::size_t i = 0; i < axes.size(); ++i) s[i] = stride(axes[i]);
    return s;
  }
  operand read_as(std::string const& axes) const { return {data(), type, strides_of(axes)}; }
};

double exact(activation f, double x) {
  switch (f) {
  case activation::none: return x;
  case activation::relu: return x < 0 ? 0 : x;
  case activation::gelu: return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  case activation::gelu_tanh: return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  case activation::silu: return x / (1 + std::exp(-x));
  case activation::sigmoid: return 1 / (1 + std::exp(-x));
  case activation::tanh: return std::tanh(x);
  case activation::exp: return std::exp(x);
  case activation::abs: return std::abs(x);
  case activation::sqrt: return std::sqrt(x);
  case activation::square: return x * x;
  }
  return x;
}

// The relative error the f32 evaluation of an activation may have.
double relative_error(activation f, double x) {
  switch (f) {
  case activation::none:
  case activation::relu:
  case activation::abs: return 0;
  case activation::sqrt:
  case activation::square: return u32;
  case activation::gelu: return 16 * u32;
  case activation::gelu_tanh: { // the argument of the exponential carries 4 roundings, which it multiplies by its size
    double const argument = 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return (8 + 4 * std::min(std::abs(argument), 104.0)) * u32;
  }
  default: return 6 * u32;
  }
}

struct options {
  double scale = 1;
  activation function = activation::none;
  std::string bias;     // layouts; empty: absent
  std::string residual;
  data_type bias_type = data_type::f32, residual_type = data_type::f32;
  bool in_place = false; // the residual is out itself
  double low = -1, high = 1;
};

// Computes one contraction and compares every element; what lies between the elements of out must not change.
void check(std::string const& x_layout, std::string const& y_layout, std::string const& out_layout,
           std::map<char, std::int64_t> const& extents, std::array<data_type, 3> type, options const& o = {},
           unsigned seed = 1) {
  SCOPED_TRACE(x_layout + " x " + y_layout + " -> " + out_layout + " " + name_of(type[0]) + " " + name_of(type[1]) + " " +
               name_of(type[2]) + " bias " + o.bias + " residual " + o.residual);
  std::mt19937 random(seed);
  std::string axes;
  for (auto const& [name, extent] : extents) axes += name;
  tensor x(x_layout, extents, type[0]), y(y_layout, extents, type[1]), out(out_layout, extents, type[2]);
  tensor bias(o.bias, extents, o.bias_type), residual(o.residual, extents, o.residual_type);
  for (tensor* t : {&x, &y, &bias, &residual}) t->fill(random, o.low, o.high);
  out.fill(random, -1, 1);
  tensor const before = out;
  problem p;
  p.axes = static_cast<int>(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) p.extents[i] = extents.at(axes[i]);
  p.x = x.read_as(axes);
  p.y = y.read_as(axes);
  p.out = {out.data(), out.type, out.strides_of(axes)};
  p.finish.scale = o.scale;
  p.finish.function = o.function;
  if (!o.bias.empty()) p.finish.bias = bias.read_as(axes);
  if (!o.residual.empty()) p.finish.residual = residual.read_as(axes);
  if (o.in_place) p.finish.residual = out.read_as(axes);
  contract(p);

  // The oracle: all numbers in f64, one sum after the other.
  auto const numbers = [](tensor const& t) {
    std::vector<double> v(static_cast<std::size_t>(t.size));
    for (std::int64_t i = 0; i < t.size; ++i) v[static_cast<std::size_t>(i)] = read(t.bytes.data(), i, t.type);
    return v;
  };
  std::vector<double> const xs = numbers(x), ys = numbers(y);
  std::string kept, summed;
  for (char const a : axes) (out.strides.count(a) ? kept : summed) += a;
  std::map<char, std::int64_t> at;
  auto const offset = [&](tensor const& t) {
    std::int64_t sum = 0;
    for (auto const& [name, i] : at) sum += i * t.stride(name);
    return sum;
  };
  double sum = 0, magnitude = 0, terms = 0;
  auto const add = [&](auto const& self, std::size_t axis, std::int64_t x_at, std::int64_t y_at) -> void {
    if (axis == summed.size()) {
      double const product = xs[static_cast<std::size_t>(x_at)] * ys[static_cast<std::size_t>(y_at)];
      sum += product;
      magnitude += std::abs(product);
      ++terms;
      return;
    }
    auto const x_step = x.stride(summed[axis]), y_step = y.stride(summed[axis]);
    for (std::int64_t i = 0; i < extents.at(summed[axis]); ++i) self(self, axis + 1, x_at + i * x_step, y_at + i * y_step);
  };
  std::vector<bool> written(static_cast<std::size_t>(out.size));
  int shown = 0;
  auto const compare = [&] {
    sum = magnitude = terms = 0;
    add(add, 0, x.start + offset(x), y.start + offset(y));
    double const b = o.bias.empty() ? 0 : read(bias.data(), offset(bias), bias.type);
    double const r = o.in_place ? read(before.data(), offset(out), out.type)
                     : o.residual.empty() ? 0 : read(residual.data(), offset(residual), residual.type);
    double const inner = sum * o.scale + b;
    double const inner_error =
        ((terms + 2) * u32 * magnitude * std::abs(o.scale) + 2 * u32 * (std::abs(inner) + std::abs(b))) * 1.01;
    double const value = exact(o.function, inner);
    double const value_error = std::max(std::abs(exact(o.function, inner - inner_error) - value),
                                        std::abs(exact(o.function, inner + inner_error) - value)) +
                               relative_error(o.function, inner) * std::abs(value) * 1.01;
    double const expected = value + r;
    double const bound = value_error + u32 * std::abs(expected) * (o.residual.empty() && !o.in_place ? 0 : 1) +
                         unit_of(out.type) * (std::abs(expected) + value_error) * 1.01 + smallest_of(out.type);
    double const got = read(out.data(), offset(out), out.type);
    written[static_cast<std::size_t>(out.start + offset(out))] = true;
    bool const right = std::isnan(expected) ? std::isnan(got)
                       : std::isinf(expected) ? got == expected
                                              : std::abs(got - expected) <= bound;
    if (!right && shown++ < 3) {
      std::string where;
      for (auto const& [name, i] : at) where += std::string(1, name) + "=" + std::to_string(i) + " ";
      ADD_FAILURE() << where << "got " << got << ", expected " << expected << " within " << bound;
    }
  };
  auto const visit = [&](auto const& self, std::size_t axis) -> void {
    if (axis == kept.size()) return compare();
    for (at[kept[axis]] = 0; at[kept[axis]] < extents.at(kept[axis]); ++at[kept[axis]]) self(self, axis + 1);
  };
  visit(visit, 0);
  EXPECT_EQ(shown, 0);
  for (std::int64_t i = 0; i < out.size; ++i)
    if (!written[static_cast<std::size_t>(i)]) {
      EXPECT_EQ(read(out.bytes.data(), i, out.type), read(before.bytes.data(), i, out.type)) << "between elements, " << i;
    }
}

struct arrangement {
  char const *x, *y, *out;
  std::map<char, std::int64_t> extents;
};
arrangement const arrangements[] = {
    {"mk", "kn", "mn", {{'m', 37}, {'n', 29}, {'k', 41}}},
    {"mk", "nk", "mn", {{'m', 37}, {'n', 29}, {'k', 41}}},
    {"km", "kn", "mn", {{'m', 37}, {'n', 29}, {'k', 41}}},
    {"km", "nk", "nm", {{'m', 37}, {'n', 29}, {'k', 41}}},                                   // out transposed
    {"mk_", "n_k_", "m_n_", {{'m', 33}, {'n', 18}, {'k', 20}}},                              // rows with gaps
    {"bsnd", "btnd", "bnst", {{'b', 2}, {'n', 3}, {'s', 21}, {'t', 19}, {'d', 16}}},         // heads in the middle
    {"bnst", "btnd", "bsnd", {{'b', 2}, {'n', 3}, {'s', 21}, {'t', 19}, {'d', 16}}},
    {"bsc", "ndc", "bnsd", {{'b', 2}, {'s', 30}, {'c', 24}, {'n', 4}, {'d', 8}}},            // columns in two axes
    {"bsc", "cnd", "bsnd", {{'b', 2}, {'s', 30}, {'c', 24}, {'n', 4}, {'d', 8}}},
    {"bnsd", "ndc", "bsc", {{'b', 2}, {'n', 4}, {'s', 30}, {'d', 8}, {'c', 26}}},            // summed over two axes
    {"bsnd", "cdn", "bsc", {{'b', 2}, {'n', 4}, {'s', 30}, {'d', 8}, {'c', 26}}},            // in the other order
    {"bgrsd", "bgtd", "bgrst", {{'b', 2}, {'g', 2}, {'r', 3}, {'s', 9}, {'t', 11}, {'d', 8}}}, // grouped queries
    {"bsgrd", "btgd", "bgrst", {{'b', 2}, {'g', 2}, {'r', 3}, {'s', 9}, {'t', 11}, {'d', 8}}},
    {"bnsd", "btd", "bnst", {{'b', 2}, {'n', 3}, {'s', 9}, {'t', 11}, {'d', 8}}},            // y without heads
    {"sd", "bntd", "bnst", {{'b', 2}, {'n', 3}, {'s', 9}, {'t', 11}, {'d', 8}}},             // x without batches
    {"bchw", "oc", "bohw", {{'b', 2}, {'c', 7}, {'h', 6}, {'w', 10}, {'o', 9}}},             // a 1x1 convolution
    {"bs", "bs", "b", {{'b', 40}, {'s', 50}}},                                               // scalar products
    {"bs", "b", "bs", {{'b', 40}, {'s', 50}}},                                               // nothing summed
    {"m", "n", "mn", {{'m', 40}, {'n', 50}}},
    {"mk", "k", "m", {{'m', 70}, {'k', 90}}},                                                // matrix and vector
    {"k", "kn", "n", {{'n', 70}, {'k', 90}}},
    {"k", "k", "", {{'k', 1000}}},
    {"", "", "", {}},
    {"mk", "", "m", {{'m', 20}, {'k', 30}}},                                                 // only x varies
    {"m~k", "k~n", "m~n", {{'m', 12}, {'n', 20}, {'k', 14}}},                                // backwards
    {"mk~", "kn~", "mn~", {{'m', 12}, {'n', 20}, {'k', 14}}},
    {"kmb", "bkn", "nmb", {{'b', 5}, {'m', 12}, {'n', 20}, {'k', 14}}},                      // batches fastest
    {"m_k_b", "k_b_n", "m_b_n_", {{'b', 3}, {'m', 12}, {'n', 20}, {'k', 14}}},
    {"abcdmk", "abcdkn", "dcbamn", {{'a', 2}, {'b', 2}, {'c', 3}, {'d', 2}, {'m', 5}, {'n', 6}, {'k', 7}}},
    {"acek", "bdk", "abcde", {{'a', 3}, {'b', 4}, {'c', 3}, {'d', 4}, {'e', 3}, {'k', 9}}},  // interleaved
    {"aecgk", "bdk", "gabcde", {{'a', 3}, {'b', 4}, {'c', 3}, {'d', 4}, {'e', 3}, {'g', 5}, {'k', 9}}},
    {"b_m_k_", "b_k_n_", "n_m_b_", {{'b', 2}, {'m', 5}, {'n', 6}, {'k', 7}}},
};

TEST(contraction, every_arrangement_in_every_type) {
  for (auto const& a : arrangements) {
    for (auto const t : types) check(a.x, a.y, a.out, a.extents, {t, t, t});
    check(a.x, a.y, a.out, a.extents, {data_type::bf16, data_type::bf16, data_type::f32});
  }
}

TEST(contraction, every_mixture_of_types) {
  for (auto const x : types)
    for (auto const y : types)
      for (auto const out : types) {
        check("mk", "nk", "mn", {{'m', 37}, {'n', 29}, {'k', 41}}, {x, y, out});
        check("bsnd", "btnd", "bnst", {{'b', 2}, {'n', 3}, {'s', 21}, {'t', 19}, {'d', 16}}, {x, y, out});
      }
}

TEST(contraction, sizes_around_the_edges_of_pieces) {
  for (std::int64_t m : {1, 2, 7, 8, 9, 16, 17, 191, 193})
    for (std::int64_t n : {1, 3, 15, 16, 17, 192, 200}) {
      check("mk", "kn", "mn", {{'m', m}, {'n', n}, {'k', 33}}, {data_type::f32, data_type::f32, data_type::f32});
      check("mk", "nk", "mn", {{'m', m}, {'n', n}, {'k', 33}}, {data_type::bf16, data_type::bf16, data_type::bf16});
    }
}

TEST(contraction, work_for_several_threads) {
  for (auto const t : types) {
    options o;
    o.bias = "n";
    o.function = activation::gelu;
    check("mk", "nk", "mn", {{'m', 601}, {'n', 250}, {'k', 64}}, {t, t, t}, o);
    check("mk", "nk", "mn", {{'m', 3}, {'n', 2500}, {'k', 64}}, {t, t, t}, o);
    check("bsnd", "btnd", "bnst", {{'b', 5}, {'n', 8}, {'s', 50}, {'t', 60}, {'d', 32}}, {t, t, t});
    check("bmk", "bkn", "bmn", {{'b', 101}, {'m', 20}, {'n', 24}, {'k', 64}}, {t, t, t});
  }
}

TEST(contraction, long_sums_are_cut_and_added) {
  for (auto const t : types) {
    options o;
    o.bias = "n";
    o.residual = "mn";
    o.residual_type = t;
    o.scale = 0.25;
    check("km", "kn", "mn", {{'m', 40}, {'n', 30}, {'k', 50001}}, {t, data_type::bf16, t}, o);
    check("akbm", "akbn", "mn", {{'m', 40}, {'n', 30}, {'k', 3000}, {'a', 2}, {'b', 9}}, {t, data_type::f32, data_type::f32}, o);
  }
}

TEST(contraction, empty_and_single) {
  for (auto const t : types) {
    for (char const empty : {'m', 'n', 'k', 'b'}) {
      std::map<char, std::int64_t> e{{'b', 2}, {'m', 5}, {'n', 6}, {'k', 7}};
      e[empty] = 0;
      options o;
      o.bias = "n";
      o.residual = "bmn";
      o.function = activation::sigmoid;
      check("bmk", "bkn", "bmn", e, {t, t, t});
      check("bmk", "bkn", "bmn", e, {t, t, t}, o); // with nothing to sum: sigmoid(bias) + residual
    }
    for (int ones = 0; ones < 16; ++ones) {
      std::map<char, std::int64_t> e{{'b', ones & 1 ? 1 : 3}, {'m', ones & 2 ? 1 : 5}, {'n', ones & 4 ? 1 : 6}, {'k', ones & 8 ? 1 : 7}};
      check("bmk", "bkn", "bmn", e, {t, t, t});
      check("m_b_k", "kbn_", "nb_m", e, {t, t, t});
    }
  }
}

TEST(contraction, views_that_repeat) {
  // x's rows, and y's batches, all the same: strides of 0 along axes that out has.
  for (auto const t : types) {
    check("k", "kn", "mn", {{'m', 30}, {'n', 20}, {'k', 40}}, {t, t, t});
    check("bk", "kn", "bmn", {{'b', 3}, {'m', 30}, {'n', 20}, {'k', 40}}, {t, t, t});
    check("m", "n", "mn", {{'m', 30}, {'n', 20}, {'k', 40}}, {t, t, t}); // summed over what neither varies along
    check("m", "kn", "mn", {{'m', 30}, {'n', 20}, {'k', 40}}, {t, t, t});
    check("ak", "bk", "abc", {{'a', 5}, {'b', 6}, {'c', 7}, {'k', 8}}, {t, t, t}); // nobody varies along c but out
  }
}

TEST(contraction, windows_that_overlap) {
  std::vector<float> x(40), y(5 * 3);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = float(i % 7);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = float(i % 5);
  std::vector<float> out(36 * 3);
  problem p;
  p.axes = 3; // m, n, k
  p.extents = {36, 3, 5};
  p.x = {x.data(), data_type::f32, {1, 0, 1}};
  p.y = {y.data(), data_type::f32, {0, 1, 3}};
  p.out = {out.data(), data_type::f32, {3, 1, 0}};
  contract(p);
  for (std::size_t m = 0; m < 36; ++m)
    for (std::size_t n = 0; n < 3; ++n) {
      float sum = 0;
      for (std::size_t k = 0; k < 5; ++k) sum += x[m + k] * y[k * 3 + n];
      EXPECT_EQ(out[m * 3 + n], sum);
    }
}

TEST(contraction, epilogues) {
  constexpr activation all[] = {activation::none,    activation::relu, activation::gelu, activation::gelu_tanh,
                                activation::silu,    activation::sigmoid, activation::tanh, activation::exp,
                                activation::abs,     activation::sqrt, activation::square};
  std::map<char, std::int64_t> const e{{'b', 3}, {'m', 21}, {'n', 35}, {'k', 24}};
  for (auto const f : all)
    for (auto const t : types)
      for (auto const bias : {"", "n", "bmn", "m", "b", "mn_", "n~"})
        for (auto const residual : {"", "bmn", "n", "nmb", "b_m_n_"}) {
          options o;
          o.function = f;
          o.bias = bias;
          o.residual = residual;
          o.bias_type = t == data_type::f16 ? data_type::bf16 : data_type::f32;
          o.residual_type = t;
          o.scale = 0.3;
          if (f == activation::sqrt) o.low = 0.25;
          check("bmk", "bnk", "bmn", e, {t, t, t}, o);
        }
}

TEST(contraction, epilogues_over_several_axes) {
  for (auto const t : types)
    for (auto const bias : {"nd", "dn", "sb", "bnsd"}) {
      options o;
      o.function = activation::gelu;
      o.bias = bias;
      o.residual = "bsnd";
      o.scale = 0.125;
      check("bsc", "ndc", "bnsd", {{'b', 2}, {'s', 30}, {'c', 24}, {'n', 4}, {'d', 8}}, {t, t, t}, o);
      check("bsc", "ndc", "dnsb", {{'b', 2}, {'s', 30}, {'c', 24}, {'n', 4}, {'d', 8}}, {t, t, t}, o);
    }
}

// Heads side by side in the rows of the result: (b, s, n, d).
TEST(contraction, epilogues_of_batches_inside_rows) {
  for (auto const t : types)
    for (auto const residual : {"", "mbn"})
      for (std::int64_t const n : {7, 8, 32}) {
        options o;
        o.bias = "n";
        o.residual = residual;
        o.residual_type = t;
        for (std::int64_t const m : {6, 65})
          for (auto const y : {"bkn", "kn"}) check("bmk", y, "mbn", {{'b', 2}, {'m', m}, {'n', n}, {'k', 64}}, {t, t, t}, o);
      }
}

TEST(contraction, adds_to_what_is_there) {
  for (auto const t : types)
    for (auto const out : {"mn", "nm", "m_n_"}) {
      options o;
      o.in_place = true;
      o.scale = 2;
      o.bias = "n";
      check("mk", "kn", out, {{'m', 37}, {'n', 29}, {'k', 41}}, {t, t, t}, o);
      check("mk", "kn", out, {{'m', 300}, {'n', 200}, {'k', 64}}, {t, t, t}, o);
    }
}

// One number through a product with 1: the activation alone, over all of its range.
TEST(contraction, activations_over_their_range) {
  std::vector<float> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(float(i) * 0.026f); // to 104
  for (int e = -149; e <= 127; ++e)
    for (float const m : {1.f, 1.3f, 1.9f})
      for (float const s : {-1.f, 1.f}) x.push_back(s * std::ldexp(m, e));
  for (float const special : {0.f, -0.f, INFINITY, -INFINITY, NAN}) x.push_back(special);
  std::vector<float> out(x.size());
  float const one = 1;
  for (auto const f : {activation::none, activation::relu, activation::gelu, activation::gelu_tanh, activation::silu,
                       activation::sigmoid, activation::tanh, activation::exp, activation::abs, activation::sqrt,
                       activation::square}) {
    problem p;
    p.axes = 1;
    p.extents = {std::int64_t(x.size())};
    p.x = {&one, data_type::f32, {0}};
    p.y = {x.data(), data_type::f32, {1}};
    p.out = {out.data(), data_type::f32, {1}};
    p.finish.function = f;
    contract(p);
    for (std::size_t i = 0; i < x.size(); ++i) {
      double const expected = exact(f, x[i]);
      // Below the normal range errors are counted in smallest numbers; x times a weight counts them x times.
      double const times = f == activation::gelu || f == activation::gelu_tanh || f == activation::silu ? std::abs(x[i]) : 0;
      double const bound = (relative_error(f, x[i]) + u32) * std::abs(expected) * 1.01 + (2 + times) * smallest_of(data_type::f32);
      if (std::isnan(expected)) EXPECT_TRUE(std::isnan(out[i])) << int(f) << " of " << x[i] << " is " << out[i];
      else if (std::abs(expected) > 0x1.ffffffp127) EXPECT_TRUE(std::isinf(out[i]) && (out[i] > 0) == (expected > 0)) << int(f) << " of " << x[i] << " is " << out[i];
      else EXPECT_LE(std::abs(out[i] - expected), bound) << int(f) << " of " << x[i] << " is " << out[i] << ", not " << expected;
    }
  }
}

// Every 16-bit number comes in exactly, and f32 numbers around every 16-bit number go out to the nearest one.
TEST(contraction, conversions) {
  for (auto const t : {data_type::bf16, data_type::f16}) {
    std::vector<std::uint16_t> all(65536);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
    std::vector<float> wide(all.size());
    float const one = 1;
    problem p;
    p.axes = 1;
    p.extents = {65536};
    p.x = {&one, data_type::f32, {0}};
    p.y = {all.data(), t, {1}};
    p.out = {wide.data(), data_type::f32, {1}};
    contract(p);
    for (std::size_t i = 0; i < all.size(); ++i) {
      double const expected = read(all.data(), std::int64_t(i), t);
      if (std::isnan(expected)) EXPECT_TRUE(std::isnan(wide[i]));
      else EXPECT_EQ(wide[i], expected) << i;
    }
    std::vector<float> values;
    for (float const w : wide) {
      if (!std::isfinite(w)) continue;
      float const next = static_cast<float>(rounded(w * (1 + 2 * unit_of(t)) + std::copysign(smallest_of(t), w) / 2, t));
      float const middle = static_cast<float>((double(w) + next) / 2);
      for (float const v : {w, middle, std::nextafter(middle, -INFINITY), std::nextafter(middle, INFINITY)}) values.push_back(v);
    }
    for (float const v : {65504.f, 65519.f, 65520.f, 65536.f, 1e30f, 3.4e38f, INFINITY, -INFINITY, NAN, -NAN, 1e-45f, 2.98e-8f, 2.99e-8f, -1e-40f})
      values.push_back(v);
    std::vector<std::uint16_t> narrow(values.size());
    p.extents = {std::int64_t(values.size())};
    p.y = {values.data(), data_type::f32, {1}};
    p.out = {narrow.data(), t, {1}};
    contract(p);
    for (std::size_t i = 0; i < values.size(); ++i) {
      double const got = read(narrow.data(), std::int64_t(i), t);
      if (std::isnan(values[i])) EXPECT_TRUE(std::isnan(got));
      else EXPECT_EQ(got, rounded(values[i], t)) << name_of(t) << " " << values[i];
    }
  }
}

TEST(contraction, nan_and_infinity_go_where_they_belong) {
  for (auto const t : types)
    for (auto const f : {activation::none, activation::relu, activation::exp, activation::gelu}) {
      int const m = 40, n = 33, k = 20;
      std::vector<std::byte> x(m * k * 4), y(n * k * 4);
      std::vector<float> out(m * n);
      for (int i = 0; i < m * k; ++i) write(x.data(), i, t, 0.25 * (i % 5));
      for (int i = 0; i < n * k; ++i) write(y.data(), i, t, 0.25 * (i % 3) + 0.25);
      write(x.data(), 7 * k + 3, t, NAN);
      write(x.data(), 9 * k + 4, t, INFINITY);
      write(y.data(), 5 * k + 4, t, 0); // infinity * 0
      write(y.data(), 6 * k + 1, t, -INFINITY);
      problem p;
      p.axes = 3;
      p.extents = {m, n, k};
      p.x = {x.data(), t, {k, 0, 1}};
      p.y = {y.data(), t, {0, k, 1}};
      p.out = {out.data(), data_type::f32, {n, 1, 0}};
      p.finish.function = f;
      contract(p);
      for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
          double sum = 0;
          for (int l = 0; l < k; ++l) sum += read(x.data(), i * k + l, t) * read(y.data(), j * k + l, t);
          double const expected = exact(f, sum), got = out[i * n + j];
          if (std::isnan(expected)) EXPECT_TRUE(std::isnan(got)) << i << " " << j << " " << got;
          else if (std::isinf(expected)) EXPECT_EQ(got, expected) << i << " " << j;
          else EXPECT_LE(std::abs(got - expected), 64 * u32 * std::abs(expected)) << i << " " << j;
        }
    }
}

TEST(contraction, huge_and_tiny_numbers) {
  // 1e30 * 1e-30 in between; sums that only f32's range holds, and results that f16 does not.
  std::vector<float> x(64 * 32, 1e30f), y(48 * 32, 1e-30f), out(64 * 48);
  std::vector<std::uint16_t> narrow(64 * 48);
  problem p;
  p.axes = 3;
  p.extents = {64, 48, 32};
  p.x = {x.data(), data_type::f32, {32, 0, 1}};
  p.y = {y.data(), data_type::f32, {0, 32, 1}};
  p.out = {out.data(), data_type::f32, {48, 1, 0}};
  contract(p);
  for (float const v : out) EXPECT_NEAR(v, 32, 32 * 40 * u32);
  p.finish.scale = 1e5;
  p.out = {narrow.data(), data_type::f16, {48, 1, 0}};
  contract(p);
  for (auto const h : narrow) EXPECT_EQ(h, 0x7c00);
}

// A problem with its own operands, for comparing results bit by bit.
struct job {
  tensor x, y, out;
  problem p;
  job(std::int64_t m, std::int64_t n, std::int64_t k, data_type t)
      : x("mk", {{'m', m}, {'k', k}}, t), y("nk", {{'n', n}, {'k', k}}, t), out("mn", {{'m', m}, {'n', n}}, t) {
    std::mt19937 random(static_cast<unsigned>(m * 1000 + n));
    x.fill(random, -1, 1);
    y.fill(random, -1, 1);
    p.axes = 3;
    p.extents = {m, n, k};
    p.x = x.read_as("mnk");
    p.y = y.read_as("mnk");
    p.out = {out.data(), t, out.strides_of("mnk")};
  }
};

TEST(contraction, several_threads_at_once) {
  std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t, data_type>> shapes;
  for (int i = 0; i < 12; ++i) shapes.emplace_back(5 + i * 37, 9 + i * 23, 16 + i * 11, types[i % 3]);
  std::vector<std::vector<std::byte>> expected;
  for (auto const& [m, n, k, t] : shapes) {
    job j(m, n, k, t);
    contract(j.p);
    expected.push_back(j.out.bytes);
  }
  std::vector<int> wrong(6);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < wrong.size(); ++i)
    threads.emplace_back([&, i] {
      for (std::size_t round = 0; round < 3; ++round)
        for (std::size_t s = 0; s < shapes.size(); ++s) {
          auto const& [m, n, k, t] = shapes[(s + i * 5) % shapes.size()];
          job j(m, n, k, t);
          contract(j.p);
          wrong[i] += j.out.bytes != expected[(s + i * 5) % shapes.size()];
        }
    });
  for (auto& t : threads) t.join();
  for (int const w : wrong) EXPECT_EQ(w, 0);
}

TEST(contraction, inside_a_parallel_loop) {
  job reference(300, 200, 64, data_type::bf16);
  contract(reference.p);
  std::vector<int> wrong(32);
  tbb::parallel_for(0, 32, [&](int i) {
    job j(300, 200, 64, data_type::bf16);
    contract(j.p);
    wrong[static_cast<std::size_t>(i)] = j.out.bytes != reference.out.bytes;
  });
  for (int const w : wrong) EXPECT_EQ(w, 0);
}

TEST(contraction, more_shapes_than_are_remembered) {
  for (std::int64_t n = 1; n < 700; ++n) {
    job j(3, n, 4, data_type::f32);
    contract(j.p);
  }
  check("mk", "kn", "mn", {{'m', 3}, {'n', 1}, {'k', 4}}, {data_type::f32, data_type::f32, data_type::f32});
}

TEST(contraction, refuses_what_is_no_problem) {
  problem p;
  p.axes = max_axes + 1;
  EXPECT_THROW(contract(p), std::invalid_argument);
  p.axes = 1;
  p.extents = {-1};
  EXPECT_THROW(contract(p), std::invalid_argument);
  p.extents = {2};
  EXPECT_THROW(contract(p), std::invalid_argument); // no data
  p.extents = {0};
  p.out.strides = {1};
  EXPECT_NO_THROW(contract(p)); // nothing to write
}

} // namespace
