#include "weir/sim/prediction_error.hpp"

#include <algorithm>
#include <cmath>

#include "weir/base/digest.hpp"
#include "weir/base/random.hpp"

namespace weir::sim {
namespace {

struct Band {
    double share;  // of predictions whose error is at most `error`
    double error;  // relative to the truth
};
constexpr Band bands[] = {{0.1, 0.1}, {0.5, 0.5}, {0.7, 1.0}, {0.9, 10.0}, {1.0, 100.0}};

double draw_error(Random& random) {
    const double at = random.unit();
    Band before{0, 0};
    for (const Band& band : bands) {
        if (at < band.share) {
            return before.error +
                   (band.error - before.error) * (at - before.share) / (band.share - before.share);
        }
        before = band;
    }
    return before.error;
}

}  // namespace

Duration predicted_run(Duration run, Duration limit, std::uint64_t seed, std::uint64_t job) {
    Digest mixed;
    mixed.add(seed);
    mixed.add(job);
    Random random(mixed.value());
    const double error = draw_error(random);
    const bool too_short = random.chance(0.5) && error < 1.0;
    const double factor = too_short ? 1.0 - error : 1.0 + error;
    const double ms =
        std::min(static_cast<double>(run.count()) * factor, static_cast<double>(forever.count()));
    return std::min(std::max(Duration{std::llround(ms)}, seconds(1)), std::max(limit, seconds(1)));
}

}  // namespace weir::sim
