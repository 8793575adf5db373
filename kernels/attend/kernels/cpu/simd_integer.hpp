// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whole numbers of a vector's lanes: lane_index, a position base + step * lane, and lane_integer, any 64 bits a lane.
// Both mix with long in + - * min max and comparisons, exactly.
#pragma once
#include <attend/kernels/cpu/simd.hpp>
#include <attend/kernels/numbers.hpp>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {

/// A whole number for each lane, of 64 bits.
struct lane_integer {
  static constexpr int half = lanes / 2;
  machine::longs part[2]; // lower lanes, upper lanes

  lane_integer() = default;
  lane_integer(long x) : part{x - machine::longs{}, x - machine::longs{}} {}
  lane_integer(machine::longs low, machine::longs high) : part{low, high} {}

  long operator[](int lane) const { return part[lane / half][lane % half]; }
  void set(int lane, long x) { part[lane / half][lane % half] = x; }

  using self = lane_integer;
  friend self operator+(self a, self b) { return {a.part[0] + b.part[0], a.part[1] + b.part[1]}; }
  friend self operator-(self a, self b) { return {a.part[0] - b.part[0], a.part[1] - b.part[1]}; }
  friend self operator*(self a, self b) { return {a.part[0] * b.part[0], a.part[1] * b.part[1]}; }
  friend mask operator<(self a, self b) { return machine::join(a.part[0] < b.part[0], a.part[1] < b.part[1]); }
  friend mask operator<=(self a, self b) { return !(b < a); }
  friend mask operator>(self a, self b) { return b < a; }
  friend mask operator>=(self a, self b) { return !(a < b); }
  friend mask operator==(self a, self b) { return machine::join(a.part[0] == b.part[0], a.part[1] == b.part[1]); }
  friend mask operator!=(self a, self b) { return !(a == b); }
};

namespace detail {
inline machine::ints lane_ints() {
  machine::ints x;
  for (int i = 0; i < lanes; ++i) x[i] = i;
  return x;
}
inline machine::longs lane_longs() {
  machine::longs x;
  for (int i = 0; i < lanes / 2; ++i) x[i] = i;
  return x;
}
/// Quotient rounded down; divisor > 0.
constexpr long floor_divide(long a, long b) { return b == 1 ? a : a / b - (a % b < 0); }
constexpr int within_lanes(long x) { return static_cast<int>(x < 0 ? 0 : x > lanes ? lanes : x); }
} // namespace detail

/// The whole number base + step * lane: a position along the axis the lanes run over, and what + - * make of it.
struct lane_index {
  long base, step;

  lane_index() = default;
  lane_index(long x) : base(x), step(0) {}
  lane_index(long base, long step) : base(base), step(step) {}
  operator lane_integer() const {
    machine::longs const low = base + detail::lane_longs() * step;
    return {low, low + step * lane_integer::half};
  }
  long operator[](int lane) const { return base + step * lane; }

  using self = lane_index;
  friend self operator+(self a, self b) { return {a.base + b.base, a.step + b.step}; }
  friend self operator-(self a, self b) { return {a.base - b.base, a.step - b.step}; }
  friend self operator*(self a, long b) { return {a.base * b, a.step * b}; }
  friend self operator*(long a, self b) { return b * a; }
  friend lane_integer operator*(self a, self b) { return lane_integer(a) * lane_integer(b); }
  friend mask operator<(self a, self b) { return (a - b).negative(); }
  friend mask operator<=(self a, self b) { return (a - b - 1l).negative(); }
  friend mask operator>(self a, self b) { return b < a; }
  friend mask operator>=(self a, self b) { return b <= a; }
  friend mask operator==(self a, self b) { return (a - b).zero(); }
  friend mask operator!=(self a, self b) { return !(a - b).zero(); }

private:
  // Solved for the lane in 64 bits, so that only a lane number is compared: exact for any position.
  mask negative() const {
    if (step == 0) return base < 0;
    if (step > 0) return detail::lane_ints() < detail::within_lanes(-detail::floor_divide(base, step));
    return detail::lane_ints() >= detail::within_lanes(detail::floor_divide(base, -step) + 1);
  }
  mask zero() const {
    if (step == 0) return base == 0;
    if (step == 1 || step == -1) return detail::lane_ints() == detail::within_lanes(base * step > 0 ? lanes : -base * step);
    return (*this - 1l).negative() && !negative();
  }
};

/// a where c, else b.
inline lane_integer select(mask c, lane_integer a, lane_integer b) {
  return {machine::select(machine::low(c.raw), a.part[0], b.part[0]),
          machine::select(machine::high(c.raw), a.part[1], b.part[1])};
}
inline lane_integer max(lane_integer a, lane_integer b) { return select(a < b, b, a); }
inline lane_integer min(lane_integer a, lane_integer b) { return select(a < b, a, b); }

/// The floats nearest to whole numbers.
[[gnu::noinline]] inline vec to_vec(lane_integer const& a) {
  vec x;
  for (int i = 0; i < lanes; ++i) x.raw[i] = static_cast<float>(a[i]);
  return x;
}
inline vec to_vec(lane_index a) {
  constexpr long exact = 1l << 24; // below it every whole number is a float
  long const last = a.base + a.step * (lanes - 1);
  if (a.base >= -exact && a.base <= exact && last >= -exact && last <= exact && a.step >= -exact && a.step <= exact)
    return fma(vec(static_cast<float>(a.step)), lane_numbers(), vec(static_cast<float>(a.base)));
  return to_vec(lane_integer(a));
}
/// The whole parts, towards zero.
inline lane_integer truncate(vec a) {
  lane_integer x;
  for (int i = 0; i < lanes; ++i) x.set(i, static_cast<long>(a[i]));
  return x;
}

namespace detail {
/// philox() of numbers.hpp on the 64-bit lanes of one vector.
inline machine::longs philox(machine::longs position, std::uint64_t seed) {
  using words = machine::longs; // a 32-bit word in the low half of each lane
  constexpr long low = 0xFFFFFFFF;
  words const block = (position >> 2) & ((1l << 62) - 1);
  words c0 = block & low, c1 = (block >> 32) & low, c2{}, c3{};
  std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    words const p0 = machine::multiply_low(c0, 0xD2511F53l - words{}), p1 = machine::multiply_low(c2, 0xCD9E8D57l - words{});
    c0 = ((p1 >> 32) & low) ^ c1 ^ static_cast<long>(k0);
    c2 = ((p0 >> 32) & low) ^ c3 ^ static_cast<long>(k1);
    c1 = p1 & low;
    c3 = p0 & low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  words const word = position & 3;
  words const first = machine::select(words(word == 0), c0, c1), second = machine::select(words(word == 2), c2, c3);
  return machine::select(words(word < 2), first, second);
}
} // namespace detail

/// 24 random bits a lane: those of random_bits(position, seed) of numbers.hpp.
inline lane_integer random_bits(lane_integer position, long seed) {
  auto const s = static_cast<std::uint64_t>(seed);
  return {detail::philox(position.part[0], s) >> 8, detail::philox(position.part[1], s) >> 8};
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
