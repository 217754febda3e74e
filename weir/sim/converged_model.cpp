#include "weir/sim/converged_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "weir/base/random.hpp"
#include "weir/sim/output_file.hpp"
#include "weir/sim/workload_model.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t campaigns = 10;  // of three days each
constexpr std::int64_t campaign_s = converged_span_s / static_cast<std::int64_t>(campaigns);
// How much a campaign asks for: e^0.9 and more above the middle in every sixth of them.
constexpr double campaign_deviation = 0.9;
constexpr double jobs_that_read = 0.3;   // of those that simulate or train
constexpr double jobs_that_infer = 0.8;  // of those of an organisation without full precision

struct Kind {
    catalog::Format precision;
    std::uint32_t chips_min;  // doubled up to ...
    std::uint32_t doublings;  // ... so many times, each half as often as the one before
    double log_run_mean;      // of seconds
    double log_run_deviation;
    double run_max_s;
};
constexpr Kind simulation{catalog::Format::fp64, 8, 6, 8.4, 1.2, 24 * 3600.0};  // e^8.4 s: 74 min
constexpr Kind training{catalog::Format::bf16, 8, 6, 9.2, 1.1, 72 * 3600.0};    // 165 min
constexpr Kind inference{catalog::Format::int8, 1, 3, 7.6, 1.0, 12 * 3600.0};   // 33 min

ConvergedJob job_of(const Kind& kind, std::uint64_t chips_max, Random& random) {
    ConvergedJob job;
    job.precision = kind.precision;
    job.chips = kind.chips_min;
    for (std::uint32_t i = 0; i < kind.doublings && random.chance(0.5); ++i)
        job.chips *= 2;
    while (job.chips > chips_max && job.chips > 1)
        job.chips /= 2;
    const double run = random.lognormal(kind.log_run_mean, kind.log_run_deviation);
    job.run_s = std::max<std::int64_t>(1, std::llround(std::min(run, kind.run_max_s)));
    job.limit_s = requested_seconds(job.run_s, random.unit());
    return job;
}

}  // namespace

Result<std::vector<ConvergedJob>> generate_converged(const ConvergedOptions& options) {
    if (!(options.load > 0) || options.load > 100) {
        return fail(Code::invalid, fmt::format("load: {}; above 0 to 100 is valid", options.load));
    }
    std::vector<ConvergedJob> jobs;
    Random random(options.seed);
    Random data(options.seed + 0x9e3779b97f4a7c15);  // a stream of its own
    for (std::uint32_t owner = 0; owner < options.owners.size(); ++owner) {
        const ConvergedOwner& its = options.owners[owner];
        if (its.chips == 0) continue;
        std::array<double, campaigns> share{};
        const auto its_data = options.datasets.empty()
                                  ? std::uint32_t{0}
                                  : static_cast<std::uint32_t>(data.between(
                                        0, static_cast<std::int64_t>(options.datasets.size()) - 1));
        double sum = 0;
        for (double& each : share)
            sum += each = random.lognormal(0, campaign_deviation);
        const double work = options.load * static_cast<double>(its.chips) * converged_span_s;
        for (std::size_t campaign = 0; campaign < campaigns; ++campaign) {
            double left = work * share[campaign] / sum;
            while (left > 0) {
                const Kind& kind = its.full_precision               ? simulation
                                   : random.chance(jobs_that_infer) ? inference
                                                                    : training;
                ConvergedJob job = job_of(kind, its.chips, random);
                job.owner = owner;
                job.submit_s = static_cast<std::int64_t>(campaign) * campaign_s +
                               random.between(0, campaign_s - 1);
                if (!options.datasets.empty() && kind.precision != inference.precision &&
                    data.chance(jobs_that_read)) {
                    job.reads = its_data;
                }
                left -= static_cast<double>(job.run_s) * job.chips;
                jobs.push_back(job);
            }
        }
    }
    if (jobs.empty()) {
        return fail(Code::invalid, "no organisation owns a chip, so nobody asks for anything");
    }
    std::stable_sort(jobs.begin(), jobs.end(), [](const ConvergedJob& a, const ConvergedJob& b) {
        return a.submit_s < b.submit_s;
    });
    return jobs;
}

Result<void> write_converged(const std::string& path,
                             const ConvergedOptions& options,
                             const std::vector<ConvergedJob>& jobs) {
    constexpr std::size_t block = std::size_t{1} << 18;
    WEIR_TRY(OutputFile file, OutputFile::create(path));
    const bool reads = !options.datasets.empty();
    std::string text = "job_id,group,submit_s,duration_s,req_time_s,devices,precision";
    text += reads ? ",datasets\n" : "\n";
    std::uint64_t number = 0;
    for (const ConvergedJob& job : jobs) {
        fmt::format_to(std::back_inserter(text),
                       "{},{},{},{},{},{},{}",
                       ++number,
                       options.owners[job.owner].name,
                       job.submit_s,
                       job.run_s,
                       job.limit_s,
                       job.chips,
                       catalog::name_of(job.precision));
        if (reads) {
            text += ',';
            if (job.reads) text += options.datasets[*job.reads];
        }
        text += '\n';
        if (text.size() >= block) {
            WEIR_CHECK(file.write(text));
            text.clear();
        }
    }
    WEIR_CHECK(file.write(text));
    return file.close();
}

}  // namespace weir::sim
