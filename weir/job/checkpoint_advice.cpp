#include "weir/job/checkpoint_advice.hpp"

#include <algorithm>
#include <cmath>

#include "weir/base/assert.hpp"

namespace weir::job {
namespace {

Duration of_seconds(double value_s) {
    return std::max(Duration{1}, Duration{std::llround(value_s * 1000)});
}

}  // namespace

Duration mtbf_of_gang(Duration node_mtbf, std::uint64_t nodes) {
    WEIR_ASSERT(nodes > 0);
    return std::max(Duration{1}, node_mtbf / static_cast<std::int64_t>(nodes));
}

Duration young_interval(Duration cost, Duration mtbf) {
    WEIR_ASSERT(cost > Duration{} && mtbf > Duration{});
    return of_seconds(std::sqrt(2 * as_seconds(cost) * as_seconds(mtbf)));
}

Duration daly_interval(Duration cost, Duration mtbf) {
    WEIR_ASSERT(cost > Duration{} && mtbf > Duration{});
    const double c = as_seconds(cost);
    const double m = as_seconds(mtbf);
    if (c >= 2 * m) return mtbf;
    const double x = c / (2 * m);
    return of_seconds(std::sqrt(2 * c * m) * (1 + std::sqrt(x) / 3 + x / 9) - c);
}

double useful_share(Duration every, const CheckpointCosts& costs) {
    WEIR_ASSERT(every > Duration{} && costs.mtbf > Duration{});
    const double m = as_seconds(costs.mtbf);
    const double tau = as_seconds(every);
    return tau / (m * std::exp(as_seconds(costs.restart) / m) *
                  std::expm1((tau + as_seconds(costs.cost)) / m));
}

}  // namespace weir::job
