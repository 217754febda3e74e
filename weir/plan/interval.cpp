#include "weir/plan/interval.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "weir/base/units.hpp"

namespace weir::plan {
namespace {

// What the published runs span that the calibration was fitted on.
struct Span {
    std::string_view what;
    double low;
    double high;
};
constexpr Span sequences{"a sequence of {} tokens", 512, 131072};
constexpr Span micro_batches{"a micro-batch of {} sequences", 1, 128};
constexpr Span scales{"{} chips", 1, 8192};

// For each doubling beyond a span. Nobody has published runs there, so this is a choice and no fit:
// two doublings are as uncertain as a chip that was never measured.
constexpr double spread_per_doubling = 0.1;
// Beyond so many doublings no interval means anything.
constexpr double doublings_max = 4;

double doublings_outside(const Span& span, double value) {
    if (value > span.high) return std::log2(value / span.high);
    if (value < span.low) return std::log2(span.low / std::max(value, 1.0));
    return 0;
}

// What a prediction is off beyond the runs that a chip was fitted on, as standard deviations of
// logs; the product's own fit is no judge of that, so they come from fits that leave whole sources
// out (plan_fit --each-left-out; intervals_test.cpp holds them to it). Any run has a site, a
// version and a recipe of its own; a chip that was not fitted is off by as much as single chips are
// from their family, and one whose family was not fitted either by what families differ.
constexpr double source_spread = 0.08;
constexpr double kin_spread = 0.10;
constexpr double stranger_spread = 0.12;

// Time in which a chip waits for its host or for kernels to start depends on processors and
// software, of which nothing is known: that much of it.
constexpr double waiting_spread = 0.25;

// A bandwidth that nobody states may be half or twice of what is usual.
constexpr double assumed_link_spread = 0.5;

double share_of(const Prediction& prediction, std::initializer_list<Term> terms) {
    double sum = 0;
    for (const Term term : terms)
        sum += prediction.at(term);
    return sum / prediction.step_s;
}

bool leaves_node(const Strategy& strategy, const Machine& machine) {
    return strategy.chips() > machine.chips_per_node;
}

}  // namespace

Interval interval_of(const Prediction& prediction,
                     const TrainingJob& job,
                     const Machine& machine,
                     const Strategy& strategy) {
    Interval interval;
    const auto add = [](double& variance, double spread) { variance += spread * spread; };
    double variance = 0;
    add(variance, machine.chip.spread);
    add(variance, source_spread);
    if (!machine.chip.fitted) add(variance, kin_spread);
    if (!machine.chip.family_fitted) add(variance, stranger_spread);
    add(variance, waiting_spread * share_of(prediction, {Term::overhead}));
    if (!machine.chip.fitted) {
        interval.causes.push_back(fmt::format(
            "no published run on {} was fitted: it counts by its datasheet and what {} reach",
            machine.chip_name,
            machine.chip.family_fitted ? "chips of its design" : "other chips"));
    }
    if (machine.bandwidth_assumed) {
        interval.causes.push_back(fmt::format(
            "nobody states the memory bandwidth of {}: the usual balance of chips for training is "
            "taken",
            machine.chip_name));
    }
    const double gathers = share_of(
        prediction, {Term::tensor, Term::context, Term::pipeline, Term::data, Term::bubble});
    const double alltoall = share_of(prediction, {Term::experts});
    const bool far = leaves_node(strategy, machine);
    for (const Link* link : {&machine.inside, &machine.between}) {
        const bool used = link == &machine.inside ? strategy.chips() > 1 : far;
        if (!used) continue;
        const LinkCalibration& known = link->calibration;
        const std::string_view where = link == &machine.inside ? "inside" : "between";
        const double unknown =
            (known.fitted ? 0 : gathers) + (known.alltoall_fitted ? 0 : alltoall);
        if (unknown > 0) {
            add(variance, unknown * link_spread);
            interval.causes.push_back(fmt::format(
                "no published {} over {} {} nodes was fitted; {} of the step depend on it",
                known.fitted ? "all-to-all" : "run",
                link->kind == "any" ? "the links" : link->kind,
                where,
                format_percent(unknown)));
        }
        const double talk = gathers + alltoall;
        if (link->assumed && talk > 0) {
            add(variance, talk * assumed_link_spread);
            interval.causes.push_back(fmt::format(
                "the bandwidth {} nodes is not said, the usual {:.0f} GB/s of a chip are "
                "taken; {} of the step depend on it",
                where,
                link->bytes_per_s / 1e9,
                format_percent(talk)));
        }
    }
    const auto outside = [&](const Span& span, double value) {
        const double doublings = doublings_outside(span, value);
        if (doublings <= 0) return;
        variance += std::pow(spread_per_doubling * doublings, 2);
        interval.extrapolated = true;
        interval.causes.push_back(fmt::format(
            "{} is beyond what was measured ({} to {})",
            fmt::format(fmt::runtime(span.what), format_count(static_cast<std::uint64_t>(value))),
            format_count(static_cast<std::uint64_t>(span.low)),
            format_count(static_cast<std::uint64_t>(span.high))));
    };
    outside(sequences, job.sequence);
    outside(micro_batches, strategy.micro_batch);
    outside(scales, static_cast<double>(strategy.chips()));
    interval.spread = std::sqrt(variance);
    interval.low_s = prediction.step_s * std::exp(-ninety_percent * interval.spread);
    interval.high_s = prediction.step_s * std::exp(ninety_percent * interval.spread);
    return interval;
}

Result<void> check_extrapolation(const TrainingJob& job, const Strategy& strategy) {
    const auto refuse = [](std::string_view field, std::uint64_t value, const Span& span) {
        return fail(Code::invalid,
                    fmt::format("{} {}: published runs go from {} to {}, and {} is too far beyond "
                                "them for a prediction",
                                field,
                                format_count(value),
                                format_count(static_cast<std::uint64_t>(span.low)),
                                format_count(static_cast<std::uint64_t>(span.high)),
                                format_count(value)));
    };
    // What is smaller than measured is covered by the interval; sizes count upwards only.
    const auto far = [](const Span& span, double value) {
        return value > span.high && doublings_outside(span, value) > doublings_max;
    };
    if (far(sequences, job.sequence)) return refuse("sequence", job.sequence, sequences);
    if (far(micro_batches, strategy.micro_batch))
        return refuse("micro_batch", strategy.micro_batch, micro_batches);
    if (far(scales, static_cast<double>(strategy.chips())))
        return refuse("chips", strategy.chips(), scales);
    return {};
}

double out_of_memory_probability(const Prediction& prediction, const Machine& machine) {
    const double need = prediction.memory_total_bytes();
    if (need <= 0) return 0;
    const double room = std::log(machine.memory_bytes / need);
    return 0.5 * std::erfc(room / (memory_spread * std::sqrt(2.0)));
}

double margin_of_risk(double risk) {
    // The inverse of the above, by halving: it falls as the room grows.
    double low = 0;
    double high = 1;
    for (int i = 0; i < 60; ++i) {
        const double room = (low + high) / 2;
        (0.5 * std::erfc(room / (memory_spread * std::sqrt(2.0))) > risk ? low : high) = room;
    }
    return 1 - std::exp(-high);
}

}  // namespace weir::plan
