#include "weir/sim/workload_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "weir/base/random.hpp"
#include "weir/sim/arrivals.hpp"

namespace weir::sim {
namespace {

// Parameters of the batch jobs of Lublin and Feitelson 2003, sections 3 to 5: fitted to the logs
// of SDSC Paragon, CTC SP2, KTH SP2, LANL CM-5 and others.
namespace batch {
constexpr double serial_share = 0.2927;
constexpr double power_of_two_share = 0.6686;
constexpr double log2_size_low = 1.2;
constexpr double log2_size_med_below_high = 2.0;  // of the published range 1.5 to 3.5
constexpr double first_stage_share = 0.875;
constexpr double short_shape = 6.57, short_scale = 0.823;  // of ln(run time / s)
constexpr double long_shape = 639.1, long_scale = 0.0156;
constexpr double short_share_slope = -0.003, short_share_at_0 = 0.6986;
constexpr double log_run_max = 12;                                 // e^12 s = 45 h
constexpr double gap_shape = 6.0415 * 1.0519, gap_scale = 0.8531;  // of ln(gap / s); whole day
constexpr double log_gap_max = 13;                                 // e^13 s = 5 days
constexpr double day_shape = 6.1271, day_scale = 5.2740;           // of the half hour of arrival
constexpr int day_begins_at_slot = 11;  // the cycle is fitted from here on
}  // namespace batch

DailyCycle batch_cycle() {
    std::array<double, day_slots> weights{};
    for (int i = 0; i < static_cast<int>(day_slots); ++i) {
        const int half_hour = i + batch::day_begins_at_slot;
        const double low = (half_hour - 0.5) / batch::day_scale;
        const double high = (half_hour + 0.5) / batch::day_scale;
        weights[static_cast<std::size_t>(half_hour - 1) % day_slots] =
            gamma_distribution(batch::day_shape, high) - gamma_distribution(batch::day_shape, low);
    }
    return DailyCycle(weights);
}

std::uint32_t batch_size(Random& random, std::uint64_t processors) {
    const double kind = random.unit();
    if (kind <= batch::serial_share || processors < 2) return 1;
    const bool power_of_two = kind <= batch::serial_share + batch::power_of_two_share;
    const double high = std::log2(static_cast<double>(processors));
    const double low = std::min(batch::log2_size_low, high);
    const double med = std::max(low, high - batch::log2_size_med_below_high);
    for (;;) {
        const bool first = random.unit() <= batch::first_stage_share;
        double log2_size =
            first ? low + random.unit() * (med - low) : med + random.unit() * (high - med);
        if (power_of_two) log2_size = std::floor(log2_size + 0.5);
        const double size = std::floor(std::exp2(log2_size) + 0.5);
        // Rounding up to a power of two can leave a machine whose size is none.
        if (size <= static_cast<double>(processors)) return static_cast<std::uint32_t>(size);
    }
}

std::int64_t batch_run(Random& random, std::uint32_t size) {
    const double short_share =
        std::clamp(batch::short_share_slope * size + batch::short_share_at_0, 0.0, 1.0);
    for (;;) {
        const bool is_short = random.chance(short_share);
        const double log_run = is_short ? random.gamma(batch::short_shape, batch::short_scale)
                                        : random.gamma(batch::long_shape, batch::long_scale);
        if (log_run <= batch::log_run_max) {
            return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::exp(log_run)));
        }
    }
}

double batch_gap(Random& random) {
    for (;;) {
        const double log_gap = random.gamma(batch::gap_shape, batch::gap_scale);
        if (log_gap <= batch::log_gap_max) return std::exp(log_gap);
    }
}

// The GPU mix: shares as published for training clusters, rounded.
namespace mix {
struct Size {
    double share;
    std::uint32_t chips;
};
constexpr std::array<Size, 8> sizes = {{{0.700, 1},
                                        {0.090, 2},
                                        {0.090, 4},
                                        {0.085, 8},
                                        {0.020, 16},
                                        {0.010, 32},
                                        {0.004, 64},
                                        {0.001, 128}}};
constexpr double shared_chip_share = 0.15;                     // of the jobs on one chip
constexpr double log_run_mean = 6.4, log_run_deviation = 1.9;  // median 10 min
constexpr double log_run_per_doubling = 0.25;                  // wider jobs run longer
constexpr double tail_share = 0.05;                            // of jobs run for hours to weeks
constexpr double tail_from_s = 4 * 3600, tail_exponent = 1.2;
constexpr double run_max_s = 30 * 86400.0;
constexpr double cycle_depth = 0.5;  // rate at 15:00 is 3 times that at 3:00
constexpr std::uint16_t users = 200;
constexpr std::array<double, 4> group_shares = {0.4, 0.3, 0.2, 0.1};
}  // namespace mix

DailyCycle mix_cycle() {
    std::array<double, day_slots> weights{};
    for (std::size_t slot = 0; slot < day_slots; ++slot) {
        const double hour = (static_cast<double>(slot) + 0.5) / 2;
        weights[slot] = 1 + mix::cycle_depth * std::cos(2 * std::numbers::pi * (hour - 15) / 24);
    }
    return DailyCycle(weights);
}

std::uint32_t mix_size(Random& random, std::uint32_t widest) {
    for (;;) {
        double kind = random.unit();
        for (const mix::Size& size : mix::sizes) {
            if (kind < size.share && size.chips <= widest) return size.chips;
            kind -= size.share;
        }
    }
}

std::int64_t mix_run(Random& random, std::uint32_t chips) {
    for (;;) {
        double run = 0;
        if (random.chance(mix::tail_share)) {
            run = mix::tail_from_s * std::pow(1 - random.unit(), -1 / mix::tail_exponent);
        } else {
            run = random.lognormal(mix::log_run_mean + mix::log_run_per_doubling * std::log2(chips),
                                   mix::log_run_deviation);
        }
        if (run <= mix::run_max_s) return std::max<std::int64_t>(1, std::llround(run));
    }
}

std::uint16_t mix_group(Random& random) {
    double kind = random.unit();
    for (std::size_t i = 0; i < mix::group_shares.size(); ++i) {
        if (kind < mix::group_shares[i]) return static_cast<std::uint16_t>(i);
        kind -= mix::group_shares[i];
    }
    return static_cast<std::uint16_t>(mix::group_shares.size() - 1);
}

// CPUs and memory that go with one chip of the node type with the least of them, so that every job
// fits on every node.
struct PerChip {
    std::uint32_t cpus = 0;
    std::uint32_t memory_gib = 0;
};

PerChip per_chip(const fleet::Fleet& fleet) {
    PerChip least;
    bool first = true;
    for (const fleet::Pool& pool : fleet.pools) {
        if (pool.chips_per_node == 0) continue;
        const std::uint32_t cpus = pool.cpus_milli / 1000 / pool.chips_per_node;
        const auto memory = static_cast<std::uint32_t>(
            (pool.memory.count >> 30) / static_cast<std::int64_t>(pool.chips_per_node));
        least.cpus = first ? cpus : std::min(least.cpus, cpus);
        least.memory_gib = first ? memory : std::min(least.memory_gib, memory);
        first = false;
    }
    return least;
}

// Half of the largest pool: a job as wide as the machine would stop everybody else for hours.
std::uint32_t widest_job(const fleet::Fleet& fleet) {
    std::uint64_t widest = 0;
    for (const fleet::Pool& pool : fleet.pools) {
        widest = std::max(widest, std::uint64_t{pool.nodes} * pool.chips_per_node);
    }
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(widest / 2, 1, 1u << 20));
}

WorkloadJob mix_job(Random& random, std::uint32_t widest, const PerChip& chip) {
    WorkloadJob job;
    job.chips = mix_size(random, widest);
    job.run_s = mix_run(random, job.chips);
    if (job.chips == 1 && random.chance(mix::shared_chip_share)) {
        job.chip_permille = random.chance(0.5) ? 500 : 250;
    }
    if (chip.cpus > 0) {
        job.cpus =
            job.chips * static_cast<std::uint32_t>(random.between((chip.cpus + 3) / 4, chip.cpus));
        if (job.chip_permille < 1000) job.cpus = std::max(1u, job.cpus / 4);
    }
    if (chip.memory_gib > 0) {
        job.memory_gib = job.chips * static_cast<std::uint32_t>(random.between(
                                         (chip.memory_gib + 7) / 8, chip.memory_gib));
        if (job.chip_permille < 1000) job.memory_gib = std::max(1u, job.memory_gib / 4);
    }
    job.group = mix_group(random);
    // Few users submit most jobs: the number of a user is a square of something uniform.
    const double user = random.unit();
    job.user = static_cast<std::uint16_t>(user * user * mix::users);
    return job;
}

double work_of(const WorkloadJob& job) {
    return static_cast<double>(job.run_s) * job.chips * job.chip_permille / 1000.0;
}

}  // namespace

const std::vector<std::int64_t>& round_requests() {
    static const std::vector<std::int64_t> values = [] {
        std::vector<std::int64_t> all;
        for (const std::int64_t minutes : {5, 10, 15, 20, 30, 45})
            all.push_back(minutes * 60);
        for (const std::int64_t hours : {1, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48}) {
            all.push_back(hours * 3600);
        }
        for (const std::int64_t days : {3, 7, 14, 30})
            all.push_back(days * 86400);
        return all;
    }();
    return values;
}

std::int64_t requested_seconds(std::int64_t run_s, double share) {
    const auto& values = round_requests();
    const double wanted = static_cast<double>(run_s) / (1 - share);
    // Nobody asks for a month to be safe for an hour: sites allow two days unless the job needs
    // more.
    const auto two_days = std::lower_bound(values.begin(), values.end(), 48 * 3600);
    const auto holds_run = std::lower_bound(values.begin(), values.end(), run_s);
    const auto most = std::max(two_days, holds_run);
    auto value = std::lower_bound(values.begin(), values.end(), wanted, [](auto a, double b) {
        return static_cast<double>(a) < b;
    });
    if (value > most) value = most;
    return value == values.end() ? run_s : *value;
}

Result<Workload> generate_workload(const WorkloadOptions& options) {
    Workload workload;
    workload.options = options;
    const bool lublin = options.model == WorkloadModel::lublin;
    workload.capacity = options.fleet.chips_total();
    if (workload.capacity == 0 && lublin) {
        workload.capacity = options.fleet.cpus_milli_total() / 1000;
    }
    if (workload.capacity == 0) {
        return fail(Code::invalid,
                    lublin ? "the fleet has neither chips nor CPUs to compute on"
                           : "the fleet has no chips, and the GPU mix is about chips");
    }
    if (options.jobs < 1 || options.jobs > 100'000'000) {
        return fail(Code::invalid,
                    fmt::format("jobs: {}; 1 to 100,000,000 are valid", options.jobs));
    }
    if (!(options.load > 0) || options.load > 100) {
        return fail(Code::invalid,
                    fmt::format("load: {}; above 0 to 100 is valid, 1 is a machine that is asked "
                                "for exactly what it has",
                                options.load));
    }
    if (lublin && workload.capacity > (std::uint64_t{1} << 31)) {
        return fail(
            Code::invalid,
            fmt::format(
                "{} processors; the model goes to {}", workload.capacity, std::uint64_t{1} << 31));
    }
    Random random(options.seed);
    const std::uint32_t widest = widest_job(options.fleet);
    const PerChip chip = per_chip(options.fleet);
    std::vector<double> gaps;
    gaps.reserve(options.jobs);
    workload.jobs.reserve(options.jobs);
    double work = 0;
    for (std::uint64_t i = 0; i < options.jobs; ++i) {
        WorkloadJob job;
        if (lublin) {
            job.chips = batch_size(random, workload.capacity);
            job.run_s = batch_run(random, job.chips);
        } else {
            job = mix_job(random, widest, chip);
        }
        job.limit_s = requested_seconds(job.run_s, random.unit());
        if (i > 0) gaps.push_back(lublin ? batch_gap(random) : random.exponential(1));
        work += work_of(job);
        workload.jobs.push_back(job);
    }
    const double span = work / (static_cast<double>(workload.capacity) * options.load);
    const std::int64_t span_s =
        options.jobs == 1 ? 0 : std::max<std::int64_t>(1, std::llround(span));
    const std::vector<std::int64_t> at =
        arrange(lublin ? batch_cycle() : mix_cycle(), gaps, span_s);
    for (std::size_t i = 0; i < at.size(); ++i)
        workload.jobs[i].submit_s = at[i];
    if (span_s > 0) {
        workload.load =
            work / (static_cast<double>(workload.capacity) * static_cast<double>(span_s));
    }
    return workload;
}

}  // namespace weir::sim
