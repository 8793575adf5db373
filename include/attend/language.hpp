// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The language alone: tensors and the expressions written of them. Nothing here runs one.
#pragma once
#include <attend/rules.hpp> // first, so that an error is traced through no other header

#include <attend/create.hpp>
#include <attend/lookups.hpp>
#include <attend/masks.hpp>
#include <attend/packed.hpp>
#include <attend/partial.hpp>
#include <attend/products.hpp>
#include <attend/reductions.hpp>
#include <attend/views.hpp>
