#include "weir/sim/report_outcome.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/sim/report_charts.hpp"

namespace weir::sim {
namespace {

// By how much earlier than promised; what is later than the last goes behind it.
struct Span {
    const char* name;
    Duration below;
};
constexpr std::array<Span, 9> spans{{{"late", Duration{0}},
                                     {"at it", seconds(1)},
                                     {"< 1 min", seconds(60)},
                                     {"< 10 min", seconds(600)},
                                     {"< 1 h", seconds(3600)},
                                     {"< 6 h", seconds(21'600)},
                                     {"< 1 d", seconds(86'400)},
                                     {"< 1 week", seconds(604'800)},
                                     {"more", forever}}};

double share_of(std::uint64_t part, std::uint64_t whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

void promises_section(HtmlPage& page, const Trace& trace, const Simulation& result) {
    std::array<std::uint64_t, spans.size()> counts{};
    std::uint64_t promised = 0;
    double notice_s = 0;  // promise minus submission
    double early_s = 0;
    for (const ScheduledJob& job : result.jobs) {
        if (job.promised == never) continue;
        ++promised;
        const Duration early = job.promised - job.start;
        early_s += std::max(0.0, as_seconds(early));
        notice_s += as_seconds(job.promised - trace.jobs[job.trace_job].submitted_at);
        std::size_t span = 0;
        while (span + 1 < spans.size() && early >= spans[span].below)
            ++span;
        ++counts[span];
    }
    if (promised == 0) return;
    const std::uint64_t broken = counts[0];
    const std::uint64_t kept = promised - broken;
    page.section(
        "Promises",
        fmt::format("{} of {} were promised a start while they waited, on average {} after they "
                    "were submitted. {} ({}) started by then, on average {} before it{}. The bars "
                    "say how much earlier than first promised they started.",
                    format_count(promised, "job"),
                    format_count(result.metrics.jobs),
                    duration_text(notice_s / static_cast<double>(promised)),
                    format_count(kept),
                    format_percent(share_of(kept, promised)),
                    duration_text(kept > 0 ? early_s / static_cast<double>(kept) : 0),
                    broken > 0 ? fmt::format("; {} started later, by {} at most",
                                             format_count(broken),
                                             duration_text(result.metrics.promise_late_max_s))
                               : "; none started later"));
    std::vector<Bar> bars;
    std::vector<Row> rows;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const double share = share_of(counts[i], promised);
        bars.push_back({.label = spans[i].name,
                        .value = share * 100,
                        .top = format_count(counts[i]),
                        .css = i == 0 ? "bar-bad" : "bar-busy"});
        rows.push_back({spans[i].name, format_count(counts[i]), format_percent(share)});
    }
    page.raw(bars_chart(bars, "How much earlier than promised jobs started", " %"));
    page.twin({"earlier than promised by", "jobs", "share"}, rows);
    page.end_section();
}

void interruptions_section(HtmlPage& page, const Simulation& result) {
    const Metrics& m = result.metrics;
    if (m.node_failures + m.attempts_failed + m.preemptions == 0 && m.lost_share == 0) return;
    std::uint64_t struck = 0;
    std::uint32_t attempts_max = 1;
    double lost_chip_s = 0;
    for (const ScheduledJob& job : result.jobs) {
        if (job.attempts > 1) ++struck;
        attempts_max = std::max(attempts_max, job.attempts);
        lost_chip_s += as_seconds(job.lost) * job.chips;
    }
    page.section(
        "Failures, preemption and lost work",
        fmt::format("Of all the time that was given to jobs, {} brought them forward. The rest was "
                    "work that had to be done again, checkpoints, and starting anew.",
                    format_percent(m.useful_share)));
    const auto part = [](const char* name, double share, std::string_view css) {
        return Bar{name, share, format_percent(share), css};
    };
    const std::vector<Bar> parts{part("useful", m.useful_share, "bar-busy"),
                                 part("done again", m.redone_share, "bar-bad"),
                                 part("checkpoints", m.checkpoint_share, "bar-wait"),
                                 part("restarts", m.restart_share, "bar-rest")};
    page.raw(shares_chart(parts, "Useful and lost time"));
    std::vector<Row> rows{
        {"node failures", format_count(m.node_failures)},
        {"attempts ended by a failed node", format_count(m.attempts_failed)},
        {"nodes replaced in gangs that went on", format_count(m.nodes_replaced)},
        {"jobs ended by their limit before their work was done", format_count(m.ended_by_limit)},
        {"attempts stopped for others", format_count(m.preemptions)},
        {"jobs that began more than once",
         fmt::format("{} ({})", format_count(struck), format_percent(share_of(struck, m.jobs)))},
        {"most attempts of one job", format_count(attempts_max)}};
    if (lost_chip_s > 0) {
        rows.push_back({"chip-hours lost", number_text(lost_chip_s / 3600)});
    }
    for (const Bar& each : parts)
        rows.push_back({each.label + ", share of the time given to jobs", each.top});
    page.twin({"what", "how much"}, rows);
    page.end_section();
}

}  // namespace weir::sim
