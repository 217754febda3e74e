// How the packed product works: B is cut into panels of `depth` rows by two vectors of columns,
// copied so that a panel is contiguous; A into blocks of 6 rows by `depth`, copied column
// by column. The innermost loop then reads both straight through and keeps 6 x 2 vectors of
// sums in registers:
//
//       panel of B:  depth x W          6 sums of W columns each
//     A block 6 x depth  ------------>  C[i..i+6][j..j+W]
//
// The same body is compiled for each vector unit; the wrappers with target attributes choose.
#include "weir/exec/gemm_kernels.hpp"

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define WEIR_INLINE inline __attribute__((always_inline))

namespace weir::exec {
namespace {

constexpr std::size_t block_rows = 6;
constexpr std::size_t depth = 256;

struct Rows {
    std::size_t begin = 0;
    std::size_t end = 0;
};

// Splits the rows among threads in whole blocks and runs `work(rows)` on each.
template <class Work>
void in_threads(unsigned threads, std::size_t rows, const Work& work) {
    const std::size_t blocks = (rows + block_rows - 1) / block_rows;
    const std::size_t workers =
        std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(blocks, 1));
    std::vector<std::thread> others;
    for (std::size_t w = 0; w < workers; ++w) {
        const Rows part{std::min(rows, blocks * w / workers * block_rows),
                        std::min(rows, blocks * (w + 1) / workers * block_rows)};
        if (w + 1 == workers) {
            work(part);
        } else {
            others.emplace_back([&work, part] { work(part); });
        }
    }
    for (std::thread& other : others)
        other.join();
}

WEIR_INLINE double widen(double value) {
    return value;
}
WEIR_INLINE float widen(float value) {
    return value;
}
WEIR_INLINE float widen(std::uint16_t value) {
    const std::uint32_t bits = std::uint32_t{value} << 16;
    float wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return wide;
}

// `unit` is the size of a vector register in bytes.
template <std::size_t unit, class In, class Real>
WEIR_INLINE void multiply_rows(Rows rows, Shape shape, const In* a, const In* b, Real* c) {
    constexpr std::size_t lanes = unit / sizeof(Real);
    constexpr std::size_t width = 2 * lanes;
    typedef Real Vector __attribute__((vector_size(unit)));
    alignas(64) Real panel[depth * width];
    const std::size_t block_count = (rows.end - rows.begin + block_rows - 1) / block_rows;
    std::vector<Real> blocks(block_count * depth * block_rows);

    for (std::size_t i = rows.begin; i < rows.end; ++i) {
        std::fill(c + i * shape.n, c + (i + 1) * shape.n, Real{0});
    }
    for (std::size_t k0 = 0; k0 < shape.k; k0 += depth) {
        const std::size_t deep = std::min(depth, shape.k - k0);
        for (std::size_t i = rows.begin; i < rows.end; i += block_rows) {
            Real* const block = blocks.data() + (i - rows.begin) * depth;
            const std::size_t lines = std::min(block_rows, rows.end - i);
            for (std::size_t r = 0; r < block_rows; ++r) {
                const In* const from = a + (i + std::min(r, lines - 1)) * shape.k + k0;
                for (std::size_t k = 0; k < deep; ++k)
                    block[k * block_rows + r] = widen(from[k]);
            }
        }
        for (std::size_t j = 0; j < shape.n; j += width) {
            const std::size_t columns = std::min(width, shape.n - j);
            for (std::size_t k = 0; k < deep; ++k) {
                const In* const from = b + (k0 + k) * shape.n + j;
                for (std::size_t x = 0; x < columns; ++x)
                    panel[k * width + x] = widen(from[x]);
                for (std::size_t x = columns; x < width; ++x)
                    panel[k * width + x] = 0;
            }
            for (std::size_t i = rows.begin; i < rows.end; i += block_rows) {
                const std::size_t lines = std::min(block_rows, rows.end - i);
                const Real* const block = blocks.data() + (i - rows.begin) * depth;
                Vector left[block_rows] = {};
                Vector right[block_rows] = {};
                for (std::size_t k = 0; k < deep; ++k) {
                    const auto* const line = reinterpret_cast<const Vector*>(panel + k * width);
                    const Vector first = line[0];
                    const Vector second = line[1];
                    const Real* const factors = block + k * block_rows;
#pragma GCC unroll 6
                    for (std::size_t r = 0; r < block_rows; ++r) {
                        left[r] += factors[r] * first;
                        right[r] += factors[r] * second;
                    }
                }
                for (std::size_t r = 0; r < lines; ++r) {
                    alignas(64) Real sums[width];
                    std::memcpy(sums, &left[r], unit);
                    std::memcpy(sums + lanes, &right[r], unit);
                    Real* const to = c + (i + r) * shape.n + j;
                    for (std::size_t x = 0; x < columns; ++x)
                        to[x] += sums[x];
                }
            }
        }
    }
}

void multiply_int8_plain(
    Rows rows, Shape shape, const std::int8_t* a, const std::int8_t* b, std::int32_t* c) {
    for (std::size_t i = rows.begin; i < rows.end; ++i) {
        std::int32_t* const to = c + i * shape.n;
        std::fill(to, to + shape.n, 0);
        for (std::size_t k = 0; k < shape.k; ++k) {
            const std::int32_t factor = a[i * shape.k + k];
            const std::int8_t* const line = b + k * shape.n;
            for (std::size_t j = 0; j < shape.n; ++j)
                to[j] += factor * line[j];
        }
    }
}

void triad_plain(
    std::size_t begin, std::size_t end, double* a, const double* b, const double* c, double s) {
    for (std::size_t i = begin; i < end; ++i)
        a[i] = b[i] + s * c[i];
}

#if defined(__x86_64__)

#define WEIR_AVX2 __attribute__((target("avx2,fma")))
#define WEIR_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")))

template <class In, class Real>
WEIR_AVX2 void multiply_avx2(Rows rows, Shape shape, const In* a, const In* b, Real* c) {
    multiply_rows<32>(rows, shape, a, b, c);
}

template <class In, class Real>
WEIR_AVX512 void multiply_avx512(Rows rows, Shape shape, const In* a, const In* b, Real* c) {
    multiply_rows<64>(rows, shape, a, b, c);
}

// Pairs of 16-bit numbers multiplied and added to 32 bits: never saturates for inputs of 8 bits,
// unlike the shorter path over 8-bit pairs, which is why some libraries are fast and wrong.
WEIR_AVX2 void multiply_int8_avx2(
    Rows rows, Shape shape, const std::int8_t* a, const std::int8_t* b, std::int32_t* c) {
    constexpr std::size_t width = 16;
    constexpr std::size_t pairs_max = depth / 2;
    alignas(64) std::int16_t panel[pairs_max * width * 2];
    alignas(64) std::int16_t block[block_rows][depth];

    for (std::size_t i = rows.begin; i < rows.end; ++i) {
        std::fill(c + i * shape.n, c + (i + 1) * shape.n, 0);
    }
    for (std::size_t k0 = 0; k0 < shape.k; k0 += depth) {
        const std::size_t deep = std::min(depth, shape.k - k0);
        const std::size_t pairs = (deep + 1) / 2;
        for (std::size_t j = 0; j < shape.n; j += width) {
            const std::size_t columns = std::min(width, shape.n - j);
            for (std::size_t k = 0; k < pairs * 2; ++k) {
                for (std::size_t x = 0; x < width; ++x) {
                    const bool inside = k < deep && x < columns;
                    panel[(k / 2 * width + x) * 2 + k % 2] =
                        inside ? b[(k0 + k) * shape.n + j + x] : std::int16_t{0};
                }
            }
            for (std::size_t i = rows.begin; i < rows.end; i += block_rows) {
                const std::size_t lines = std::min(block_rows, rows.end - i);
                for (std::size_t r = 0; r < block_rows; ++r) {
                    const std::int8_t* const from = a + (i + std::min(r, lines - 1)) * shape.k + k0;
                    for (std::size_t k = 0; k < deep; ++k)
                        block[r][k] = from[k];
                    if (deep % 2 == 1) block[r][deep] = 0;
                }
                __m256i low[block_rows];
                __m256i high[block_rows];
                for (std::size_t r = 0; r < block_rows; ++r) {
                    low[r] = high[r] = _mm256_setzero_si256();
                }
                for (std::size_t p = 0; p < pairs; ++p) {
                    const auto* const line =
                        reinterpret_cast<const __m256i*>(panel + p * width * 2);
                    const __m256i first = _mm256_load_si256(line);
                    const __m256i second = _mm256_load_si256(line + 1);
#pragma GCC unroll 6
                    for (std::size_t r = 0; r < block_rows; ++r) {
                        std::int32_t both;
                        std::memcpy(&both, &block[r][p * 2], sizeof both);
                        const __m256i pair = _mm256_set1_epi32(both);
                        low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(pair, first));
                        high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(pair, second));
                    }
                }
                for (std::size_t r = 0; r < lines; ++r) {
                    alignas(32) std::int32_t sums[width];
                    _mm256_store_si256(reinterpret_cast<__m256i*>(sums), low[r]);
                    _mm256_store_si256(reinterpret_cast<__m256i*>(sums + 8), high[r]);
                    std::int32_t* const to = c + (i + r) * shape.n + j;
                    for (std::size_t x = 0; x < columns; ++x)
                        to[x] += sums[x];
                }
            }
        }
    }
}

WEIR_AVX2 void triad_avx2(
    std::size_t begin, std::size_t end, double* a, const double* b, const double* c, double s) {
    const __m256d factor = _mm256_set1_pd(s);
    std::size_t i = begin;
    for (; i + 4 <= end; i += 4) {
        _mm256_storeu_pd(a + i,
                         _mm256_fmadd_pd(factor, _mm256_loadu_pd(c + i), _mm256_loadu_pd(b + i)));
    }
    triad_plain(i, end, a, b, c, s);
}

#endif

template <class In, class Real>
void multiply(Isa isa, unsigned threads, Shape shape, const In* a, const In* b, Real* c) {
    in_threads(threads, shape.m, [=](Rows rows) {
#if defined(__x86_64__)
        if (isa == Isa::avx512) return multiply_avx512(rows, shape, a, b, c);
        if (isa == Isa::avx2) return multiply_avx2(rows, shape, a, b, c);
#endif
        multiply_rows<16>(rows, shape, a, b, c);
    });
}

}  // namespace

Isa best_isa() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
        return Isa::avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
    return Isa::generic;
}

std::string_view name_of(Isa isa) {
    switch (isa) {
        case Isa::generic:
            return "generic";
        case Isa::avx2:
            return "avx2";
        case Isa::avx512:
            return "avx512";
    }
    return "generic";
}

void gemm(Isa isa, unsigned threads, Shape shape, const double* a, const double* b, double* c) {
    multiply(isa, threads, shape, a, b, c);
}

void gemm(Isa isa, unsigned threads, Shape shape, const float* a, const float* b, float* c) {
    multiply(isa, threads, shape, a, b, c);
}

void gemm(Isa isa,
          unsigned threads,
          Shape shape,
          const std::uint16_t* a,
          const std::uint16_t* b,
          float* c) {
    multiply(isa, threads, shape, a, b, c);
}

void gemm(Isa isa,
          unsigned threads,
          Shape shape,
          const std::int8_t* a,
          const std::int8_t* b,
          std::int32_t* c) {
    in_threads(threads, shape.m, [=](Rows rows) {
#if defined(__x86_64__)
        if (isa != Isa::generic) return multiply_int8_avx2(rows, shape, a, b, c);
#endif
        multiply_int8_plain(rows, shape, a, b, c);
    });
}

void triad(Isa isa,
           unsigned threads,
           std::size_t count,
           double* a,
           const double* b,
           const double* c,
           double s) {
    in_threads(threads, count, [=](Rows rows) {
#if defined(__x86_64__)
        if (isa != Isa::generic) return triad_avx2(rows.begin, rows.end, a, b, c, s);
#endif
        triad_plain(rows.begin, rows.end, a, b, c, s);
    });
}

std::uint16_t to_bf16(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits += 0x7FFF + (bits >> 16 & 1);
    return static_cast<std::uint16_t>(bits >> 16);
}

float from_bf16(std::uint16_t value) {
    return widen(value);
}

}  // namespace weir::exec
