// WEIR_ASSERT: a promise of the program to itself, checked in release builds too.
//
// A gang half started or free chips below zero means that every later decision would be wrong, so
// the process stops at once with the place and the promise; the journal holds everything up to
// there. What the world can do wrong is a Result (result.hpp), never an assertion.
#pragma once

namespace weir {
[[noreturn]] void assertion_failed(const char* promise, const char* file, int line);
}

#define WEIR_ASSERT(promise) \
    (static_cast<bool>(promise) ? void(0) : ::weir::assertion_failed(#promise, __FILE__, __LINE__))
