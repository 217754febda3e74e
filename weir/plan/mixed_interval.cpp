#include <algorithm>
#include <cmath>

#include "weir/plan/mixed.hpp"

namespace weir::plan {
namespace {

// One part of a mix, by the step that it would make alone; the longest is 1.
struct Waited {
    double length = 1;
    double spread = 0;
};

// That no part takes longer than so many times the longest.
double all_within(const std::vector<Waited>& parts, double times) {
    double probability = 1;
    for (const Waited& part : parts) {
        const double room = std::log(times / part.length) / part.spread;
        probability *= 0.5 * std::erfc(-room / std::sqrt(2.0));
    }
    return probability;
}

// Within which all are with this probability.
double quantile(const std::vector<Waited>& parts, double probability) {
    double low = 1e-3;
    double high = 1e3;
    for (int i = 0; i < 60; ++i) {
        const double middle = std::sqrt(low * high);
        (all_within(parts, middle) < probability ? low : high) = middle;
    }
    return high;
}

}  // namespace

Interval interval_of(const MixedPlan& plan,
                     const TrainingJob& job,
                     const std::vector<MixedPart>& parts) {
    Interval all;
    std::vector<Waited> waited;
    double longest_s = 0;
    bool fitted = true;  // what leads from part to part
    for (const MixedPlan::Share& share : plan.shares) {
        const Machine& machine = parts[share.part].machine;
        const Interval own = interval_of(share.prediction, job, machine, share.strategy);
        if (plan.shares.size() == 1) return own;
        waited.push_back({share.prediction.step_s, own.spread});
        longest_s = std::max(longest_s, share.prediction.step_s);
        fitted = fitted && machine.between.calibration.fitted;
        all.extrapolated = all.extrapolated || own.extrapolated;
        for (const std::string& cause : own.causes) {
            if (std::find(all.causes.begin(), all.causes.end(), cause) == all.causes.end())
                all.causes.push_back(cause);
        }
    }
    for (Waited& part : waited)
        part.length /= longest_s;
    constexpr double outside = 0.05;  // on each side
    const double between = fitted ? 0 : ninety_percent * link_spread;
    const double work_s = plan.step_s - plan.between_s;
    all.low_s = work_s * quantile(waited, outside) + plan.between_s * std::exp(-between);
    all.high_s = work_s * quantile(waited, 1 - outside) + plan.between_s * std::exp(between);
    all.spread = std::log(all.high_s / all.low_s) / (2 * ninety_percent);
    return all;
}

double out_of_memory_probability(const MixedPlan& plan, const std::vector<MixedPart>& parts) {
    double fits = 1;
    for (const MixedPlan::Share& share : plan.shares)
        fits *= 1 - out_of_memory_probability(share.prediction, parts[share.part].machine);
    return 1 - fits;
}

}  // namespace weir::plan
