// Any bytes are a trace or an error, never a crash; and what is read keeps the promises of the
// readers. The first byte says which reader is meant (s: SWF, c: CSV, j: sidecar), the rest is
// its input.
#include <cstddef>
#include <cstdint>
#include <string>

#include "weir/base/assert.hpp"
#include "weir/sim/gpu_csv.hpp"
#include "weir/sim/line_reader.hpp"
#include "weir/sim/sidecar.hpp"
#include "weir/sim/swf.hpp"

namespace weir::sim {
namespace {

LineReader reader_of(std::string text) {
    return LineReader::over("fuzz", std::move(text), {.bytes_max = 1 << 22, .line_max = 1 << 12});
}

void check_jobs(const Trace& trace) {
    WEIR_ASSERT(!trace.jobs.empty());
    Time last{};
    for (const TraceJob& job : trace.jobs) {
        WEIR_ASSERT(job.submitted_at >= last);
        WEIR_ASSERT(job.run >= Duration{} && job.run <= job.limit && job.limit > Duration{});
        WEIR_ASSERT(job.user == unknown_name || job.user < trace.names.size());
        WEIR_ASSERT(job.group == unknown_name || job.group < trace.names.size());
        WEIR_ASSERT(job.reads == unknown_name || job.reads < trace.data_sets.size());
        WEIR_ASSERT(job.accepts == unknown_name || job.accepts < trace.chip_sets.size());
        WEIR_ASSERT(job.chip_permille >= 1 && job.chip_permille <= 1000);
        WEIR_ASSERT(job.chip_permille == 1000 || job.chips == 1);
        WEIR_ASSERT(job.memory.count >= 0);
        last = job.submitted_at;
    }
}

void fuzz_swf(std::string text) {
    LineReader reader = reader_of(std::move(text));
    const auto trace = read_swf(reader, "fuzz", {});
    if (!trace) {
        WEIR_ASSERT(trace.error().message.rfind("fuzz", 0) == 0);
        return;
    }
    check_jobs(*trace);
    for (const TraceJob& job : trace->jobs) {
        WEIR_ASSERT(job.run > Duration{});
        WEIR_ASSERT(job.chips >= 1 && job.chips <= trace->fleet.pools.at(0).nodes);
    }
}

void fuzz_csv(std::string text) {
    LineReader reader = reader_of(std::move(text));
    const auto trace = read_gpu_csv(reader, "fuzz", {});
    if (!trace) {
        WEIR_ASSERT(trace.error().message.rfind("fuzz", 0) == 0);
        return;
    }
    check_jobs(*trace);
}

void fuzz_sidecar(const std::string& text) {
    const auto sidecar = parse_sidecar(text, "fuzz", "site", text.size() % 2 == 0 ? "" : "small");
    if (!sidecar) {
        WEIR_ASSERT(sidecar.error().message.rfind("fuzz", 0) == 0);
        return;
    }
    WEIR_ASSERT(!sidecar->fleet.pools.empty());
    for (const fleet::Pool& pool : sidecar->fleet.pools) {
        WEIR_ASSERT(pool.nodes > 0 && pool.chips_per_node <= fleet::chips_per_node_max);
        WEIR_ASSERT((pool.chips_per_node == 0) == pool.chip.empty());
    }
}

}  // namespace
}  // namespace weir::sim

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0]) {
        case 's':
            weir::sim::fuzz_swf(std::move(text));
            break;
        case 'c':
            weir::sim::fuzz_csv(std::move(text));
            break;
        case 'j':
            weir::sim::fuzz_sidecar(text);
            break;
        default:
            break;
    }
    return 0;
}
