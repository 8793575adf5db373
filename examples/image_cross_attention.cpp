// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cross-attention from an image (3, 3, 512, 512) to a context of five tokens, with eight heads and with one; each gives an
// image and its weights by one evaluation. A number on the command line is another side of the image.
#include "image_cross_attention.hpp"
#include "compare_routes.hpp"
#include "random_parameters.hpp"
#include "show.hpp"
#include <attend/attend.hpp>
#include <cstdlib>

using namespace attend::dims;
using namespace attend::literals;
using attend::into;
using image_cross_attention::rgb;

namespace {

// Evaluates a module whole, and holds a slice of its results against the oracle of a slice of the image: no pixel reads another.
template <class Module, class Image, class... Heads>
void run(char const* name, Module const& module, Image const& image, examples::results& results, Heads... heads) {
  long const side = image.extent(w), few = std::min(side, 16l);
  auto out = attend::uninitialized<float>(b = 3_c, rgb = 3_c, h = side, w = side);
  auto weights = attend::uninitialized<float>(b = 3_c, heads..., t = side * side, s = 5_c);
  auto const [painted, attending] = module(image);
  attend::release_workspace();
  double seconds = 0;
  double const memory = examples::peak_memory([&] { seconds = examples::milliseconds([&] { evaluate(attend::on_progress(examples::bar), into(out, weights), painted, attending); }, 1) / 1e3; });
  std::printf("%s: %.2f s, peak memory beside operands %.0f MiB\n", name, seconds, memory);
  examples::show_dims("  image", out), std::puts("");
  examples::show_dims("  weights", weights), std::puts("");

  auto const first = evaluate(slice(slice(image, h, 0_c, 1_c), w, 0, few)); // the first pixels of the first row
  auto const [few_painted, few_attending] = module(first);
  auto some = attend::uninitialized<float>(b = 3_c, rgb = 3_c, h = 1_c, w = few);
  auto some_weights = evaluate(few_attending);
  evaluate(into(some), slice(slice(out, h, 0_c, 1_c), w, 0, few));
  evaluate(into(some_weights), slice(weights, t, 0, few));
  results.show("  image, a slice", few_painted, some);
  results.show("  weights, a slice", few_attending, some_weights);
}

} // namespace

int main(int count, char** arguments) {
  long const side = count > 1 ? std::atol(arguments[1]) : 512;
  examples::random_parameters const file(1);
  image_cross_attention::parameters p;
  attend::nn::load(p, file);
  auto const image = attend::normal<float>(b = 3_c, rgb = 3_c, h = side, w = side);
  auto const context = attend::normal<float>(b = 3_c, s = 5_c, c = 512_c);

  examples::results results;
  run("eight heads", [&](auto const& x) { return image_cross_attention::eight_heads(x, context, p); }, image, results, n = 8_c);
  run("one head", [&](auto const& x) { return image_cross_attention::one_head(x, context, p); }, image, results);
  return results.status();
}
