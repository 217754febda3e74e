#include "weir/base/random.hpp"

#include <cmath>
#include <numbers>

#include "weir/base/assert.hpp"

namespace weir {

std::int64_t Random::between(std::int64_t low, std::int64_t high) {
    WEIR_ASSERT(low <= high);
    const std::uint64_t span =
        static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
    if (span == 0) return static_cast<std::int64_t>(word());  // the whole range of 64 bits
    // The high word of a 128-bit product: biased by at most span / 2^64, which nobody can see.
    const auto product = static_cast<unsigned __int128>(word()) * span;
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) +
                                     static_cast<std::uint64_t>(product >> 64));
}

double Random::exponential(double mean) {
    return -mean * std::log1p(-unit());
}

double Random::normal(double mean, double deviation) {
    const double radius = std::sqrt(-2.0 * std::log1p(-unit()));
    return mean + deviation * radius * std::cos(2.0 * std::numbers::pi * unit());
}

double Random::lognormal(double log_mean, double log_deviation) {
    return std::exp(normal(log_mean, log_deviation));
}

double Random::gamma(double shape, double scale) {
    WEIR_ASSERT(shape > 0 && scale > 0);
    if (shape < 1.0) {
        return gamma(shape + 1.0, scale) * std::pow(1.0 - unit(), 1.0 / shape);
    }
    const double d = shape - 1.0 / 3.0;
    const double c = 1.0 / std::sqrt(9.0 * d);
    for (;;) {
        const double x = normal(0.0, 1.0);
        const double v = std::pow(1.0 + c * x, 3);
        if (v <= 0) continue;
        if (std::log(1.0 - unit()) < 0.5 * x * x + d - d * v + d * std::log(v))
            return d * v * scale;
    }
}

}  // namespace weir
