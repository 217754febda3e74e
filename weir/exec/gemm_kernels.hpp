// Matrix products of our own, for the probe on machines that have no (or no right) library.
//
// They are plain and honest rather than the fastest: packed panels, a register block of 6 rows by
// two vectors, the vector unit chosen at run time. All are row-major, C[m x n] = A[m x k] * B[k x
// n]. INT8 is exact for k up to 131,071; BF16 is widened to FP32 on its way in.
//
// Threads: each call uses `threads` of its own and returns when they are done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::exec {

enum class Isa : std::uint8_t { generic, avx2, avx512 };
Isa best_isa();
std::string_view name_of(Isa isa);

struct Shape {
    std::size_t m = 0;
    std::size_t n = 0;
    std::size_t k = 0;
};

void gemm(Isa isa, unsigned threads, Shape shape, const double* a, const double* b, double* c);
void gemm(Isa isa, unsigned threads, Shape shape, const float* a, const float* b, float* c);
// BF16 as the upper half of a float.
void gemm(Isa isa,
          unsigned threads,
          Shape shape,
          const std::uint16_t* a,
          const std::uint16_t* b,
          float* c);
void gemm(Isa isa,
          unsigned threads,
          Shape shape,
          const std::int8_t* a,
          const std::int8_t* b,
          std::int32_t* c);

// a[i] = b[i] + s * c[i], the triad of the STREAM benchmark: 24 bytes an element.
void triad(Isa isa,
           unsigned threads,
           std::size_t count,
           double* a,
           const double* b,
           const double* c,
           double s);

// float -> BF16, to nearest even.
std::uint16_t to_bf16(float value);
float from_bf16(std::uint16_t value);

}  // namespace weir::exec
