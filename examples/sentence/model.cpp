// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the layers' expressions are evaluated.
#include "model.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <attend/evaluate.hpp>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include "layers.hpp"

namespace sentence {

using attend::evaluate, attend::into;

model::model(std::filesystem::path const& folder, precision of_products) : file{folder / "model.safetensors"} {
  if (of_products == precision::f32) load(parameters.emplace<model_parameters<float>>(), file);
  else load(parameters.emplace<model_parameters<attend::bf16>>(), narrow_file);
}

model::token_features model::encode(padded_ids const& in, std::size_t depth) {
  return std::visit([&](auto const& of_type) { return encode(of_type, in, depth); }, parameters);
}

template <class T>
model::token_features model::encode(model_parameters<T> const& parameters, padded_ids const& in, std::size_t depth) {
  auto const rows = in.ids.extent(b), tokens = in.ids.extent(s);
  thread_local std::vector<float> outer, inner; // between the halves of a layer
  auto const memory = [&](std::vector<float>& scratch) {
    scratch.resize(std::max(scratch.size(), static_cast<std::size_t>(rows * tokens * features.size())));
    return attend::view<float>(scratch.data(), b = rows, s = tokens, features);
  };
  auto const x = memory(outer), y = memory(inner);
  evaluate(into(x), embedding(in.ids, parameters.embeddings));
  for (std::size_t i = 0; i < depth; ++i) {
    auto const& layer = parameters.encoder.layer.at(i);
    auto const weights = attention_weights(x, in.lengths, layer.attention.self);
    evaluate(into(y), attention(x, weights, layer.attention));
    evaluate(into(x), feed_forward(y, layer));
  }
  return x;
}

model::vectors model::embed(std::span<token_ids const> texts) {
  // About as many tokens at once as keep a layer's intermediate results in the caches.
  constexpr std::size_t tokens_at_once = 1024;
  auto const order = sorted_by_length(texts);
  auto sorted = attend::uninitialized<float>(word = texts.size(), features);
  auto places = attend::uninitialized<std::int32_t>(b = texts.size());
  for (std::size_t i = 0; i < order.size(); ++i) places(b = order[i]) = static_cast<std::int32_t>(i);
  auto const batches = batches_of(texts, order, tokens_at_once);
  auto const embed_batch = [&](batch const& some) {
    auto const rows = some.end - some.begin;
    auto const in = padded(texts, std::span{order}.subspan(some.begin, rows), some.longest);
    auto const x = encode(in, layers);
    auto const out = attend::view<float>(&sorted(word = some.begin), b = rows, features);
    evaluate(into(out), pooled(x, in.lengths));
  };
  // A batch for every thread, as long as there are: threads that work alone never wait for one another. All of them share
  // the work on each batch that is left over.
  auto const threads = static_cast<std::size_t>(tbb::this_task_arena::max_concurrency());
  auto const each_alone = batches.size() / threads * threads;
  tbb::parallel_for(std::size_t{0}, each_alone, [&](std::size_t i) { tbb::task_arena{1}.execute([&] { embed_batch(batches[i]); }); });
  std::for_each(batches.begin() + static_cast<std::ptrdiff_t>(each_alone), batches.end(), embed_batch);
  return evaluate(gather(sorted, places)); // back in the order of the texts
}

model::matrix model::similarities(vectors const& embeddings) { return evaluate(similarity(embeddings)); }

model::head_weights model::weights(token_ids const& text, std::size_t layer) {
  std::size_t const first[] = {0};
  auto const in = padded({&text, 1}, first, text.size());
  auto const x = encode(in, layer);
  return std::visit(
      [&](auto const& of_type) {
        auto const& p = of_type.encoder.layer.at(layer).attention;
        auto const weights = attention_weights(x, in.lengths, p.self);
        auto [output, seen] = evaluate(attention(x, weights, p), attend::cast<float>(weights)); // two results of one evaluation
        return head_weights(std::move(seen));
      },
      parameters);
}

} // namespace sentence
