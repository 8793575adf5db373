// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cross-attention from an image (3, 3, 512, 512) to a context (3, 5, 512). A pixel depends on no other, so that sampled
// ones tell of the whole image; their references are the module's results on an image of these alone.
#include <compare_routes.hpp>
#include <image_cross_attention.hpp>
#include <random_parameters.hpp>
#include <span>
#include <support/references.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::into;
using attend::test::expect_torch;
using attend::test::expect_torch_after;
using attend::test::expect_torch_by_routes;
using attend::test::reference;
using attend::test::references;
using examples::drawn;
using image_cross_attention::rgb;
namespace image_module = image_cross_attention;

/// Rows and columns of the image that a test evaluates: the whole one, or for a quick look a corner of it, at least 64.
inline constexpr auto side = 512_c;
inline constexpr auto pixels = side * side;
/// Sampled pixels of each image, and those of them of which every stage has a reference.
inline constexpr auto samples = 32_c;
inline constexpr auto staged = 2_c;

struct image_of_512 : testing::Test {
  attend::nn::safetensors const torch = references("image_cross_attention");
  examples::random_parameters const drawn_parameters{3};
  image_module::parameters p;
  decltype(drawn(2, 2, b = 3_c, s = 5_c, image_module::features)) const context = drawn(2, 2, b = 3_c, s = 5_c, image_module::features);
  decltype(attend::zeros<float>(b = 3_c, rgb = 3_c, h = side, w = side)) image = attend::zeros<float>(b = 3_c, rgb = 3_c, h = side, w = side);
  decltype(attend::zeros<float>(b = 3_c, rgb = 3_c, h = 1_c, w = samples)) sampled = attend::zeros<float>(b = 3_c, rgb = 3_c, h = 1_c, w = samples);

  template <class... E>
  auto of_torch(char const* name, E... e) const {
    return reference<double>(torch, name, e...);
  }
  // Where sample i is, (row, column), and whether the image has it.
  auto place(long i) const {
    auto const places = reference<std::int64_t>(torch, "places", w = samples, part = 2_c);
    return std::pair<long, long>(places(w = i, part = 0), places(w = i, part = 1));
  }
  bool has(long i) const { return place(i).first < side() && place(i).second < side(); }

  image_of_512() {
    attend::nn::load(p, drawn_parameters);
    auto const whole = drawn(1, 2, b = 3_c, rgb = 3_c, h = 512_c, w = 512_c);
    evaluate(into(image), slice(slice(whole, h, 0_c, side), w, 0_c, side));
    for (long i = 0; i < samples(); ++i)
      for (long j = 0; j < 3; ++j)
        for (long k = 0; k < 3; ++k) sampled(b = j, rgb = k, w = i) = whole(b = j, rgb = k, h = place(i).first, w = place(i).second);
    auto const given = of_torch("pixels", b = 3_c, rgb = 3_c, w = samples);
    attend::test::expect_same_input(evaluate(at(sampled, h, 0)), given, "pixels");
    attend::test::expect_same_input(evaluate(slice(context, c, 0_c, 16_c)), of_torch("context", b = 3_c, s = 5_c, c = 16_c), "context");
  }
  // An image of the pixels of which every stage has a reference.
  auto some() const { return evaluate(slice(sampled, w, 0_c, staged)); }

  // The whole image by one evaluation, weights (b, n, t, s) or (b, t, s) as they are asked for, and the sampled pixels of
  // both held against PyTorch's. `module` makes the image and its weights, `heads` are none or n = 8_c.
  template <class Module, class... Heads>
  void expect(Module const& module, char const* of_image, std::initializer_list<double> image_sums, char const* of_weights, std::initializer_list<double> weight_sums, std::string const& row, Heads... heads) {
    auto out = attend::uninitialized<float>(b = 3_c, rgb = 3_c, h = side, w = side);
    auto weights = attend::uninitialized<float>(b = 3_c, heads..., t = pixels, s = 5_c);
    auto const [painted, attending] = module(image);
    evaluate(into(out, weights), painted, attending);

    if constexpr (side() == 512) { // all pixels, by the means over bands of 8 rows: g counts these
      auto const colours = evaluate(mean(split(attend::cast<double>(out), h, g = 64_c, r), r, w));
      expect_torch_after(image_sums, colours, of_torch((row + ".image_means").c_str(), b = 3_c, g = 64_c, rgb = 3_c), row + ", bands");
      auto const token = attend::cast<double>(sum(hadamard(weights, attend::index(s)), s));
      auto const tokens = evaluate(mean(split(token, t, g = 64_c, r), r));
      expect_torch_after(weight_sums, tokens, of_torch((row + ".token_means").c_str(), b = 3_c, g = 64_c, heads...), row + ", tokens of bands");
    }

    auto const [few_painted, few_attending] = module(sampled);
    auto some_out = attend::uninitialized<float>(b = 3_c, rgb = 3_c, h = 1_c, w = samples);
    auto some_weights = attend::uninitialized<float>(b = 3_c, heads..., t = samples, s = 5_c);
    evaluate(into(some_out, some_weights), few_painted, few_attending); // stays where the image has no such pixel
    long found = 0;
    for (long i = 0; i < samples(); ++i) {
      if (!has(i)) continue;
      auto const [row_of, column] = place(i);
      ++found;
      evaluate(into(slice_of(some_out, w, i)), slice_of(slice_of(out, h, row_of), w, column));
      evaluate(into(slice_of(some_weights, t, i)), slice_of(weights, t, row_of * side() + column));
    }
    EXPECT_GE(found, 10);
    expect_torch(few_painted, some_out, of_torch(of_image, b = 3_c, rgb = 3_c, h = 1_c, w = samples), of_image, image_sums);
    expect_torch(few_attending, some_weights, of_torch(of_weights, b = 3_c, heads..., t = samples, s = 5_c), of_weights, weight_sums);
  }

  // A view of one position of a dim, which keeps the dim.
  template <class T, class S, class... A, class D>
  static auto slice_of(attend::tensor_view<T, S, A...> x, D dim, long i) {
    auto const one = [&]<class Dim, long N>(attend::axis<Dim, N>) {
      if constexpr (std::is_same_v<Dim, D>) return attend::extent<Dim, 1>{};
      else return attend::extent_of(x, Dim{});
    };
    return attend::view<T>(x.data + i * x.stride(dim), attend::strides((typename A::dim{} = x.stride(typename A::dim{}))...), one(A{})...);
  }
  template <class T, class S, class... A, class D>
  static auto slice_of(attend::tensor<T, S, A...>& x, D dim, long i) {
    return slice_of(x.view(), dim, i);
  }
};

TEST_F(image_of_512, row_13_convolution_in) {
  auto const pixel_features = attend::nn::pointwise_convolution(some(), p.proj_in);
  static_assert(std::is_same_v<decltype(attend::nn::pointwise_convolution(image, p.proj_in))::shape, decltype(attend::zeros<float>(b = 3_c, c = 512_c, h = side, w = side))::shape>);
  expect_torch_by_routes(pixel_features, of_torch("row_13", b = 3_c, c = 512_c, h = 1_c, w = staged), "features", {3});
}

TEST_F(image_of_512, row_14_pixels_in_a_row) {
  auto const merged = [&](auto const& x) { return merge(attend::nn::pointwise_convolution(x, p.proj_in), h, w, t); };
  static_assert(std::is_same_v<typename decltype(merged(image))::shape, decltype(attend::zeros<float>(b = 3_c, c = 512_c, t = pixels))::shape>);
  expect_torch_by_routes(merged(some()), of_torch("row_14", b = 3_c, t = staged, c = 512_c), "pixels", {3});
}

TEST_F(image_of_512, row_15_queries_of_the_image_keys_and_values_of_the_context) {
  expect_torch_by_routes(image_module::queries(some(), p), of_torch("row_15.query", b = 3_c, t = staged, f = 512_c), "queries", {3, 512});
  expect_torch_by_routes(slice(attend::nn::linear(context, p.key), s, 0_c, 2_c), of_torch("row_15.key", b = 3_c, s = 2_c, f = 512_c), "keys", {512});
  expect_torch_by_routes(slice(attend::nn::linear(context, p.value), s, 0_c, 2_c), of_torch("row_15.value", b = 3_c, s = 2_c, f = 512_c), "values", {512});
}

TEST_F(image_of_512, rows_16_and_17_weights_of_eight_heads_scaled_as_given) {
  auto const few = image_module::eight_heads(sampled, context, p);
  expect_torch_by_routes(few.second, of_torch("row_17.weights", b = 3_c, n = 8_c, t = samples, s = 5_c), "weights", {3, 512, 64, 5});
  EXPECT_EQ(image_module::scale, std::pow(512., -0.5));
}

TEST_F(image_of_512, row_18_heads_merged) {
  auto const heads = [](auto const& x) { return split(x, f, n = 8_c, d); };
  auto const few = some();
  auto const attended = merge(contract(image_module::eight_heads(few, context, p).second, heads(attend::nn::linear(context, p.value)), s), n, d, f);
  expect_torch_by_routes(attended, of_torch("row_18", b = 3_c, t = staged, f = 512_c), "attended", {3, 512, 64, 5});
}

TEST_F(image_of_512, row_19_image_and_weights_of_eight_heads) {
  expect([&](auto const& x) { return image_module::eight_heads(x, context, p); }, "row_19.image", {3, 512, 64, 5, 512, 512}, "row_17.weights", {3, 512, 64, 5}, "row_19", n = 8_c);
}

TEST_F(image_of_512, row_20_image_and_weights_of_one_head) {
  expect([&](auto const& x) { return image_module::one_head(x, context, p); }, "row_20.image", {3, 512, 512, 5, 512, 512}, "row_20.weights", {3, 512, 512, 5}, "row_20");
}

// Row 21. A plain run keeps Q of row 15 alone in 1.5 GiB, besides weights of 120 MiB. Allowed is a quarter of a GiB for the
// whole process at its peak: program, parameters, image, results and weights.
TEST_F(image_of_512, row_21_peak_memory) {
  auto out = attend::uninitialized<float>(b = 3_c, rgb = 3_c, h = side, w = side);
  auto weights = attend::uninitialized<float>(b = 3_c, n = 8_c, t = pixels, s = 5_c);
  auto const [painted, attending] = image_module::eight_heads(image, context, p);
  attend::release_workspace();
  examples::peak_memory([&] { evaluate(into(out, weights), painted, attending); });
  double const peak = examples::process_memory("VmHWM");
  RecordProperty("peak MiB", std::to_string(peak));
  EXPECT_GT(peak, 1) << "nothing measured";
  EXPECT_LT(peak, 256);
}

// What a plan says it needs between its steps is what it asks for, and enough.
TEST_F(image_of_512, a_plan_needs_the_memory_that_it_promises) {
  auto const corner = evaluate(slice(slice(image, h, 0_c, 64_c), w, 0_c, 64_c));
  auto out = attend::uninitialized<float>(b = 3_c, rgb = 3_c, h = 64_c, w = 64_c);
  auto const expect_promise = [&](auto const& painted, char const* what) {
    long const promised = attend::workspace_of(painted);
    auto const expected = evaluate(painted);
    auto memory = attend::uninitialized<float>(c = promised / 4);
    auto const bytes = std::as_writable_bytes(std::span(memory));
    evaluate(attend::on(bytes), into(out), painted);
    EXPECT_TRUE(std::equal(out.begin(), out.end(), expected.begin())) << what;
    EXPECT_THROW(evaluate(attend::on(bytes.first(bytes.size() - 1)), into(out), painted), attend::argument_error) << what;
    // keys and values are of one type: without values they count as one
    using plan = attend::plan_of<std::remove_cvref_t<decltype(painted)>>;
    EXPECT_NEAR(static_cast<double>(plan::workspace()), static_cast<double>(promised), 3. * 5 * 512 * 4) << what;
  };
  auto const painted = image_module::eight_heads(corner, context, p).first;
  expect_promise(painted, "planned");
  expect_promise(as_written(painted), "as written");
  EXPECT_LT(attend::workspace_of(as_written(painted)), 8 << 20) << "50 MiB, were it not for blocks";
}

} // namespace
