// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a score function costs beside the plain kernel: soft cap, ALiBi, sliding window, documents.
#include "operands.hpp"

namespace bench {
namespace {

using depth = decltype(64_c);

template <class T>
call softcap(problem const& p) {
  return evaluation<T, depth>(p, softcap_attention);
}

template <class T>
call window(problem const& p) {
  return evaluation<T, depth>(p, [](auto& x) {
    return softmax(masked(x.q * transpose(x.k) * x.scale, keep(attend::window(s, t, left_window, 0)))) * x.v;
  });
}

template <class T>
call alibi(problem const& p) {
  auto const slope = std::make_shared<decltype(alibi_slopes(1))>(alibi_slopes(p.heads));
  return evaluation<T, depth>(
      p, [slope](auto& x) { return softmax(x.q * transpose(x.k) * x.scale + *slope * (index(t) - index(s))) * x.v; });
}

template <class T>
call documents(problem const& p) {
  auto of_query = attend::uninitialized<std::int32_t>(s = p.queries);
  auto of_key = attend::uninitialized<std::int32_t>(t = p.keys);
  for (long i = 0; i < p.queries; ++i) of_query(s = i) = static_cast<std::int32_t>(i / document);
  for (long i = 0; i < p.keys; ++i) of_key(t = i) = static_cast<std::int32_t>(i / document);
  auto const ids =
      std::make_shared<std::pair<decltype(of_query), decltype(of_key)>>(std::move(of_query), std::move(of_key));
  return evaluation<T, depth>(p, [ids](auto& x) {
    return softmax(masked(x.q * transpose(x.k) * x.scale, keep(attend::same_document(ids->first, ids->second)))) * x.v;
  });
}

template <class T>
void add_dtype() {
  problem p{"score", dtype_name<T>(), "softcap", 1, 8, 8, 4096, 4096, depth::value};
  add(p, softcap<T>);
  p.score = "alibi";
  add(p, alibi<T>);
  p.score = "window";
  add(p, window<T>);
  p.score = "documents";
  add(p, documents<T>);
}

} // namespace

void add_scores() {
  add_dtype<float>();
  add_dtype<attend::bf16>();
}

} // namespace bench
