// Is this INT8 matrix product exact? Many are fast, and some are wrong without saying so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace weir::exec {

// Row-major C[m x n] = A[m x k] * B[k x n]; false when it refuses.
using Int8Gemm = std::function<bool(std::size_t m,
                                    std::size_t n,
                                    std::size_t k,
                                    const std::int8_t* a,
                                    const std::int8_t* b,
                                    std::int32_t* c)>;

// Compares with integer arithmetic on several shapes, each with random full-range data, with
// extremes of equal sign (all -128 is the one case that broken kernels pass) and of mixed sign.
// "" when every element is right, else a sentence about the first case that is not.
std::string int8_errors(const Int8Gemm& gemm);

}  // namespace weir::exec
