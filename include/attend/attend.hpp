// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Everything: the language, evaluation, explanations. <attend/language.hpp> is the language alone.
#pragma once
#include <attend/rules.hpp> // first, so that an error is traced through no other header

#include <attend/plan.hpp>

#include <attend/evaluate.hpp>
#include <attend/explain.hpp>
#include <attend/language.hpp>
