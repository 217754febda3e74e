#include "weir/exec/int8_exactness.hpp"

#include <vector>

#include "weir/base/random.hpp"

namespace weir::exec {
namespace {

struct Case {
    const char* data;
    std::int8_t (*draw_a)(Random&);
    std::int8_t (*draw_b)(Random&);
};

std::int8_t any(Random& random) {
    return static_cast<std::int8_t>(random.between(-128, 127));
}
std::int8_t least(Random&) {
    return -128;
}
std::int8_t greatest(Random&) {
    return 127;
}
std::int8_t extreme(Random& random) {
    return random.chance(0.5) ? std::int8_t{127} : std::int8_t{-128};
}

constexpr Case cases[] = {{"random data of full range", any, any},
                          {"all -128", least, least},
                          {"-128 times 127", least, greatest},
                          {"random extremes", extreme, extreme}};

constexpr std::size_t shapes[][3] = {{32, 48, 64}, {17, 33, 1024}, {8, 16, 8192}, {3, 5, 131071}};

}  // namespace

std::string int8_errors(const Int8Gemm& gemm) {
    Random random(8);
    for (const auto& [m, n, k] : shapes) {
        for (const Case& one : cases) {
            std::vector<std::int8_t> a(m * k);
            std::vector<std::int8_t> b(k * n);
            for (std::int8_t& x : a)
                x = one.draw_a(random);
            for (std::int8_t& x : b)
                x = one.draw_b(random);
            std::vector<std::int32_t> c(m * n, -1);
            if (!gemm(m, n, k, a.data(), b.data(), c.data())) return "it refused the product";
            std::size_t wrong = 0;
            for (std::size_t i = 0; i < m; ++i) {
                for (std::size_t j = 0; j < n; ++j) {
                    std::int64_t sum = 0;
                    for (std::size_t x = 0; x < k; ++x) {
                        sum += std::int64_t{a[i * k + x]} * b[x * n + j];
                    }
                    wrong += sum != c[i * n + j] ? 1u : 0u;
                }
            }
            if (wrong > 0) {
                return std::to_string(wrong) + " of " + std::to_string(m * n) +
                       " results are wrong for " + one.data + " with k = " + std::to_string(k);
            }
        }
    }
    return {};
}

}  // namespace weir::exec
