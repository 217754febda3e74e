#include "weir/sim/arrivals.hpp"

#include <algorithm>
#include <cmath>

#include "weir/base/assert.hpp"

namespace weir::sim {

DailyCycle::DailyCycle(const std::array<double, day_slots>& weights) : weight_(weights) {
    double total = 0;
    for (const double weight : weight_) {
        WEIR_ASSERT(weight >= 0);
        total += weight;
    }
    WEIR_ASSERT(total > 0);
    for (std::size_t slot = 0; slot < day_slots; ++slot) {
        // A night without any arrival would make the inverse ambiguous; nobody sees a millionth.
        weight_[slot] = std::max(weight_[slot] * static_cast<double>(day_slots) / total, 1e-6);
        sum_[slot + 1] = sum_[slot] + weight_[slot] * slot_s;
    }
    const double excess = sum_[day_slots] / day_s;  // of the lifted nights
    for (double& weight : weight_)
        weight /= excess;
    for (double& sum : sum_)
        sum /= excess;
}

double DailyCycle::busy_of_clock(double clock_s) const {
    const double days = std::floor(clock_s / day_s);
    const double rest = clock_s - days * day_s;
    const auto slot = std::min(static_cast<std::size_t>(rest / slot_s), day_slots - 1);
    return days * day_s + sum_[slot] + (rest - static_cast<double>(slot) * slot_s) * weight_[slot];
}

double DailyCycle::clock_of_busy(double busy_s) const {
    const double days = std::floor(busy_s / day_s);
    const double rest = busy_s - days * day_s;
    const auto after = std::upper_bound(sum_.begin() + 1, sum_.end() - 1, rest);
    const auto slot = static_cast<std::size_t>(after - sum_.begin()) - 1;
    return days * day_s + static_cast<double>(slot) * slot_s + (rest - sum_[slot]) / weight_[slot];
}

std::vector<std::int64_t> arrange(const DailyCycle& cycle,
                                  const std::vector<double>& gaps,
                                  std::int64_t span_s) {
    double total = 0;
    for (const double gap : gaps)
        total += gap;
    const double wanted = cycle.busy_of_clock(static_cast<double>(span_s));
    const double stretch = total > 0 ? wanted / total : 0;
    std::vector<std::int64_t> at = {0};
    at.reserve(gaps.size() + 1);
    double busy = 0;
    for (const double gap : gaps) {
        busy += gap;
        const auto clock = static_cast<std::int64_t>(cycle.clock_of_busy(busy * stretch));
        at.push_back(std::clamp(clock, at.back(), span_s));
    }
    // Rounding must not move the end: the load depends on it.
    if (!gaps.empty()) at.back() = span_s;
    return at;
}

double gamma_distribution(double shape, double x) {
    if (x <= 0) return 0;
    // The power series of Abramowitz and Stegun 6.5.29, which converges for every x.
    double term = 1.0 / shape;
    double sum = term;
    for (double k = shape + 1; term > sum * 1e-15; k += 1) {
        term *= x / k;
        sum += term;
    }
    return std::min(1.0, sum * std::exp(-x + shape * std::log(x) - std::lgamma(shape)));
}

}  // namespace weir::sim
