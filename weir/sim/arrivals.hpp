// Arrivals: gaps between jobs, bent so that days have a morning and a night.
//
// A daily cycle gives each half hour of the day a weight, 1 on average. Gaps are drawn in *busy
// time*, which passes faster than the clock when the weight is above 1; whole days are equal in
// both. Stretching the gaps changes the load and leaves the shape of the day as it is.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace weir::sim {

inline constexpr std::size_t day_slots = 48;
inline constexpr double slot_s = 1800.0;
inline constexpr double day_s = slot_s * day_slots;

class DailyCycle {
public:
    // Requires: no weight is negative and one is positive. They are scaled to 1 on average.
    explicit DailyCycle(const std::array<double, day_slots>& weights);

    [[nodiscard]] double busy_of_clock(double clock_s) const;
    [[nodiscard]] double clock_of_busy(double busy_s) const;
    [[nodiscard]] double weight(std::size_t slot) const { return weight_[slot]; }

private:
    std::array<double, day_slots> weight_{};
    std::array<double, day_slots + 1> sum_{};  // busy seconds before each slot
};

// Turns gaps (busy seconds between job i and i+1) into whole seconds on the clock: the first job
// arrives at 0, which is midnight, and the last one at span_s.
std::vector<std::int64_t> arrange(const DailyCycle& cycle,
                                  const std::vector<double>& gaps,
                                  std::int64_t span_s);

// The regularised lower incomplete gamma function P(shape, x): the distribution function of a
// gamma variable with scale 1. Requires: shape > 0 and 0 <= x < 100 or so.
double gamma_distribution(double shape, double x);

}  // namespace weir::sim
