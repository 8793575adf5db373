// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the lanes of a warp do together.
#include "machine.hpp"
#include <bit>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace attend::emulator {

float number(operand type, std::uint32_t bits, int half) {
  if (type == operand::tf32) return std::bit_cast<float>(bits & ~0x1fffu);
  std::uint16_t const of_half = static_cast<std::uint16_t>(bits >> (16 * half));
  if (type == operand::bf16) return __bfloat162float(__nv_bfloat16(__nv_bfloat16_raw{of_half}));
  return __half2float(__half(__half_raw{of_half}));
}

void shuffle(void* value, std::size_t bytes, int mask, place where) {
  inside const guard;
  struct lane {
    void* value;
    std::byte before[8];
    std::size_t bytes;
    int mask;
  } mine{value, {}, bytes, mask};
  sanitizer::copy(mine.before, value, bytes);
  meet("a shuffle", where, &mine, [](auto const& lanes) {
    for (std::size_t i = 0; i < warp_size; ++i) {
      lane& to = *static_cast<lane*>(lanes[i]);
      sanitizer::copy(to.value, static_cast<lane*>(lanes[i ^ static_cast<std::size_t>(to.mask)])->before, to.bytes);
    }
  });
}

std::uint32_t ballot(bool mine, place where) {
  inside const guard;
  struct lane {
    bool vote;
    std::uint32_t all;
  } self{mine, 0};
  meet("a ballot", where, &self, [](auto const& lanes) {
    std::uint32_t all = 0;
    for (std::size_t i = 0; i < warp_size; ++i) all |= static_cast<std::uint32_t>(static_cast<lane*>(lanes[i])->vote) << i;
    for (void* l : lanes) static_cast<lane*>(l)->all = all;
  });
  return self.all;
}

int warp_uniform(int x, place where) {
  inside const guard;
  meet("warp_uniform", where, &x, [&](auto const& lanes) {
    for (void* other : lanes)
      if (*static_cast<int*>(other) != x) fail(where, "calls uniform what is not the same in all lanes of its warp");
  });
  return x;
}

int of_first_lane(int x, place where) {
  inside const guard;
  meet("of_first_lane", where, &x, [](auto const& lanes) {
    int const first = *static_cast<int*>(lanes[0]);
    for (void* other : lanes) *static_cast<int*>(other) = first;
  });
  return x;
}

// Lane i names row i % 8 of matrix i / 8. Of each 8 x 8 matrix, lane i gets elements 2 (i % 4) and the next of row i / 4,
// or of column i / 4 where it is transposed.
void load_matrix(std::uint32_t* registers, int matrices, std::uint32_t row, bool transposed, place where) {
  inside const guard;
  struct lane {
    std::uint32_t* registers;
    std::uint16_t row[8];
  } self{registers, {}};
  if (m.running->lane() < 8 * matrices) {
    read(row, 16, where);
    sanitizer::copy(self.row, m.shared.at(row), 16);
  }
  meet(transposed ? "ldmatrix.trans" : "ldmatrix", where, &self, [=](auto const& lanes) {
    auto const at = [&](int matrix, int i, int j) -> std::uint32_t {
      return static_cast<lane*>(lanes[static_cast<std::size_t>(8 * matrix + i)])->row[j];
    };
    for (int l = 0; l < warp_size; ++l)
      for (int k = 0; k < matrices; ++k) {
        int const i = l / 4, j = 2 * (l % 4);
        static_cast<lane*>(lanes[static_cast<std::size_t>(l)])->registers[k] =
            transposed ? at(k, j, i) | at(k, j + 1, i) << 16 : at(k, i, j) | at(k, i, j + 1) << 16;
      }
  });
}

// A register holds `per` elements of a row of a or of a column of b. a (16, 8 per): lane l has rows l / 4 and l / 4 + 8, of
// them the elements from per (l % 4) on and those 4 per further; b (8 per, 8): column l / 4, the same elements;
// d (16, 8): rows as a, columns 2 (l % 4) and the next.
void product(operand type, float* d, std::uint32_t const* a, std::uint32_t const* b, place where) {
  inside const guard;
  struct lane {
    float* d;
    std::uint32_t const *a, *b;
  } self{d, a, b};
  meet(type == operand::tf32 ? "mma.m16n8k8" : "mma.m16n8k16", where, &self, [type](auto const& lanes) {
    ++counts.products;
    int const per = type == operand::tf32 ? 1 : 2;
    float left[16][16], right[8][16];
    for (int l = 0; l < warp_size; ++l) {
      lane const& from = *static_cast<lane*>(lanes[static_cast<std::size_t>(l)]);
      for (int r = 0; r < 4; ++r)
        for (int half = 0; half < per; ++half)
          left[l / 4 + 8 * (r % 2)][per * (l % 4) + half + 4 * per * (r / 2)] = number(type, from.a[r], half);
      for (int r = 0; r < 2; ++r)
        for (int half = 0; half < per; ++half) right[l / 4][per * (l % 4) + half + 4 * per * r] = number(type, from.b[r], half);
    }
    for (int l = 0; l < warp_size; ++l)
      for (int i = 0; i < 4; ++i) {
        int const row = l / 4 + 8 * (i / 2), column = 2 * (l % 4) + i % 2;
        float& to = static_cast<lane*>(lanes[static_cast<std::size_t>(l)])->d[i];
        double sum = to;
        for (int k = 0; k < 8 * per; ++k) sum += static_cast<double>(left[row][k]) * right[column][k];
        to = static_cast<float>(sum);
      }
  });
}

// ---- registers ----

namespace {

constexpr char const* of_registers = "setmaxnreg";

/// Gives the warps that want more registers what there are.
void hand_out_registers() {
  unsigned used = 0;
  for (warp const& w : m.warps) used += static_cast<unsigned>(w.registers) * warp_size;
  for (std::size_t i = 0; i < m.warps.size(); ++i) {
    warp& w = m.warps[i];
    auto const more = static_cast<unsigned>(w.wanted - w.registers) * warp_size;
    if (w.wanted <= w.registers || used + more > m.registers) continue;
    used += more;
    w.registers = w.wanted;
    for (std::size_t t = i * warp_size; t < (i + 1) * warp_size; ++t)
      if (m.threads[t]->what == of_registers && m.threads[t]->which == " for more") wake(*m.threads[t]);
  }
}

} // namespace

void lower_registers(int count, place where) {
  inside const guard;
  meet(of_registers, where, nullptr, [&](auto const&) {
    warp& w = m.warp_at_work();
    if (count > w.registers) fail(where, "lowers its registers from " + std::to_string(w.registers) + " to " + std::to_string(count));
    w.registers = w.wanted = count;
    hand_out_registers();
  });
}
void raise_registers(int count, place where) {
  inside const guard;
  meet(of_registers, where, nullptr, [&](auto const&) {
    warp& w = m.warp_at_work();
    if (count < w.registers) fail(where, "raises its registers from " + std::to_string(w.registers) + " to " + std::to_string(count));
    w.wanted = count;
    hand_out_registers();
  });
  if (m.warp_at_work().registers < count) wait_in(of_registers, where, " for more");
}

} // namespace attend::emulator
