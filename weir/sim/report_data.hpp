// What a report shows, worked out from a simulation: small tables, whatever the number of jobs.
//
// Everything is O(jobs x log jobs) at most and averaged exactly: a bin of a series holds the mean
// over its time of what was busy or waiting, so that the area under a chart is the true sum. Busy
// is what attempts hold; a job between two of them waits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

// Means over equal bins of time, from the first submission to the last end.
struct TimeSeries {
    double from_s = 0;
    double bin_s = 1;
    std::vector<double> busy;     // chips (CPUs where the fleet has no chips)
    std::vector<double> waiting;  // the same unit, asked for by jobs that wait
    std::vector<double> waiting_jobs;
    double capacity = 0;
};

// What was waited for by those jobs that accept the same kinds of chip; in bins of TimeSeries.
struct WaitingFor {
    std::vector<std::string> chips;  // empty = any
    std::vector<double> waiting;     // chips
};

struct SizeClass {
    int number = 0;     // orders classes, of other runs too
    std::string label;  // "1", "2", "3-4", "5-8" ... chips of the whole job
    std::uint64_t jobs = 0;
    double work_share = 0;  // of the chip-seconds that all jobs held
    double wait_p25_s = 0;
    double wait_median_s = 0;
    double wait_p75_s = 0;
    double wait_p95_s = 0;
    double wait_mean_s = 0;
};

// share of the jobs have a bounded slowdown of at most `slowdown`.
struct SlowdownPoint {
    double slowdown = 1;
    double share = 0;
};

struct GroupRow {
    std::string name;
    std::uint64_t jobs = 0;
    double chip_hours = 0;  // that all attempts held
    double wait_mean_s = 0;
    double wait_p95_s = 0;
    double slowdown_mean = 0;
};

struct ReportData {
    bool by_chips = true;  // else everything is in CPUs
    TimeSeries series;
    std::vector<WaitingFor> waiting_for;  // where it is counted in chips: parts of series.waiting
    std::vector<SizeClass> sizes;
    std::vector<SlowdownPoint> slowdowns;
    std::string group_kind;        // "group", "user", or "" when the log names neither
    std::vector<GroupRow> groups;  // most chip-hours first; the last one may be "N others"
};

// Requires: result.jobs is not empty.
ReportData report_data(const Trace& trace, const Simulation& result, std::size_t bins);

// Every `each` bins of a series averaged to one; the last may be made of fewer.
std::vector<double> coarser(const std::vector<double>& series, std::size_t each);

}  // namespace weir::sim
