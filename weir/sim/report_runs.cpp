#include "weir/sim/report_runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "weir/base/units.hpp"
#include "weir/sim/report_charts.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t bins = 240;

std::string seconds_text(double value_s) {
    if (std::abs(value_s) < 100) return fmt::format("{:.1f} s", value_s);
    return format_count(static_cast<std::uint64_t>(std::llround(value_s))) + " s";
}
std::string count_text(double value) {
    return format_count(static_cast<std::uint64_t>(std::llround(value)));
}
std::string slowdown_text(double value) {
    return value < 100 ? fmt::format("{:.2f}", value) : number_text(value);
}
std::string share_text(double value) {
    return fmt::format("{:.2f} %", value * 100);
}
std::string energy_text(double value) {
    return number_text(value) + " kWh";
}

bool promises(const RunSummary& run) {
    return run.metrics.promises > 0;
}
bool interrupted(const RunSummary& run) {
    const Metrics& m = run.metrics;
    return m.node_failures + m.attempts_failed + m.preemptions > 0 || m.lost_share > 0;
}
bool measured(const RunSummary& run) {
    return run.metrics.energy_kwh > 0;
}
bool copies_data(const RunSummary& run) {
    return run.metrics.copies > 0 || run.metrics.forgotten_bytes > 0;
}
std::string bytes_text(double value) {
    return format_bytes(Bytes{std::llround(value)});
}
bool capped(const RunSummary& run) {
    return run.power_allowed_watts > 0;
}

std::string budget_text(double watts) {
    return watts > 0 ? watts_text(watts) : "no budget";
}

std::uint64_t fewest_left_out(const std::vector<RunSummary>& runs) {
    std::uint64_t fewest = runs.front().metrics.jobs_skipped;
    for (const RunSummary& run : runs)
        fewest = std::min(fewest, run.metrics.jobs_skipped);
    return fewest;
}

// By how many they left out: what is varied makes the machine wider or narrower.
bool replay_the_same(const std::vector<RunSummary>& runs) {
    return std::all_of(runs.begin(), runs.end(), [&](const RunSummary& run) {
        return run.metrics.jobs_skipped == runs.front().metrics.jobs_skipped;
    });
}

// The run with another value of that key, or with any.
bool differ_only_in(const std::string& key, const RunSummary& a, const RunSummary& b) {
    const auto differs = [&](const auto& left, const auto& right) {
        return left.first == key || left == right;
    };
    return a.policy == b.policy &&
           std::equal(a.varied.begin(), a.varied.end(), b.varied.begin(), b.varied.end(), differs);
}

// "policy fcfs: reservations makes no difference here": every run of the policy decides as those do
// that differ from it in nothing else.
void note_idle_keys(const std::vector<RunSummary>& runs, std::vector<std::string>& notes) {
    for (const auto& [key, value] : runs.front().varied) {
        std::vector<std::string> judged;
        for (const RunSummary& of_policy : runs) {
            if (std::find(judged.begin(), judged.end(), of_policy.policy) != judged.end()) continue;
            judged.push_back(of_policy.policy);
            bool several = false;
            bool equal = true;
            for (const RunSummary& a : runs) {
                for (const RunSummary& b : runs) {
                    if (&a == &b || a.policy != of_policy.policy || !differ_only_in(key, a, b))
                        continue;
                    several = true;
                    equal = equal && a.metrics.digest == b.metrics.digest;
                }
            }
            if (several && equal) {
                notes.push_back(
                    fmt::format("policy {}: {} makes no difference here: equal decisions",
                                of_policy.policy,
                                key));
            }
        }
    }
}

template <auto member>
double metric(const RunSummary& run) {
    return static_cast<double>(run.metrics.*member);
}

}  // namespace

RunSummary summary_of(const Trace& trace,
                      const Simulation& result,
                      std::string name,
                      std::string policy,
                      std::vector<std::pair<std::string, std::string>> varied) {
    RunSummary run;
    run.name = std::move(name);
    run.policy = std::move(policy);
    run.varied = std::move(varied);
    run.metrics = result.metrics;
    run.books = result.books;
    run.books.over_time.clear();
    run.houses = result.houses;
    run.data = report_data(trace, result, bins);
    run.power = result.power;
    run.power_allowed_watts = power_allowed_watts(result.fleet);
    run.cap_cost = cap_cost(result.fleet, run.data);
    for (const RackPower& rack : result.racks) {
        run.racks_over_cap += rack.over_cap_s > 0 ? 1 : 0;
        run.over_cap_s += rack.over_cap_s;
    }
    run.machine = machine_text(result.fleet, trace.classic);
    run.notes = result.notes;
    return run;
}

const std::vector<Figure>& figures() {
    using enum Figure::Better;
    static const std::vector<Figure> table{
        {"jobs", neither, metric<&Metrics::jobs>, count_text},
        {"left out",
         neither,
         metric<&Metrics::jobs_skipped>,
         count_text,
         [](const RunSummary& run) { return run.metrics.jobs_skipped > 0; }},
        {"makespan", lower, metric<&Metrics::makespan_s>, duration_text},
        {"wait, mean", lower, metric<&Metrics::wait_mean_s>, seconds_text, nullptr, true},
        {"wait, median", lower, metric<&Metrics::wait_median_s>, seconds_text},
        {"wait, 95 %", lower, metric<&Metrics::wait_p95_s>, seconds_text},
        {"wait, 99 %", lower, metric<&Metrics::wait_p99_s>, seconds_text},
        {"wait, longest", lower, metric<&Metrics::wait_max_s>, seconds_text},
        {"slowdown", lower, metric<&Metrics::bounded_slowdown_mean>, slowdown_text, nullptr, true},
        {"utilisation", higher, metric<&Metrics::utilisation>, share_text, nullptr, true},
        {"promises", neither, metric<&Metrics::promises>, count_text, promises},
        {"promises broken", lower, metric<&Metrics::promises_broken>, count_text, promises, true},
        {"latest after promise",
         lower,
         metric<&Metrics::promise_late_max_s>,
         seconds_text,
         [](const RunSummary& run) { return run.metrics.promises_broken > 0; }},
        {"node failures", neither, metric<&Metrics::node_failures>, count_text, interrupted},
        {"attempts failed", lower, metric<&Metrics::attempts_failed>, count_text, interrupted},
        {"nodes replaced",
         neither,
         metric<&Metrics::nodes_replaced>,
         count_text,
         [](const RunSummary& run) { return run.metrics.nodes_replaced > 0; }},
        {"ended by their limit",
         lower,
         metric<&Metrics::ended_by_limit>,
         count_text,
         [](const RunSummary& run) { return run.metrics.ended_by_limit > 0; }},
        {"preemptions", lower, metric<&Metrics::preemptions>, count_text, interrupted},
        {"useful share", higher, metric<&Metrics::useful_share>, share_text, interrupted, true},
        {"done again", lower, metric<&Metrics::redone_share>, share_text, interrupted},
        {"checkpoints", lower, metric<&Metrics::checkpoint_share>, share_text, interrupted},
        {"restarts", lower, metric<&Metrics::restart_share>, share_text, interrupted},
        {"datasets copied", lower, metric<&Metrics::copies>, count_text, copies_data},
        {"data moved", lower, metric<&Metrics::copied_bytes>, bytes_text, copies_data},
        {"data forgotten", lower, metric<&Metrics::forgotten_bytes>, bytes_text, copies_data},
        {"energy", lower, metric<&Metrics::energy_kwh>, energy_text, measured, true},
        {"power, highest", lower, metric<&Metrics::power_max_watts>, watts_text, measured},
        {"power, allowed",
         neither,
         [](const RunSummary& run) { return run.power_allowed_watts; },
         budget_text,
         capped},
        {"chips kept dark",
         lower,
         [](const RunSummary& run) {
             return static_cast<double>(run.cap_cost.chips - run.cap_cost.chips_fed);
         },
         count_text,
         capped},
        {"racks ever over cap",
         lower,
         [](const RunSummary& run) { return static_cast<double>(run.racks_over_cap); },
         count_text,
         capped},
        {"time over cap",
         lower,
         [](const RunSummary& run) { return run.over_cap_s; },
         seconds_text,
         [](const RunSummary& run) { return run.racks_over_cap > 0; }},
        {"decisions", neither, metric<&Metrics::decisions>, count_text},
    };
    return table;
}

std::vector<Figure> figures_of(const std::vector<RunSummary>& runs) {
    std::vector<Figure> out;
    for (const Figure& figure : figures()) {
        if (figure.applies == nullptr || std::any_of(runs.begin(), runs.end(), figure.applies)) {
            out.push_back(figure);
        }
    }
    return out;
}

std::string title_of(const std::vector<RunSummary>& runs, std::size_t run) {
    const RunSummary& its = runs[run];
    if (replay_the_same(runs)) return its.name;
    return fmt::format("{} ({} left out)", its.name, format_count(its.metrics.jobs_skipped));
}

bool is_best(const Figure& figure, const std::vector<RunSummary>& runs, std::size_t run) {
    if (figure.better == Figure::Better::neither) return false;
    const std::uint64_t fewest = fewest_left_out(runs);
    if (runs[run].metrics.jobs_skipped > fewest) return false;
    const double value = figure.value(runs[run]);
    bool is_better_than_one = false;
    for (const RunSummary& other : runs) {
        if (other.metrics.jobs_skipped > fewest) continue;
        const double gain = figure.better == Figure::Better::lower ? figure.value(other) - value
                                                                   : value - figure.value(other);
        if (gain < 0) return false;
        is_better_than_one = is_better_than_one || gain > 0;
    }
    return is_better_than_one;
}

std::string difference_text(const Figure& figure,
                            const std::vector<RunSummary>& runs,
                            std::size_t run) {
    const double base = figure.value(runs.front());
    if (run == 0 || base == 0 || figure.better == Figure::Better::neither) return "";
    const double percent = (figure.value(runs[run]) / base - 1) * 100;
    if (std::abs(percent) < 0.05) return "0 %";
    if (std::abs(percent) >= 1000) return fmt::format("x {}", number_text(1 + percent / 100));
    return fmt::format("{:+.1f} %", percent);
}

std::vector<std::string> notes_of(const std::vector<RunSummary>& runs) {
    std::vector<std::string> notes;
    const auto of_all = [&](const std::string& note) {
        return std::all_of(runs.begin(), runs.end(), [&](const RunSummary& run) {
            return std::find(run.notes.begin(), run.notes.end(), note) != run.notes.end();
        });
    };
    for (const std::string& note : runs.front().notes) {
        if (of_all(note)) notes.push_back(note);
    }
    for (const RunSummary& run : runs) {
        for (const std::string& note : run.notes) {
            if (!of_all(note)) notes.push_back(fmt::format("{}: {}", run.name, note));
        }
    }
    if (!replay_the_same(runs)) {
        notes.emplace_back(
            "the runs left out different jobs, so their figures are of different work; only those "
            "that left out fewest can be the best");
    }
    if (std::any_of(runs.begin(), runs.end(), [](const RunSummary& run) {
            return run.metrics.promises_broken > 0;
        })) {
        notes.emplace_back(
            "broken are all promises of which the start came later than first promised, also "
            "because "
            "of failures or of higher classes; `weir check` on the log (--log) tells them apart");
    }
    note_idle_keys(runs, notes);
    return notes;
}

}  // namespace weir::sim
