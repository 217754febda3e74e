// What plans are compared by.
#include <algorithm>
#include <array>
#include <cmath>

#include "weir/job/checkpoint_advice.hpp"
#include "weir/plan/model_counts.hpp"
#include "weir/plan/search.hpp"
#include "weir/plan/space.hpp"

namespace weir::plan {
namespace {

constexpr std::array<std::string_view, 4> objective_names{"time", "cost", "energy", "goodput"};

}  // namespace

// By what a second of a plan on so many chips counts.
double weight_of(const TrainingModel& model, const SearchOptions& options, std::uint64_t chips) {
    const Machine& machine = model.machine();
    const auto held = static_cast<double>(chips);
    constexpr double seconds_per_hour = 3600;
    switch (options.objective) {
        case Objective::time:
            return 1;
        case Objective::cost: {
            const double price = machine.price_per_chip_hour > 0 ? machine.price_per_chip_hour : 1;
            return held * price / seconds_per_hour;
        }
        case Objective::energy:
            return held * (machine.chip_watts > 0 ? machine.chip_watts : 1);
        case Objective::goodput:
            return 1 / useful_share(model.job(), machine, chips, options.failures);
    }
    return 1;
}

std::string_view name_of(Objective objective) {
    return objective_names[static_cast<std::size_t>(objective)];
}

double memory_limit_bytes(const Machine& machine, const SearchOptions& options) {
    return machine.memory_bytes * (1 - options.memory_margin);
}

double useful_share(const TrainingJob& job,
                    const Machine& machine,
                    std::uint64_t chips,
                    const Failures& failures) {
    if (failures.node_mtbf_s <= 0) return 1;
    const auto duration = [](double seconds) {
        return Duration{std::max<std::int64_t>(1, std::llround(seconds * 1000))};
    };
    const std::uint64_t each = std::max<std::uint32_t>(1, machine.chips_per_node);
    const std::uint64_t nodes = (chips + each - 1) / each;
    constexpr double checkpoint_bytes_per_parameter = 14;
    const double bytes = checkpoint_bytes_per_parameter * count_parameters(job.model).total;
    job::CheckpointCosts costs;
    costs.mtbf = job::mtbf_of_gang(duration(failures.node_mtbf_s), nodes);
    costs.cost = duration(bytes / (failures.write_bytes_per_s * static_cast<double>(nodes)));
    costs.restart = duration(failures.restart_s);
    return job::useful_share(job::daly_interval(costs.cost, costs.mtbf), costs);
}

double value_of(const TrainingModel& model,
                const SearchOptions& options,
                const Strategy& strategy,
                const Prediction& prediction) {
    return prediction.step_s * weight_of(model, options, strategy.chips());
}

}  // namespace weir::plan
