// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The machine that the including file is compiled for.
#pragma once
#include <attend/kernels/isa.hpp>
#include ATTEND_DETAIL_MACHINE
