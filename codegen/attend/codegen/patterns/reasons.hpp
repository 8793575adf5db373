// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Why an expression is not fused attention: named types, each with its sentence. require_fused prints one as an error,
// explain as a line.
#pragma once
#include <attend/rules.hpp>

namespace attend {

template <int N> struct products_in_scores;

namespace because {

// clang-format off
#define ATTEND_REASON(NAME, SENTENCE)                                                                                  \
  template <class... What>                                                                                             \
  struct NAME {                                                                                                        \
    static constexpr char const* sentence = SENTENCE;                                                                  \
    struct refused {                                                                                                   \
      static_assert(detail::never<What...>, "require_fused(x) requires attention: " SENTENCE);                         \
    };                                                                                                                 \
  };
ATTEND_REASON(root_is_no_product_of_a_softmax, "the root is not the product of a softmax and values")
ATTEND_REASON(weights_change_after_the_softmax, "something stands between the softmax and the product with the values")
ATTEND_REASON(product_and_softmax_differ_in_dims, "the softmax and the product with the values are over different dims")
ATTEND_REASON(softmax_over_several_dims, "the softmax is over several dims")
ATTEND_REASON(scores_without_product, "the scores contain no product of a query and a key")
ATTEND_REASON(scores_with_several_products, "the scores contain more than one product")
ATTEND_REASON(product_inside_another_operation, "the product of the scores stands inside a reduction, a softmax or a look-up")
ATTEND_REASON(product_over_several_dims, "the product of the scores is over several dims")
ATTEND_REASON(key_lacks_the_softmax_dim, "neither operand of the scores' product has the softmax dim")
ATTEND_REASON(query_has_the_softmax_dim, "both operands of the scores' product have the softmax dim")
ATTEND_REASON(value_has_several_dims_of_its_own, "the values have more than one dim of their own")
ATTEND_REASON(scores_have_the_contracted_dim, "the scores have a dim of the name that their product sums over")
ATTEND_REASON(element_types_differ, "query, key and values are not of one element type; write cast<T>(x)")
ATTEND_REASON(no_softmax_on_cuda, "the fused kernel of CUDA is for a softmax; here the scores meet the values as they are")
ATTEND_REASON(element_type_without_kernel, "there is no fused kernel for this element type")
#undef ATTEND_REASON
// clang-format on

} // namespace because
} // namespace attend
