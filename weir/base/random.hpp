// Random: a small generator whose numbers are the same everywhere.
//
// The engines of <random> are portable but its distributions are not, and a simulation that
// differs between two libraries cannot be replayed; so both are ours. The generator is
// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): one word of state, seeded by any number.
#pragma once

#include <cstdint>

namespace weir {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t word() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }

    // Uniform in [0, 1): 53 bits.
    double unit() { return static_cast<double>(word() >> 11) * 0x1.0p-53; }

    // Uniform in [low, high], both included. Requires: low <= high.
    std::int64_t between(std::int64_t low, std::int64_t high);

    bool chance(double probability) { return unit() < probability; }

    double exponential(double mean);
    double normal(double mean, double deviation);
    double lognormal(double log_mean, double log_deviation);
    double gamma(double shape, double scale);  // Marsaglia and Tsang, ACM TOMS 26(3), 2000

private:
    std::uint64_t state_;
};

}  // namespace weir
