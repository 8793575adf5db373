// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Contractions of tensors laid out as letters say, against sums in float64, each result within what its sums and one
// rounding allow.
#pragma once
#include <attend/kernels/contraction/contract.hpp>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <random>

namespace attend::kernels::contraction::tests {

inline double const u32 = std::ldexp(1.0, -24);
inline constexpr data_type types[] = {data_type::f32, data_type::bf16, data_type::f16, data_type::f64};

inline double unit_of(data_type t) { return t == data_type::f64 ? std::ldexp(1.0, -53) : std::ldexp(1.0, t == data_type::f32 ? -24 : t == data_type::bf16 ? -8 : -11); }
inline double smallest_of(data_type t) { return t == data_type::f64 ? 0x1p-1074 : std::ldexp(1.0, t == data_type::f32 ? -149 : t == data_type::bf16 ? -133 : -24); }
inline double largest_of(data_type t) { return t == data_type::f64 ? 0x1.fffffffffffffp1023 : t == data_type::f32 ? 0x1.fffffep127 : t == data_type::bf16 ? 0x1.fep127 : 65504.0; }

/// Rounds to nearest even by arithmetic alone, sharing nothing with the kernel.
inline double rounded(double x, data_type t) {
  if (!std::isfinite(x) || x == 0 || t == data_type::f64) return x;
  double const unit = std::max(std::ldexp(2 * unit_of(t), std::ilogb(x)), smallest_of(t));
  double const r = std::nearbyint(x / unit) * unit;
  return std::abs(r) > largest_of(t) ? std::copysign(std::numeric_limits<double>::infinity(), x) : r;
}

inline double read(void const* data, std::int64_t i, data_type t) {
  if (t == data_type::f64) return static_cast<double const*>(data)[i];
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

inline void write(void* data, std::int64_t i, data_type t, double x) {
  double const r = rounded(x, t);
  if (t == data_type::f64) {
    static_cast<double*>(data)[i] = r;
    return;
  }
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

/// A tensor laid out as "bsnd" says: letters in storage order; `_` after a letter leaves a gap behind that axis, `~`
/// stores it backwards.
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

inline double exact(activation f, double x) {
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

/// The relative error the evaluation of an activation in a type of this unit may have.
inline double relative_error(activation f, double x, double unit) {
  switch (f) {
  case activation::none:
  case activation::relu:
  case activation::abs: return 0;
  case activation::sqrt:
  case activation::square: return unit;
  case activation::gelu: return 16 * unit;
  case activation::gelu_tanh: { // the argument of the exponential carries 4 roundings, which it multiplies by its size
    double const argument = 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return (8 + 4 * std::min(std::abs(argument), 104.0)) * unit;
  }
  default: return 6 * unit;
  }
}

struct options {
  double scale = 1;
  activation function = activation::none;
  std::string bias;     // layouts; empty: absent
  std::string residual;
  data_type bias_type = data_type::f32, residual_type = data_type::f32;
  data_type sums = data_type::f32; // f64 in any case where one of the tensors is
  bool in_place = false; // the residual is out itself
  double low = -1, high = 1;
};

/// What sums are kept in for tensors of these types.
inline data_type sums_of(std::initializer_list<data_type> all) { return std::find(all.begin(), all.end(), data_type::f64) == all.end() ? data_type::f32 : data_type::f64; }

/// Computes one contraction and compares every element; what lies between the elements of out must not change.
inline void check(std::string const& x_layout, std::string const& y_layout, std::string const& out_layout,
           std::map<char, std::int64_t> const& extents, std::array<data_type, 3> type, options const& o = {},
           unsigned seed = 1) {
  data_type const sums = sums_of({type[0], type[1], type[2], o.bias_type, o.residual_type, o.sums});
  SCOPED_TRACE(x_layout + " x " + y_layout + " -> " + out_layout + " " + name_of(type[0]) + " " + name_of(type[1]) + " " +
               name_of(type[2]) + " sums " + name_of(sums) + " bias " + o.bias + " residual " + o.residual);
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
  p.sums = sums;
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
  // of sums in f64, whose oracle errs as much
  double const unit = sums == data_type::f64 ? 2 * unit_of(sums) : u32;
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
        ((terms + 2) * unit * magnitude * std::abs(o.scale) + 2 * unit * (std::abs(inner) + std::abs(b))) * 1.01;
    double const value = exact(o.function, inner);
    double const value_error = std::max(std::abs(exact(o.function, inner - inner_error) - value),
                                        std::abs(exact(o.function, inner + inner_error) - value)) +
                               relative_error(o.function, inner, unit) * std::abs(value) * 1.01;
    double const expected = value + r;
    double const bound = value_error + unit * std::abs(expected) * (o.residual.empty() && !o.in_place ? 0 : 1) +
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

} // namespace attend::kernels::contraction::tests
