// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The contraction kernel over arrangements of axes, sizes, types, special numbers and threads.
#include "contraction.hpp"
#include <tbb/parallel_for.h>
#include <thread>
#include <tuple>

namespace attend::kernels::contraction::tests {
namespace {

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
    check("mk", "nk", "mn", {{'m', 3}, {'n', 2}, {'k', 40000}}, {t, t, t}, o); // by all threads
    check("akbm", "akbn", "mn", {{'m', 40}, {'n', 30}, {'k', 3000}, {'a', 2}, {'b', 9}}, {t, data_type::f32, data_type::f32}, o);
  }
}

// Of f32 alone, too: ones between two large numbers that cancel, all of which f32 sums lose.
TEST(contraction, sums_in_f64_of_other_types) {
  options o;
  o.sums = data_type::f64;
  for (auto const t : {data_type::f32, data_type::bf16, data_type::f16}) {
    check("mk", "nk", "mn", {{'m', 37}, {'n', 29}, {'k', 41}}, {t, t, data_type::f32}, o);
    check("km", "kn", "nm", {{'m', 401}, {'n', 230}, {'k', 300}}, {t, t, data_type::f32}, o);
  }
  std::vector<float> x(1 << 16, 1.f), out(1);
  x[0] = 0x1p30f, x[1] = -0x1p30f;
  std::swap(x[1], x.back());
  problem p;
  p.axes = 1;
  p.extents = {std::int64_t(x.size())};
  float const one = 1;
  p.x = {x.data(), data_type::f32, {1}};
  p.y = {&one, data_type::f32, {0}};
  p.out = {out.data(), data_type::f32, {0}};
  p.sums = data_type::f64;
  contract(p);
  EXPECT_EQ(out[0], float(x.size() - 2));
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

TEST(contraction, nan_and_infinity_go_where_they_belong) {
  for (auto const t : types)
    for (auto const f : {activation::none, activation::relu, activation::exp, activation::gelu}) {
      int const m = 40, n = 33, k = 20;
      std::vector<std::byte> x(m * k * 8), y(n * k * 8);
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
      p.sums = sums_of({t});
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
    p.sums = sums_of({t});
  }
};

TEST(contraction, several_threads_at_once) {
  std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t, data_type>> shapes;
  for (int i = 0; i < 12; ++i) shapes.emplace_back(5 + i * 37, 9 + i * 23, 16 + i * 11, types[i % 4]);
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
  p.x.type = data_type::f64;
  EXPECT_THROW(contract(p), std::invalid_argument); // sums in f32
  p.sums = data_type::f64;
  EXPECT_NO_THROW(contract(p));
}

} // namespace
} // namespace attend::kernels::contraction::tests
