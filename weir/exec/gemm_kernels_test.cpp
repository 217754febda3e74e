#include "weir/exec/gemm_kernels.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "weir/base/random.hpp"

namespace weir::exec {
namespace {

// Shapes that end inside every kind of block, and one that passes the depth of a panel.
const Shape shapes[] = {
    {1, 1, 1}, {6, 16, 256}, {7, 17, 257}, {13, 5, 3}, {64, 64, 64}, {33, 70, 600}};

std::vector<Isa> usable() {
    std::vector<Isa> all = {Isa::generic};
    if (best_isa() >= Isa::avx2) all.push_back(Isa::avx2);
    if (best_isa() >= Isa::avx512) all.push_back(Isa::avx512);
    return all;
}

template <class In, class Out, class Draw, class Value>
void expect_right(Draw draw, Value value, double tolerance) {
    Random random(42);
    for (const Shape& shape : shapes) {
        std::vector<In> a(shape.m * shape.k);
        std::vector<In> b(shape.k * shape.n);
        for (In& x : a)
            x = draw(random);
        for (In& x : b)
            x = draw(random);
        for (const Isa isa : usable()) {
            for (const unsigned threads : {1u, 3u}) {
                std::vector<Out> c(shape.m * shape.n, Out{77});
                gemm(isa, threads, shape, a.data(), b.data(), c.data());
                for (std::size_t i = 0; i < shape.m; ++i) {
                    for (std::size_t j = 0; j < shape.n; ++j) {
                        long double sum = 0;
                        long double size = 0;
                        for (std::size_t k = 0; k < shape.k; ++k) {
                            const long double term =
                                static_cast<long double>(value(a[i * shape.k + k])) *
                                static_cast<long double>(value(b[k * shape.n + j]));
                            sum += term;
                            size += std::abs(term);
                        }
                        ASSERT_LE(std::abs(static_cast<long double>(c[i * shape.n + j]) - sum),
                                  size * tolerance)
                            << name_of(isa) << " " << shape.m << "x" << shape.n << "x" << shape.k;
                    }
                }
            }
        }
    }
}

TEST(Gemm, IsRightInFp64) {
    expect_right<double, double>(
        [](Random& r) { return r.normal(0, 1); }, [](double x) { return x; }, 1e-13);
}

TEST(Gemm, IsRightInFp32) {
    expect_right<float, float>([](Random& r) { return static_cast<float>(r.normal(0, 1)); },
                               [](float x) { return x; },
                               1e-4);
}

TEST(Gemm, IsRightInBf16WithFp32Sums) {
    expect_right<std::uint16_t, float>(
        [](Random& r) { return to_bf16(static_cast<float>(r.normal(0, 1))); },
        [](std::uint16_t x) { return from_bf16(x); },
        1e-4);
}

TEST(Gemm, IsExactInInt8AlsoAtTheExtremes) {
    expect_right<std::int8_t, std::int32_t>(
        [](Random& r) { return static_cast<std::int8_t>(r.between(-128, 127)); },
        [](std::int8_t x) { return x; },
        0);
    expect_right<std::int8_t, std::int32_t>(
        [](Random&) { return std::int8_t{-128}; }, [](std::int8_t x) { return x; }, 0);
    expect_right<std::int8_t, std::int32_t>(
        [](Random& r) { return r.chance(0.5) ? std::int8_t{127} : std::int8_t{-128}; },
        [](std::int8_t x) { return x; },
        0);
}

TEST(Bf16, RoundsToNearestEven) {
    EXPECT_EQ(from_bf16(to_bf16(1.0F)), 1.0F);
    EXPECT_EQ(from_bf16(to_bf16(-3.140625F)), -3.140625F);
    EXPECT_EQ(to_bf16(1.00390625F), to_bf16(1.0F));         // halfway, to even
    EXPECT_EQ(from_bf16(to_bf16(1.01171875F)), 1.015625F);  // halfway, to even above
}

TEST(Triad, ComputesEveryElement) {
    for (const Isa isa : usable()) {
        std::vector<double> a(1003, -1), b(1003), c(1003);
        for (std::size_t i = 0; i < a.size(); ++i) {
            b[i] = static_cast<double>(i);
            c[i] = static_cast<double>(2 * i + 1);
        }
        triad(isa, 3, a.size(), a.data(), b.data(), c.data(), 3.0);
        for (std::size_t i = 0; i < a.size(); ++i) {
            ASSERT_EQ(a[i], static_cast<double>(i + 3 * (2 * i + 1)));
        }
    }
}

}  // namespace
}  // namespace weir::exec
