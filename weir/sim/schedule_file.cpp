#include "weir/sim/schedule_file.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <iterator>

#include "weir/sim/csv.hpp"
#include "weir/sim/output_file.hpp"

namespace weir::sim {
namespace {

// Thousandths at most, and no zeros at the end: 4, 0.5, 0.125.
void append_chips(std::string& out, double chips) {
    const auto milli = static_cast<std::uint64_t>(std::llround(chips * 1000));
    fmt::format_to(std::back_inserter(out), "{}", milli / 1000);
    if (milli % 1000 == 0) return;
    std::string fraction = fmt::format(".{:03}", milli % 1000);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    out += fraction;
}

}  // namespace

Result<void> write_schedule(const std::string& path, const Trace& trace, const Simulation& result) {
    constexpr std::size_t block = std::size_t{1} << 18;
    WEIR_TRY(OutputFile file, OutputFile::create(path));
    std::string rows = "job_id,submit_s,start_s,end_s,nodes,chips\n";
    for (const ScheduledJob& job : result.jobs) {
        const TraceJob& logged = trace.jobs.at(job.trace_job);
        if (job.copy == 0) {
            append_csv_field(rows, logged.id);
        } else {
            append_csv_field(rows, fmt::format("{}#{}", logged.id, job.copy));
        }
        fmt::format_to(std::back_inserter(rows),
                       ",{},{},{},{},",
                       whole_seconds(logged.submitted_at.time_since_epoch()),
                       whole_seconds(job.start.time_since_epoch()),
                       whole_seconds(job.end.time_since_epoch()),
                       job.nodes);
        append_chips(rows, job.chips);
        rows.push_back('\n');
        if (rows.size() >= block) {
            WEIR_CHECK(file.write(rows));
            rows.clear();
        }
    }
    WEIR_CHECK(file.write(rows));
    return file.close();
}

}  // namespace weir::sim
