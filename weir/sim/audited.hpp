// For tests: a simulation whose event log goes through the checker line by line, as text; and a job
// of a random log.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "weir/audit/checker.hpp"
#include "weir/audit/log_format.hpp"
#include "weir/base/random.hpp"
#include "weir/sim/simulator.hpp"

namespace weir::sim {

struct Audited {
    Simulation simulation;
    audit::Report report;
};

// Whatever the checker finds is a failure of the test.
inline Audited audited(const Trace& trace, SimulationOptions options) {
    audit::Checker checker;
    std::uint64_t number = 0;
    options.log = [&](std::string_view line) {
        ++number;
        line.remove_suffix(1);
        const auto record = audit::decode(line, "log:" + std::to_string(number));
        if (!record) {
            ADD_FAILURE() << record.error().message;
            return;
        }
        checker.add(*record, number);
    };
    Result<Simulation> simulation = simulate(trace, options);
    if (!simulation) {
        ADD_FAILURE() << simulation.error().message;
        return {};
    }
    Audited outcome{std::move(*simulation), checker.finish()};
    for (std::size_t rule = 0; rule < audit::rules; ++rule) {
        for (const audit::Violation& violation : outcome.report.verdicts[rule].first) {
            ADD_FAILURE() << name_of(static_cast<audit::Rule>(rule)) << " in line "
                          << violation.line << ": " << violation.sentence;
        }
    }
    return outcome;
}

// The next one of a log: submitted with the one before, or up to so many seconds later.
inline TraceJob next_job(const Trace& trace, std::int64_t apart_s_max, Random& random) {
    const Time before = trace.jobs.empty() ? Time{} : trace.jobs.back().submitted_at;
    TraceJob job;
    job.id = std::to_string(trace.jobs.size());
    job.submitted_at = before + seconds(random.chance(0.5) ? 0 : random.between(1, apart_s_max));
    job.limit = seconds(random.between(1, 10) * 60);
    job.run = job.limit * random.between(1, 10) / 10;
    job.nodes = 1;
    return job;
}

}  // namespace weir::sim
