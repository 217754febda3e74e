#include "weir/sim/report_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "weir/base/assert.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t groups_shown = 25;
constexpr std::size_t slowdown_points = 160;

double seconds_of(Time time) {
    return as_seconds(time.time_since_epoch());
}

// Sums "amount during [begin, end)" into bins in O(1) for each interval: whole bins by a
// difference array, the two ends by hand.
class Binned {
public:
    Binned(double from, double bin, std::size_t count)
        : from_(from), bin_(bin), edge_(count, 0.0), step_(count + 1, 0.0) {}

    void add(double begin, double end, double amount) {
        if (!(end > begin) || amount == 0) return;
        const double last = static_cast<double>(edge_.size());
        const double b = std::clamp((begin - from_) / bin_, 0.0, last);
        const double e = std::clamp((end - from_) / bin_, 0.0, last);
        const auto first_bin = std::min(static_cast<std::size_t>(b), edge_.size() - 1);
        const auto last_bin = std::min(static_cast<std::size_t>(e), edge_.size() - 1);
        if (first_bin == last_bin) {
            edge_[first_bin] += amount * (e - b);
            return;
        }
        edge_[first_bin] += amount * (static_cast<double>(first_bin + 1) - b);
        edge_[last_bin] += amount * (e - static_cast<double>(last_bin));
        step_[first_bin + 1] += amount;
        step_[last_bin] -= amount;
    }

    [[nodiscard]] std::vector<double> means() const {
        std::vector<double> out(edge_.size());
        double running = 0;
        for (std::size_t i = 0; i < edge_.size(); ++i) {
            running += step_[i];
            // Differences of large sums leave dust where there is nothing.
            out[i] = std::max(0.0, running + edge_[i]);
            if (out[i] < 1e-9) out[i] = 0;
        }
        return out;
    }

private:
    double from_;
    double bin_;
    std::vector<double> edge_;
    std::vector<double> step_;
};

// How much a job holds while it runs, in the unit of the report.
double width_of(const ScheduledJob& job, const Trace& trace, bool by_chips) {
    return by_chips ? job.chips : cpus_of(job, trace.jobs[job.trace_job], trace);
}

// What all attempts of it held, whatever came of them.
double work_of(const ScheduledJob& job, const Trace& trace, bool by_chips) {
    const TraceJob& logged = trace.jobs[job.trace_job];
    return width_of(job, trace, by_chips) * as_seconds(held_by(job, logged).wall);
}

double wait_of(const ScheduledJob& job, const TraceJob& logged) {
    return as_seconds(job.start - logged.submitted_at);
}

// What so many per cent stayed at or below; sorts as little as it must.
double quantile(std::vector<double>& values, std::size_t percent) {
    const std::size_t k = nearest_rank(values.size(), percent);
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(k), values.end());
    return values[k];
}

double mean_of(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values)
        sum += value;
    return sum / static_cast<double>(values.size());
}

TimeSeries series_of(const Trace& trace,
                     const Simulation& result,
                     bool by_chips,
                     std::size_t bins) {
    double from = seconds_of(trace.jobs[result.jobs.front().trace_job].submitted_at);
    double to = from;
    for (const ScheduledJob& job : result.jobs) {
        from = std::min(from, seconds_of(trace.jobs[job.trace_job].submitted_at));
        to = std::max(to, seconds_of(job.end));
    }
    TimeSeries series;
    series.from_s = from;
    series.bin_s = std::max(1.0, (to - from) / static_cast<double>(bins));
    const auto used = static_cast<std::size_t>(
        std::clamp(std::ceil((to - from) / series.bin_s - 1e-9), 1.0, static_cast<double>(bins)));
    Binned busy(from, series.bin_s, used);
    Binned waiting(from, series.bin_s, used);
    Binned waiting_jobs(from, series.bin_s, used);
    for (const ScheduledJob& job : result.jobs) {
        const TraceJob& logged = trace.jobs[job.trace_job];
        const double width = width_of(job, trace, by_chips);
        const double start = seconds_of(job.start);
        busy.add(start, seconds_of(job.end), width);
        waiting.add(seconds_of(logged.submitted_at), start, width);
        waiting_jobs.add(seconds_of(logged.submitted_at), start, 1);
    }
    for (const Pause& pause : result.pauses) {
        const double width = by_chips ? pause.chips : pause.cpus;
        const double begin = seconds_of(pause.from);
        const double end = seconds_of(pause.until);
        busy.add(begin, end, -width);
        waiting.add(begin, end, width);
        waiting_jobs.add(begin, end, 1);
    }
    series.busy = busy.means();
    series.waiting = waiting.means();
    series.waiting_jobs = waiting_jobs.means();
    series.capacity = by_chips ? static_cast<double>(result.fleet.chips_total())
                               : static_cast<double>(result.fleet.cpus_milli_total()) / 1000.0;
    return series;
}

std::vector<WaitingFor> waiting_for(const Trace& trace,
                                    const Simulation& result,
                                    const TimeSeries& series) {
    std::map<std::uint32_t, Binned> by_kinds;
    const auto add = [&](std::uint32_t trace_job, double chips, Time from, Time until) {
        const TraceJob& logged = trace.jobs[trace_job];
        const auto its = by_kinds.try_emplace(
            logged.accepts, series.from_s, series.bin_s, series.waiting.size());
        its.first->second.add(seconds_of(from), seconds_of(until), chips);
    };
    for (const ScheduledJob& job : result.jobs)
        add(job.trace_job, job.chips, trace.jobs[job.trace_job].submitted_at, job.start);
    for (const Pause& pause : result.pauses)
        add(pause.trace_job, pause.chips, pause.from, pause.until);
    std::vector<WaitingFor> all;
    for (const auto& [accepts, waiting] : by_kinds) {
        all.push_back(
            {accepts == unknown_name ? std::vector<std::string>{} : trace.chip_sets.at(accepts),
             waiting.means()});
    }
    return all;
}

// Classes double: none, below 1, 1, 2, 3-4, 5-8, ...
int class_of(double size) {
    if (size <= 0) return -2;
    if (size < 1) return -1;
    return static_cast<int>(std::ceil(std::log2(size) - 1e-9));
}

std::string class_label(int number) {
    if (number == -2) return "none";
    if (number == -1) return "<1";
    if (number <= 1) return std::to_string(1 << number);
    return fmt::format("{}\u2013{}", (1u << (number - 1)) + 1, 1u << number);
}

std::vector<SizeClass> sizes_of(const Trace& trace, const Simulation& result, bool by_chips) {
    struct Sums {
        std::vector<double> waits;
        double work = 0;
    };
    std::map<int, Sums> classes;
    double work = 0;
    for (const ScheduledJob& job : result.jobs) {
        const TraceJob& logged = trace.jobs[job.trace_job];
        Sums& sums = classes[class_of(width_of(job, trace, by_chips))];
        sums.waits.push_back(wait_of(job, logged));
        sums.work += work_of(job, trace, by_chips);
        work += work_of(job, trace, by_chips);
    }
    std::vector<SizeClass> sizes;
    for (auto& [number, sums] : classes) {
        SizeClass row;
        row.number = number;
        row.label = class_label(number);
        row.jobs = sums.waits.size();
        row.work_share = work > 0 ? sums.work / work : 0;
        row.wait_mean_s = mean_of(sums.waits);
        row.wait_p25_s = quantile(sums.waits, 25);
        row.wait_median_s = quantile(sums.waits, 50);
        row.wait_p75_s = quantile(sums.waits, 75);
        row.wait_p95_s = quantile(sums.waits, 95);
        sizes.push_back(std::move(row));
    }
    return sizes;
}

std::vector<SlowdownPoint> slowdowns_of(const Trace& trace, const Simulation& result) {
    std::vector<double> all;
    all.reserve(result.jobs.size());
    for (const ScheduledJob& job : result.jobs) {
        all.push_back(bounded_slowdown(job, trace.jobs[job.trace_job]));
    }
    std::sort(all.begin(), all.end());
    const double most = std::max(all.back(), 10.0);
    std::vector<SlowdownPoint> points;
    for (std::size_t i = 0; i < slowdown_points; ++i) {
        const double x =
            std::pow(most, static_cast<double>(i) / static_cast<double>(slowdown_points - 1));
        const bool last = i + 1 == slowdown_points;
        const auto below = std::upper_bound(all.begin(), all.end(), x) - all.begin();
        points.push_back(
            {x, last ? 1.0 : static_cast<double>(below) / static_cast<double>(all.size())});
    }
    return points;
}

void add_groups(const Trace& trace, const Simulation& result, ReportData& data) {
    std::uint32_t TraceJob::*const who = trace.tenant();
    if (who == nullptr) return;
    data.group_kind = who == &TraceJob::group ? "group" : "user";
    struct Sums {
        std::uint32_t name = 0;
        double work = 0;
        double slowdown = 0;
        std::vector<double> waits;
    };
    std::map<std::uint32_t, Sums> by_name;
    for (const ScheduledJob& job : result.jobs) {
        const TraceJob& logged = trace.jobs[job.trace_job];
        Sums& sums = by_name[logged.*who];
        sums.name = logged.*who;
        sums.work += work_of(job, trace, data.by_chips) / 3600;
        sums.slowdown += bounded_slowdown(job, logged);
        sums.waits.push_back(wait_of(job, logged));
    }
    std::vector<Sums> ordered;
    for (auto& [name, sums] : by_name)
        ordered.push_back(std::move(sums));
    std::stable_sort(ordered.begin(), ordered.end(), [](const Sums& a, const Sums& b) {
        return a.work > b.work;
    });
    const auto add = [&](std::string name, Sums& sums) {
        GroupRow row;
        row.name = std::move(name);
        row.jobs = sums.waits.size();
        row.chip_hours = sums.work;
        row.wait_mean_s = mean_of(sums.waits);
        row.wait_p95_s = quantile(sums.waits, 95);
        row.slowdown_mean = sums.slowdown / static_cast<double>(sums.waits.size());
        data.groups.push_back(std::move(row));
    };
    const bool cut = ordered.size() > groups_shown + 1;
    const std::size_t whole = cut ? groups_shown : ordered.size();
    for (std::size_t i = 0; i < whole; ++i) {
        add(ordered[i].name == unknown_name ? "(not named)" : trace.names.at(ordered[i].name),
            ordered[i]);
    }
    if (!cut) return;
    Sums rest;
    for (std::size_t i = whole; i < ordered.size(); ++i) {
        rest.work += ordered[i].work;
        rest.slowdown += ordered[i].slowdown;
        rest.waits.insert(rest.waits.end(), ordered[i].waits.begin(), ordered[i].waits.end());
    }
    add(fmt::format("{} others", ordered.size() - whole), rest);
}

}  // namespace

ReportData report_data(const Trace& trace, const Simulation& result, std::size_t bins) {
    WEIR_ASSERT(!result.jobs.empty() && bins > 0);
    ReportData data;
    data.by_chips = counted_in_chips(result);
    data.series = series_of(trace, result, data.by_chips, bins);
    if (data.by_chips) data.waiting_for = waiting_for(trace, result, data.series);
    data.sizes = sizes_of(trace, result, data.by_chips);
    data.slowdowns = slowdowns_of(trace, result);
    add_groups(trace, result, data);
    return data;
}

std::vector<double> coarser(const std::vector<double>& series, std::size_t each) {
    WEIR_ASSERT(each > 0);
    std::vector<double> out;
    for (std::size_t i = 0; i < series.size(); i += each) {
        const std::size_t end = std::min(series.size(), i + each);
        double sum = 0;
        for (std::size_t k = i; k < end; ++k)
            sum += series[k];
        out.push_back(sum / static_cast<double>(end - i));
    }
    return out;
}

}  // namespace weir::sim
